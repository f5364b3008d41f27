"""Other designs of the NISQ-native decoder: outcomes as Qiskit gives them, and their refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.ansatz import tile_ansatz
from qhw.circuits.templates import append_ansatz, build_template, data_angles
from qhw.models.base import AbilityError
from qhw.models.nisq import NISQVAE
from qhw.models.nisq_joint import NISQJoint
from qhw.models.registry import build


def built(kind: str = "nisq", **config: object) -> NISQVAE:
    depth = {"encoder_layers": 1, "decoder_layers": 3, **config}
    model = build(kind, depth, torch.Generator().manual_seed(5))
    assert isinstance(model, NISQVAE)
    return model.double()


def latents() -> torch.Tensor:
    z = torch.randn(3, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(z)


def loaded(model: NISQVAE) -> list[QuantumCircuit]:
    """The decoder of every latent, not measured."""
    template = build_template(model.decoder_plan(), "exact")
    open_circuit = template.circuit.remove_final_measurements(inplace=False)
    return [
        open_circuit.assign_parameters(dict(zip(template.parameter_names, row, strict=True)))
        for row in data_angles(template, latents().numpy()).angles
    ]


def test_tile_is_its_circuit_on_couplings_of_a_heavy_hex_lattice() -> None:
    model = built(couplings="tile", decoder_layers=7)
    want = [Statevector(c).probabilities() for c in loaded(model)]
    got = model.decoder_probabilities(latents()).detach().numpy()
    np.testing.assert_allclose(got, want, atol=1e-10)
    pairs = [op.wires for op in tile_ansatz(7).ops if op.name == "cz"]
    assert len(pairs) == 14
    # a tree of two wires with three neighbours, as in the lattice's tile
    assert sorted(set(pairs)) == [(0, 3), (1, 5), (2, 3), (3, 4), (4, 5), (5, 6)]


def test_second_basis_is_a_hadamard_on_every_wire_for_half_of_the_shots() -> None:
    one, both = built(), built(bases=2)
    both.decoder_angles = one.decoder_angles
    got = both.decoder_probabilities(latents()).detach().numpy()
    for row, circuit in zip(got, loaded(one), strict=True):
        np.testing.assert_allclose(row[:128], Statevector(circuit).probabilities() / 2, atol=1e-10)
        circuit.h(range(7))
        np.testing.assert_allclose(row[128:], Statevector(circuit).probabilities() / 2, atol=1e-10)


def test_control_of_two_bases_has_them_too() -> None:
    model = built("nisq-control", core="identity", bases=2)
    got = model.decoder_probabilities(latents())
    torch.testing.assert_close(got[:, :32], latents().square() / 2)
    flat = torch.zeros(1, 32, dtype=torch.float64)
    flat[0, 0] = 1
    found = model.decoder_probabilities(flat)[0, 128:]
    torch.testing.assert_close(found, torch.full((128,), 1 / 256, dtype=torch.float64))


@pytest.mark.parametrize("entangled", [True, False])
def test_joint_decoder_is_its_circuit(entangled: bool) -> None:
    model = built("nisq-joint", entangled=entangled)
    assert isinstance(model, NISQJoint)
    angles = latents() @ model.angle_weight.T + model.decoder_angles
    got = model.decoder_probabilities(latents()).detach().numpy()
    for row, own in zip(got, angles.tolist(), strict=True):
        circuit = QuantumCircuit(7)
        append_ansatz(circuit, model._decoder, own)
        assert circuit.count_ops().get("cz", 0) == (9 if entangled else 0)
        np.testing.assert_allclose(row, Statevector(circuit).probabilities(), atol=1e-10)


@pytest.mark.parametrize(
    "model", [built(bases=2), built(couplings="tile"), built("nisq-joint")], ids=str
)
def test_losses_reach_every_weight(model: NISQVAE, molecules: MoleculeBatch) -> None:
    model.loss(molecules[:16], torch.Generator())["total"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (built(bases=2), r"two bases .* it is decoded exactly only"),
        (built("nisq-joint"), r"nisq-joint loads angles .* decoded exactly only"),
    ],
    ids=str,
)
def test_designs_without_one_circuit_say_so_before_anything_runs(model: NISQVAE, line: str) -> None:
    with pytest.raises(AbilityError, match=line):
        model.decoder_plan()
    with pytest.raises(AbilityError, match=line):  # it would run, and be paid for, first
        model.encoder_plan()

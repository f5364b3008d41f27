"""QCVAE-Mole against full statevectors, and what its encoding implies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Statevector, partial_trace

from backends.exact import ExactBackend
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.properties import LabelledMolecules
from qhw.circuits.ansatz import qvae_ansatz
from qhw.models.exact import ExactModel
from qhw.models.qcvae import QCVAE
from qhw.models.qvae import QVAE
from qhw.models.registry import build

LOGP = {"property": "logP", "low": -3.0, "high": 3.0}
QED = {"property": "QED", "low": 0.2, "high": 0.7}


def made(conditions: list[dict[str, Any]], **config: Any) -> QCVAE:
    config = {"n_blocks": 1, "kappa": 50.0, "conditions": conditions, **config}
    model = build("qcvae", config, torch.Generator().manual_seed(3)).double()
    assert isinstance(model, QCVAE)
    return model


def latents(n: int) -> torch.Tensor:
    z = torch.randn(n, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    unit: torch.Tensor = z / z.norm(dim=-1, keepdim=True)
    return unit


def labelled(molecules: MoleculeBatch, **values: list[float]) -> LabelledMolecules:
    own = {name: np.array(found) for name, found in values.items()}
    return LabelledMolecules(molecules.types, molecules.positions, molecules.charges, own)


def final_state(model: QCVAE, z: NDArray[np.float64], angles: NDArray[np.float64]) -> Statevector:
    """Written from the paper's words, not from the plan: latent, RY, gates one after another."""
    m = len(angles)
    n = 7 + m
    circuit = QuantumCircuit(n)
    for k, angle in enumerate(angles):
        circuit.ry(float(angle), m - 1 - k)  # wire w is qubit n - 1 - w
    plan = model.decoder_plan()
    for op in plan.ansatz.ops:
        arguments = [] if op.angle is None else [float(plan.weights[op.angle])]
        getattr(circuit, op.name)(*arguments, *(n - 1 - w for w in op.wires))
    start = np.zeros(2**n, dtype=complex)
    start[np.arange(32) * 2**m] = z
    return Statevector(start).evolve(circuit)


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("conditions", [[LOGP], [LOGP, QED]])
def test_decoder_is_the_partial_trace_of_the_full_state(
    conditions: list[dict[str, Any]], turned: bool
) -> None:
    model = made(conditions, turned=turned)
    m = len(conditions)
    values = torch.tensor([[-1.3, 0.31], [2.2, 0.62]], dtype=torch.float64)[:, :m]
    data = model.conditioned(latents(2), values)
    found = model.decoder_probabilities(data).detach().numpy()
    for row, given in zip(found, data.numpy(), strict=True):
        whole = DensityMatrix(final_state(model, given[:32], given[32:]))
        reduced = partial_trace(whole, list(range(m)))  # condition wires are the lowest qubits
        np.testing.assert_allclose(row, np.diag(reduced.data).real, atol=1e-12)


def test_encoder_is_the_partial_trace_too(molecules: MoleculeBatch) -> None:
    model = made([LOGP])
    batch = labelled(molecules[:3], logP=[-2.0, 0.1, 1.7])
    inputs = model.encoder_inputs(batch)
    assert inputs.shape == (3, 129)
    plan, found = model.encoder_plan(), model.encoder_probabilities(inputs).detach().numpy()
    for row, given in zip(found, inputs.numpy(), strict=True):
        circuit = QuantumCircuit(8)
        circuit.ry(float(given[128]), 0)
        for op in plan.ansatz.ops:
            arguments = [] if op.angle is None else [float(plan.weights[op.angle])]
            getattr(circuit, op.name)(*arguments, *(7 - w for w in op.wires))
        start = np.zeros(256, dtype=complex)
        start[::2] = given[:128]
        state = DensityMatrix(Statevector(start).evolve(circuit))
        reduced = partial_trace(state, [0, 1, 2])  # wires 5, 6 and the condition's
        np.testing.assert_allclose(row, np.diag(reduced.data).real, atol=1e-12)


def test_post_selection_renormalises_the_branch_and_tells_what_it_kept() -> None:
    model = made([LOGP, QED], ending="post-select")
    values = torch.tensor([[-1.3, 0.31], [2.2, 0.62]], dtype=torch.float64)
    data = model.conditioned(latents(2), values)
    found = model.decoder_probabilities(data)
    assert found.shape == (2, 2**9)
    kept = model.kept(found)
    assert kept is not None
    for row, share, given in zip(found.detach(), kept.detach(), data.numpy(), strict=True):
        p = final_state(model, given[:32], given[32:]).probabilities()
        np.testing.assert_allclose(row.numpy(), p, atol=1e-12)
        branch = p.reshape(128, 4)[:, 0]
        assert float(share) == pytest.approx(branch.sum(), abs=1e-12)
        assert 0.01 < float(share) < 0.99
        np.testing.assert_allclose(
            model.selected(row[None]).numpy()[0], branch / branch.sum(), atol=1e-12
        )
    assert made([LOGP]).kept(model.selected(found)) is None


@pytest.mark.parametrize("ending", ["trace", "post-select"])
@pytest.mark.parametrize("preparation", ["exact", "brickwork"])
def test_compiled_circuit_has_the_same_distribution(ending: str, preparation: Any) -> None:
    model = made([LOGP, QED], ending=ending)
    values = torch.tensor([[-2.9, 0.2], [1.0, 0.55]], dtype=torch.float64)
    data = model.conditioned(latents(2), values).numpy()
    work = ExactModel(model).workload("decoder", data, preparation, seed=0)
    compiled = ExactBackend().compile(work.circuit)
    got = ExactBackend().probabilities(compiled, work.columns(compiled.parameter_names))
    assert work.known is not None
    # the two last columns are the conditions' own angles
    np.testing.assert_array_equal(work.angles[:, -2:], data[:, -2:])
    if preparation == "exact":
        np.testing.assert_allclose(got, work.known, atol=1e-10)
    else:
        assert work.fidelity is not None
        distance = 0.5 * np.abs(got - work.known).sum(1)
        assert (distance <= np.sqrt(1 - work.fidelity) + 1e-9).all()


def test_encoder_circuit_has_the_same_distribution(molecules: MoleculeBatch) -> None:
    model = made([LOGP])
    inputs = model.encoder_inputs(labelled(molecules[:2], logP=[-2.0, 1.7])).numpy()
    work = ExactModel(model).workload("encoder", inputs, "exact", seed=0)
    compiled = ExactBackend().compile(work.circuit)
    got = ExactBackend().probabilities(compiled, work.columns(compiled.parameter_names))
    assert work.known is not None
    np.testing.assert_allclose(got, work.known, atol=1e-10)


@pytest.mark.parametrize("ending", ["trace", "post-select"])
def test_gradient_equals_finite_differences(molecules: MoleculeBatch, ending: str) -> None:
    model = made([LOGP], ending=ending)
    data = model.precompute(labelled(molecules[:4], logP=[-2.0, 0.1, 1.7, 0.0]))

    def loss() -> torch.Tensor:
        return model.loss_of(data, torch.Generator().manual_seed(5))["total"]

    loss().backward()  # type: ignore[no-untyped-call]
    for angles in (model.encoder_angles, model.decoder_angles):
        n = angles.numel()
        assert angles.grad is not None
        for place in (0, n // 2, 60, n - 1, n - 4, n - 8):  # conditions' angles stand last
            slopes = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    angles[place] += step
                    slopes.append(float(loss()) / (2 * step))
                    angles[place] -= step
            assert float(angles.grad[place]) == pytest.approx(sum(slopes), rel=1e-4, abs=1e-6)


def test_condition_wires_add_their_own_angles() -> None:
    plain = qvae_ansatz(7, 10)
    controls = qvae_ansatz(7, 10, n_conditions=4)
    turned = qvae_ansatz(7, 10, n_conditions=4, turned_conditions=True)
    assert plain.n_angles == 301
    assert controls.n_angles == 301 + 4 * 11 * 7
    assert turned.n_angles == 301 + 4 * 11 * 10
    for ansatz in (controls, turned):
        used = [op.angle for op in ansatz.ops if op.angle is not None]
        assert sorted(used) == list(range(ansatz.n_angles))
        crx = [op.wires for op in ansatz.ops if op.name == "crx" and op.wires[0] >= 7]
        assert {wires: crx.count(wires) for wires in crx} == {
            (control, wire): 11 for control in range(7, 11) for wire in range(7)
        }


def test_without_conditions_acting_it_is_the_plain_decoder() -> None:
    model = made([LOGP])
    plain = build("qvae", {"n_blocks": 1}, torch.Generator().manual_seed(3)).double()
    assert isinstance(plain, QVAE)
    with torch.no_grad():
        model.decoder_angles[77:] = 0  # the data wires' angles stand first, laid out alike
        plain.decoder_angles.copy_(model.decoder_angles[: plain.decoder_angles.numel()])
        model.decoder_angles[plain.decoder_angles.numel() :] = 0
    data = model.conditioned(latents(3), torch.tensor([[0.3]] * 3))
    np.testing.assert_allclose(
        model.decoder_probabilities(data).detach().numpy(),
        plain.decoder_probabilities(latents(3)).detach().numpy(),
        atol=1e-12,
    )


def test_the_papers_encoding_closes_its_circle_and_half_a_turn_does_not() -> None:
    z = latents(1).repeat(2, 1)
    ends = torch.tensor([[-3.0], [3.0]], dtype=torch.float64)
    mirrored = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)

    def apart(model: QCVAE, values: torch.Tensor) -> float:
        p = model.decoder_probabilities(model.conditioned(z, values)).detach()
        return float((p[0] - p[1]).abs().sum())

    assert apart(made([LOGP]), ends) < 1e-12
    assert apart(made([LOGP], turned=False), mirrored) < 1e-12
    assert apart(made([LOGP]), mirrored) > 0.05
    assert apart(made([LOGP], encoding="half"), ends) > 0.05
    assert apart(made([LOGP], encoding="half", turned=False), mirrored) > 0.05


def test_values_beyond_the_range_count_as_its_ends() -> None:
    model = made([LOGP], encoding="half")
    angles = model.condition_angles(torch.tensor([[-9.0], [-3.0], [0.0], [9.0]]))
    np.testing.assert_allclose(angles.numpy()[:, 0], [0, 0, np.pi / 2, np.pi])
    full = made([LOGP]).condition_angles(torch.tensor([[-3.0], [0.0], [1.5]]))
    np.testing.assert_allclose(full.numpy()[:, 0], [-np.pi, 0, np.pi / 2])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"conditions": []}, "at least 1"),
        ({"conditions": [LOGP, LOGP]}, "different properties"),
        ({"conditions": [{**LOGP, "property": "mass"}]}, "one of logP, QED"),
        ({"conditions": [{**LOGP, "low": 3.0}]}, "low must be below high"),
        ({"conditions": [{**LOGP, "low": float("nan")}]}, "finite"),
        (
            {"conditions": [LOGP], "ending": "post-select", "turned": False},
            "no condition would have any effect",
        ),
    ],
)
def test_bad_configs_are_refused_in_one_line(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        build("qcvae", config, torch.Generator())
    assert "\n" not in str(caught.value)

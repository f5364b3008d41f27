from __future__ import annotations

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector

import qhw
from qhw.forces.circuit import AtomCircuit
from qhw.models.base import AbilityError
from tests.forces.molecules import clusters, random_field


@pytest.mark.parametrize(
    ("wires", "blocks", "entangled"), [(6, 2, True), (5, 3, True), (2, 1, True), (4, 2, False)]
)
@pytest.mark.parametrize("free_phases", [True, False])
def test_torch_and_qiskit_agree(
    wires: int, blocks: int, entangled: bool, free_phases: bool
) -> None:
    circuit = AtomCircuit(wires, blocks, entangled, free_phases)
    rng = np.random.default_rng(wires)
    angles = rng.uniform(-4, 4, (3, circuit.angles))
    found = circuit.expectations(torch.from_numpy(angles)).numpy()
    template = circuit.circuit()
    gates = [len(g) for g in (template.get_instructions(name) for name in ("ry", "rz", "rzz"))]
    assert gates == [wires * (1 + blocks), wires * blocks, circuit.couplings]
    phases = 0 if free_phases else wires * blocks
    assert (circuit.data_angles, circuit.phases) == (wires * (1 + 2 * blocks) - phases, phases)
    for row, values in zip(angles, found, strict=True):
        state = Statevector(template.assign_parameters(row))
        for name, value in zip(circuit.observables, values, strict=True):
            assert abs(state.expectation_value(SparsePauliOp(name)) - value) < 1e-10
    assert template.num_nonlocal_gates() == circuit.couplings


@pytest.mark.parametrize("form", ["pure", "hybrid"])
def test_circuits_read_exactly_give_the_models_energy(form: str) -> None:
    field, frames = random_field(1, form=form), clusters(2, 1)
    work = field.circuits(frames)
    assert len(work) == (frames.numbers > 0).sum()
    found = qhw.expect(
        work, None, field.observables(), "exact", shots=1000, mitigation="none"
    ).exact
    atomic = (found * field.readout(frames)).sum(axis=1)
    frame = np.nonzero(frames.numbers)[0]
    energy = field.classical(frames) + np.bincount(frame, atomic)
    assert np.abs(energy - field.energy(frames).detach().numpy()).max() < 1e-10


def test_one_shot_variance_is_that_of_the_outcomes() -> None:
    field, frames = random_field(2), clusters(1, 2, atoms=2)
    work, readout = field.circuits(frames), field.readout(frames)
    signs = field.config.head.circuit.signs
    variance = 0.0
    for circuit, weights in zip(work.bound(), readout, strict=True):
        bare = circuit.remove_final_measurements(inplace=False)
        chance = Statevector(bare).probabilities()
        values = signs @ weights
        variance += chance @ values**2 - (chance @ values) ** 2
    assert field.shot_variance(frames) == pytest.approx(variance, rel=1e-10)


def test_a_control_has_no_circuit() -> None:
    with pytest.raises(AbilityError, match="mlp has no circuit"):
        random_field(0, "mlp").circuits(clusters(1, 0))

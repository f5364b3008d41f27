"""Twirled noise: the two ways of simulating it agree with each other and with its own channel."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Chi, DensityMatrix, Pauli, SuperOp

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.checks import measured_qubits
from backends.engine import pauli
from backends.engine.steps import lower
from backends.native.schedule import schedule_alap
from backends.reference.clifford import clifford_steps
from backends.reference.twirled import clifford_shots, draw_errors, misread, mps_shots
from calibration.catalog import load_snapshot
from calibration.noise import DeviceNoise, NoiseOptions

SHOTS = 4000
STRONG = NoiseOptions(gates=8.0, idle=8.0)


def twirled_distribution(circuit: QuantumCircuit, noise: DeviceNoise) -> np.ndarray:
    """By density matrix: after each gate the channel without its off-diagonal chi elements."""
    state = DensityMatrix.from_label("0" * circuit.num_qubits)
    for item in circuit.data:
        name = item.operation.name
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if name in ("measure", "barrier"):
            continue
        if name == "delay":
            seconds = item.operation.duration * (
                noise.snapshot.dt_s if item.operation.unit == "dt" else 1.0
            )
            channel = noise.idle(qubits[0], seconds).superoperator()
        else:
            state = state.evolve(item.operation, qargs=qubits)
            gate = noise.gate(name, qubits)
            if gate is None:
                continue
            channel = gate.superoperator()
        diagonal = np.real(np.diagonal(Chi(SuperOp(channel)).data)) / 2 ** len(qubits)
        parts = []
        for number, weight in enumerate(diagonal):
            letters = "".join("IXYZ"[number >> 2 * q & 3] for q in reversed(range(len(qubits))))
            parts.append(weight * state.evolve(Pauli(letters), qargs=qubits).data)
        state = DensityMatrix(sum(parts))
    return state.probabilities(list(reversed(measured_qubits(circuit))))


def compiled(clifford: bool) -> tuple[QuantumCircuit, DeviceNoise]:
    snapshot = load_snapshot("ibm_fez")
    circuit = QuantumCircuit(4)
    circuit.h(0)
    for i in range(3):
        circuit.cx(i, i + 1)
        circuit.s(i) if clifford else circuit.ry(0.4, i)
    circuit.h(3)
    circuit.measure_all()
    found = AerBackend(snapshot).compile(circuit)
    part = snapshot.restricted(found.physical_qubits)
    return schedule_alap(found.circuit, part).circuit, DeviceNoise(part, STRONG)


def frequencies(bits: np.ndarray) -> np.ndarray:
    m = bits.shape[1]
    return np.bincount(bits @ (1 << np.arange(m)[::-1]), minlength=2**m) / len(bits)


@pytest.mark.parametrize("clifford", [True, False])
def test_shots_follow_the_twirled_channel(clifford: bool) -> None:
    circuit, noise = compiled(clifford)
    rng = np.random.default_rng(4)
    measured = measured_qubits(circuit)
    wanted = twirled_distribution(circuit, noise)
    ideal = twirled_distribution(
        circuit, DeviceNoise(noise.snapshot, NoiseOptions(gates=0, idle=0))
    )
    shots = SHOTS if not clifford else 50 * SHOTS
    errors = draw_errors(circuit, noise, shots, rng)
    ways = [mps_shots(circuit, measured, errors, SHOTS, rng)] if not clifford else []
    steps = clifford_steps(circuit)
    assert (steps is not None) == clifford
    if steps is not None:
        ways.append(clifford_shots(circuit, steps, measured, errors, shots, rng))
    for bits in ways:
        found = frequencies(bits)
        bound = 5 * np.sqrt(wanted * (1 - wanted) / len(bits)) + 5 / len(bits)
        assert (np.abs(found - wanted) < bound).all()
    assert np.abs(ideal - wanted).sum() / 2 > 0.05  # the noise is there to be seen


def test_readout_keeps_its_directions() -> None:
    bits = np.repeat(np.array([[0, 1]], dtype=np.uint8), 40_000, axis=0)
    confusion = np.array([[[0.9, 0.3], [0.1, 0.7]], [[0.98, 0.25], [0.02, 0.75]]])
    read = misread(bits, confusion, np.random.default_rng(0)).mean(axis=0)
    np.testing.assert_allclose(read, [0.1, 0.75], atol=0.01)


def test_a_waiting_qubit_turns_by_its_frequency_offset() -> None:
    part, waits = load_snapshot("ibm_fez").restricted((0,)), 2e-6
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)  # no gate of the device: it takes no time and has no noise
    circuit.delay(waits, 0, unit="s")
    circuit.h(0)
    circuit.measure(0, 0)
    noise = DeviceNoise(part, offsets_rad_s=(0.9 / waits,))
    fringe = (1 - noise.idle(0, waits).coherence * np.cos(0.9)) / 2
    state = pauli.ZERO
    for step in lower(CompiledTemplate(circuit, (), 1, (0,), 0, 0, 3, waits, 0, part), noise):
        state = step.parts[0] @ state
    assert (pauli.readout_effects(np.eye(2)) @ state)[1] == pytest.approx(fringe)
    rng, shots, steps = np.random.default_rng(1), 40_000, clifford_steps(circuit)
    assert steps is not None
    errors = draw_errors(circuit, noise, shots, rng)
    found = clifford_shots(circuit, steps, [0], errors, shots, rng).mean()
    assert abs(found - fringe) < 5 * np.sqrt(fringe * (1 - fringe) / shots)

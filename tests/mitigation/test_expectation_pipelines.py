"""What pipelines do to expectation values of a chain: less error, and mitiq's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from backends.aer import AerBackend
from backends.checks import measured_qubits, sample
from backends.engine.backend import EngineBackend
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.expectation import ExpectationProgram, build_expectation
from tests.mitigation.test_expectation import ANGLES, chain

N = 5
NEIGHBOURS = [{"I" * w + "ZZ" + "I" * (N - 2 - w): 1.0} for w in range(N - 1)]
HEISENBERG = {
    "I" * w + 2 * p + "I" * (N - 2 - w): 1.0 for w in range(N - 1) for p in "XYZ"
}  # fmt: skip
SHOTS = 100_000


def layers() -> QuantumCircuit:
    """24 two-qubit gates on five wires in a line, the first rotations free."""
    rng = np.random.default_rng(5)
    circuit = QuantumCircuit(N)
    for w in range(N):
        circuit.ry(Parameter(f"d[{w}]"), w)
    for layer in range(12):
        for w in range(layer % 2, N - 1, 2):
            circuit.cz(w, w + 1)
        for w in range(N):
            circuit.ry(rng.uniform(-1, 1), w)
            circuit.rz(rng.uniform(-0.4, 0.4), w)
    return circuit


ROWS = np.random.default_rng(6).uniform(-1, 1, (12, N))


def rms_error(backend: EngineBackend, observables: object, pipeline: str) -> float:
    """Over all rows and ten repeats of the shots."""
    program = build_expectation(
        backend,
        layers(),
        ROWS,
        observables,
        pipeline=pipeline,
        shots=SHOTS,
        seed=0,  # type: ignore[arg-type]
    )
    truth = sum(
        measured_probabilities(p.compiled, ROWS) @ g.features.T
        for p, g in zip(program.programs, program.groups, strict=True)
    )
    p = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
    errors = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        counts = {b.label: sample(p[b.label], b.shots, rng) for b in program.batches}
        errors.append(program.combine(counts).values - truth)
    return float(np.sqrt(np.mean(np.square(errors))))


@pytest.mark.parametrize("observables", [NEIGHBOURS, HEISENBERG], ids=["zz", "heisenberg"])
def test_each_technique_reduces_the_error_at_equal_shots(observables: object) -> None:
    backend = EngineBackend(load_snapshot("ibm_fez"))
    raw, readout, zne = (
        rms_error(backend, observables, p) for p in ("none", "readout", "readout+zne(1,3)")
    )
    assert readout < 0.9 * raw
    assert zne < 0.8 * readout


def test_twirling_helps_where_errors_are_coherent() -> None:
    noise = NoiseOptions(zz_rad=0.1, readout=0)
    backend = EngineBackend(load_snapshot("ibm_fez"), noise=noise)
    raw, twirled, zne, both = (
        rms_error(backend, NEIGHBOURS, p)
        for p in ("none", "twirl(8)", "zne(1,3)", "twirl(8)+zne(1,3)")
    )
    assert twirled < 0.6 * raw
    assert both < 0.7 * zne


def certain_counts(program: ExpectationProgram, simulator: AerSimulator) -> dict[str, np.ndarray]:
    """Counts in exact proportion to the simulated probabilities."""
    found = {}
    for batch in program.batches:
        circuit = batch.compiled.circuit.assign_parameters(batch.angles[0].tolist())
        p = probabilities(circuit, simulator, list(reversed(measured_qubits(circuit))))
        found[batch.label] = np.round(p * 1e12).astype(np.int64)[None]
    return found


def probabilities(
    circuit: QuantumCircuit, simulator: AerSimulator, qubits: list[int]
) -> np.ndarray:
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_probabilities(qubits)
    return np.asarray(simulator.run(bare).result().data()["probabilities"])


@pytest.mark.slow  # importing cirq and mitiq takes longer than all else here
def test_extrapolation_is_mitiqs() -> None:
    pytest.importorskip("ply", reason="mitiq reads Qiskit circuits with ply")
    zne = pytest.importorskip("mitiq.zne", reason="mitiq is an optional extra")
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.02, 2), ["cz"])
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    backend = AerBackend(load_snapshot("ibm_fez"), scheduled=False)
    program = build_expectation(
        backend, chain(), ANGLES[:1], "XXII", pipeline="zne(1,3)", shots=4000, seed=0
    )
    ours = program.combine(certain_counts(program, simulator)).values[0, 0]

    compiled = program.programs[0].compiled
    bound = compiled.circuit.assign_parameters(ANGLES[0].tolist())
    order = list(reversed(measured_qubits(bound)))
    parity = program.groups[0].features[0]

    def executor(circuit: QuantumCircuit) -> float:
        return float(parity @ probabilities(circuit, simulator, order))

    def fold(circuit: QuantumCircuit, scale: float) -> QuantumCircuit:
        return zne.scaling.fold_gates_at_random(circuit, scale, fidelities={"single": 1.0})

    theirs = zne.execute_with_zne(
        bound.remove_final_measurements(inplace=False),
        executor,
        factory=zne.inference.LinearFactory([1.0, 3.0]),
        scale_noise=fold,
    )
    assert ours == pytest.approx(theirs, abs=1e-6)
    exact = float(parity @ measured_probabilities(compiled, ANGLES[:1])[0])
    assert abs(ours - exact) < abs(executor(bound) - exact)

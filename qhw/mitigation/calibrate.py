"""Readout calibration of a backend's qubits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import ParameterVector

from backends.base import Backend, BackendError, CircuitBatch, CompiledTemplate, ShotResult
from backends.checks import measured_qubits
from backends.native.simulable import simulable
from backends.native.target import native_gates
from calibration.readout import ReadoutCalibration, calibration_states, fit_readout
from calibration.snapshot import DeviceSnapshot

Runner = Callable[[Backend, CircuitBatch, int], ShotResult]
"""Runs a batch on a backend, with the seed of its shots."""

MAX_QUBITS = 10
"""Qubits calibrated together: counts are kept as dense tables of ``2**m``."""


def measured_device_qubits(compiled: CompiledTemplate) -> tuple[int, ...]:
    """Device qubit that each measured wire is read from, most significant first."""
    return tuple(compiled.physical_qubits[q] for q in measured_qubits(compiled.circuit))


def calibration_template(
    snapshot: DeviceSnapshot | None, qubits: Sequence[int]
) -> CompiledTemplate:
    """RX of a free angle on each of these very qubits, then measurement: pi prepares a 1.

    Args:
        snapshot: the device; ``None`` for an ideal one.
        qubits: device qubits, first one most significant in the outcome.

    Raises:
        ValueError: no qubit, a repeated or unknown one, or more than ten.
    """
    m = len(qubits)
    if not 1 <= m <= MAX_QUBITS or len(set(qubits)) != m:
        raise ValueError(
            f"Argument `qubits` must be 1 to {MAX_QUBITS} distinct qubits, but is {list(qubits)}."
        )
    if snapshot is not None:
        snapshot.restricted(qubits)  # refuses unknown qubits
    x = ParameterVector("x", m)
    circuit = QuantumCircuit(QuantumRegister(m, "q"), ClassicalRegister(m, "c"))
    for i in range(m):
        circuit.rx(x[i], i)
        circuit.measure(i, m - 1 - i)
    basis = ["rx"] if snapshot is None else sorted(native_gates(simulable(snapshot)))
    native = transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=0)
    return CompiledTemplate(
        circuit=native,
        parameter_names=tuple(p.name for p in x),
        n_measured=m,
        physical_qubits=tuple(qubits),
        two_qubit_gates=0,
        two_qubit_depth=0,
        depth=native.depth(),
        duration_s=0.0,
        seed=0,
        snapshot=snapshot,
    )


def run_here(backend: Backend, batch: CircuitBatch, seed: int) -> ShotResult:
    """In this process."""
    return backend.run(batch.compiled, batch.angles, shots=batch.shots, seed=seed)


def calibrate_readout(
    backend: Backend, qubits: Sequence[int], *, shots: int, seed: int, run: Runner = run_here
) -> ReadoutCalibration:
    """Prepare, run and fit: one circuit of ``shots`` for each of the calibration states.

    Args:
        backend: where to run.
        qubits: device qubits, for example :func:`measured_device_qubits` of a circuit; at most ten.
        shots: per circuit.
        seed: of simulated shots.
        run: what runs the circuits.

    Raises:
        ValueError: see :func:`calibration_template`.
        BackendError: shots out of range, or a state's circuit failed.
    """
    compiled = calibration_template(backend.snapshot, qubits)
    states = calibration_states(len(qubits))
    angles = np.asarray(states * np.pi, dtype=np.float64)
    result = run(backend, CircuitBatch("calibration", compiled, angles, shots), seed)
    for state, words in result.row_errors.items():
        raise BackendError(
            f"Backend `{backend.name}` must give counts of every calibration state, but state "
            f"{state} failed: {words}"
        )
    return fit_readout(states, result.counts, qubits, device=backend.name, taken=result.finished)

"""The noiseless backend: exact distributions, and finite shots drawn from them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile

from backends.base import BackendError, CompiledTemplate, CostEstimate, ShotResult
from backends.checks import check_angles, check_shots, sample
from backends.delays import check_delays
from backends.figures import size_of
from backends.plain import plain_measured
from backends.statevector import measured_probabilities
from calibration.snapshot import DeviceSnapshot

BASIS = ("rx", "ry", "rz", "cz")
MAX_QUBITS = 20
"""A state of 20 qubits takes 16 MB a row."""


class ExactBackend:
    """An ideal device with all-to-all couplings and native RX, RY, RZ, CZ."""

    @property
    def name(self) -> str:
        """``exact``."""
        return "exact"

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """``None``: there is no device."""
        return None

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Translate to the native gates; qubits stay where they are, delays do nothing.

        Raises:
            BackendError: more than 20 qubits, not "gates, then one measurement of every bit", or a
                delay of unknown length.
        """
        circuit = plain_measured(circuit)
        if circuit.num_qubits > MAX_QUBITS:
            raise BackendError(
                f"Argument `circuit` must have at most {MAX_QUBITS} qubits on `exact`, "
                f"but has {circuit.num_qubits}."
            )
        native = transpile(
            check_delays(circuit),
            basis_gates=list(BASIS),
            optimization_level=1,
            seed_transpiler=seed,
        )
        return CompiledTemplate(
            circuit=native,
            parameter_names=tuple(p.name for p in circuit.parameters),
            n_measured=circuit.num_clbits,
            physical_qubits=tuple(range(circuit.num_qubits)),
            **size_of(native),
            duration_s=0.0,
            seed=seed,
            snapshot=None,
        )

    def probabilities(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Outcome probabilities ``(B, 2**m)`` for angles ``(B, P)`` in radians.

        Raises:
            BackendError: angles of the wrong shape or not finite.
        """
        return measured_probabilities(compiled, check_angles(compiled, angles))

    def run(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64], *, shots: int, seed: int
    ) -> ShotResult:
        """Multinomial shots of the exact distribution.

        Raises:
            BackendError: shots out of range, or angles of the wrong shape or not finite.
        """
        shots = check_shots(shots)
        exact = self.probabilities(compiled, angles)
        counts = sample(exact, shots, np.random.default_rng(seed))
        return ShotResult(counts, shots, self.name, seed, datetime.now(UTC))

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """Simulation is free."""
        del compiled, circuits, shots
        return CostEstimate(0.0, None, "simulated on this machine, free")

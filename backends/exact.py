"""The noiseless backend: exact distributions, and finite shots drawn from them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile

from backends.base import BackendError, CompiledTemplate, CostEstimate, ShotResult
from backends.checks import check_angles, check_shots, sample
from backends.delays import check_delays
from backends.dynamic.circuit import is_dynamic
from backends.dynamic.surrogate import counted
from backends.figures import size_of
from backends.outcomes import DENSE_BITS, tabulated
from backends.plain import measured_form
from backends.reference.base import ExactReference, ReferenceFacts
from backends.reference.choose import dense, exact_references
from backends.statevector import measured_probabilities
from calibration.snapshot import DeviceSnapshot

BASIS = ("rx", "ry", "rz", "cz")
MAX_QUBITS = 20
"""Statevectors of all rows up to here, 16 MB a row; wider circuits row by row, by the method that
:mod:`backends.reference.choose` finds."""

MAX_WIDE_QUBITS = 1000
"""Qubits of any circuit."""


def ideal_template(circuit: QuantumCircuit, *, seed: int) -> CompiledTemplate:
    """A measured circuit in :data:`BASIS` on qubits that are all coupled; no delays in it."""
    basis = [*BASIS, *(("if_else", "while_loop", "reset") if is_dynamic(circuit) else ())]
    native = transpile(circuit, basis_gates=basis, optimization_level=1, seed_transpiler=seed)
    return CompiledTemplate(
        circuit=native,
        parameter_names=tuple(p.name for p in circuit.parameters),
        n_measured=circuit.num_clbits,
        physical_qubits=tuple(range(circuit.num_qubits)),
        **size_of(counted(native)),
        duration_s=0.0,
        seed=seed,
        snapshot=None,
    )


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

        Dynamic circuits are compiled too; their courses are followed one by one.

        Raises:
            BackendError: more than 1,000 qubits, no measurement, or a delay of unknown length.
        """
        circuit = measured_form(circuit)
        if circuit.num_qubits > MAX_WIDE_QUBITS:
            raise BackendError(
                f"Argument `circuit` must have at most {MAX_WIDE_QUBITS} qubits on `exact`, "
                f"but has {circuit.num_qubits}."
            )
        return ideal_template(check_delays(circuit), seed=seed)

    def probabilities(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Outcome probabilities ``(B, 2**m)`` for angles ``(B, P)`` in radians.

        Raises:
            BackendError: angles of the wrong shape or not finite, more than 20 measured bits, or a
                wide circuit that has no exact reference.
        """
        x = check_angles(compiled, angles)
        if compiled.circuit.num_qubits <= MAX_QUBITS:
            return measured_probabilities(compiled, x)
        if compiled.n_measured > DENSE_BITS:
            raise BackendError(
                f"Argument `compiled` must measure at most {DENSE_BITS} bits to be written down as "
                f"2**m probabilities, but measures {compiled.n_measured}; `references` takes more."
            )
        return dense(self._references(compiled, x), compiled.n_measured)

    def references(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64]
    ) -> tuple[ExactReference, ...] | ReferenceFacts:
        """The exact distribution of each row of a wide circuit, or why there is none."""
        return exact_references(compiled, check_angles(compiled, angles))

    def run(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64], *, shots: int, seed: int
    ) -> ShotResult:
        """Multinomial shots of the exact distribution.

        Raises:
            BackendError: shots out of range, angles of the wrong shape or not finite, or a wide
                circuit that has no exact reference.
        """
        shots = check_shots(shots)
        if compiled.circuit.num_qubits > MAX_QUBITS:
            rng = np.random.default_rng(seed)
            found = self._references(compiled, check_angles(compiled, angles))
            counts, outcomes = tabulated([one.sample(shots, rng) for one in found])
            return ShotResult(counts, shots, self.name, seed, datetime.now(UTC), outcomes=outcomes)
        exact = self.probabilities(compiled, angles)
        counts = sample(exact, shots, np.random.default_rng(seed))
        return ShotResult(counts, shots, self.name, seed, datetime.now(UTC))

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """Simulation is free."""
        del compiled, circuits, shots
        return CostEstimate(0.0, None, "simulated on this machine, free")

    def _references(
        self, compiled: CompiledTemplate, x: NDArray[np.float64]
    ) -> tuple[ExactReference, ...]:
        found = self.references(compiled, x)
        if isinstance(found, ReferenceFacts):
            raise BackendError(
                f"Argument `compiled` must have an exact reference, but {found.detail}."
            )
        return found

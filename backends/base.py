"""The protocol every backend speaks, and the values that cross it.

Bit order: the integer value of an outcome is the amplitude index of the *measured wires*, wire
order, first measured wire most significant. A compiled circuit measures into one classical
register whose Qiskit bitstring, read as an integer, is that index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from calibration.snapshot import DeviceSnapshot


class BackendError(Exception):
    """A backend cannot do what was asked; the message says what and what is allowed."""


class UnknownBackendError(BackendError):
    """No backend has that name; the message lists those that exist."""


@dataclass(frozen=True)
class CompiledTemplate:
    """A circuit compiled once for a device, its data angles still free.

    Attributes:
        circuit: native circuit on physical qubits restricted to those used, measured; parameters
            are those of ``parameter_names`` (a column of the angle matrix each).
        parameter_names: column order of the angle matrix.
        n_measured: measured wires m; outcomes are ``0 .. 2**m - 1``.
        physical_qubits: device qubit of each circuit qubit.
        two_qubit_gates: number of two-qubit gates.
        two_qubit_depth: depth counting two-qubit gates only.
        depth: full depth.
        duration_s: scheduled duration, seconds, from the first gate to the start of readout (0
            when the device has no timing).
        seed: transpiler seed used.
        snapshot: calibration it was compiled against (``None`` for an ideal device).
        predicted_success: product of all (1 - error) and of the idle qubits' survival; ``None``
            for an ideal device.
    """

    circuit: QuantumCircuit
    parameter_names: tuple[str, ...]
    n_measured: int
    physical_qubits: tuple[int, ...]
    two_qubit_gates: int
    two_qubit_depth: int
    depth: int
    duration_s: float
    seed: int
    snapshot: DeviceSnapshot | None = field(repr=False)
    predicted_success: float | None = None


@dataclass(frozen=True)
class ShotResult:
    """Counts of a batch.

    Attributes:
        counts: ``(B, 2**m)`` int64, outcome order as in this module's docstring; rows that failed
            are all zero.
        shots: shots per circuit.
        backend: name of the backend.
        seed: seed used, ``None`` on hardware.
        finished: when the counts were complete (UTC).
        row_errors: the vendor's text for each row that failed for good, by row; simulators have
            none.
    """

    counts: NDArray[np.int64]
    shots: int
    backend: str
    seed: int | None
    finished: datetime
    row_errors: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CostEstimate:
    """What a submission would cost.

    Attributes:
        usd: US dollars (0 for simulators).
        qpu_seconds: device seconds, ``None`` where a vendor does not bill by time.
        basis: one line saying how it was computed and the price's date.
        most_usd: what the vendor may charge at most, ``None`` where that is ``usd``; budgets
            reserve it.
    """

    usd: float
    qpu_seconds: float | None
    basis: str
    most_usd: float | None = None


@runtime_checkable
class Backend(Protocol):
    """Something that compiles a template once and runs it for many rows of angles."""

    @property
    def name(self) -> str:
        """Registry name, for example ``aer:ibm_boston``."""

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """Calibration behind this backend; ``None`` when ideal."""

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """Compile a measured circuit with free parameters.

        Raises:
            BackendError: the circuit does not fit the device.
        """

    def run(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64], *, shots: int, seed: int
    ) -> ShotResult:
        """Run one circuit per row of ``angles`` ``(B, P)`` (radians, columns ``parameter_names``).

        Raises:
            BackendError: shots out of range, or angles of the wrong shape.
        """

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """Price of running ``circuits`` rows with ``shots`` each."""


@runtime_checkable
class DistributionBackend(Backend, Protocol):
    """A simulator that also knows its own infinite-shot distribution."""

    def probabilities(
        self, compiled: CompiledTemplate, angles: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Outcome probabilities ``(B, 2**m)``, noise included, shots not."""

"""The protocol every backend speaks, and the values that cross it.

Bit order: the integer value of an outcome is the amplitude index of the *measured wires*, wire
order, first measured wire most significant. A compiled circuit measures into one classical
register whose Qiskit bitstring, read as an integer, is that index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.errors import BackendError as BackendError
from backends.errors import UnknownBackendError as UnknownBackendError
from backends.outcomes import Outcomes, stacked
from calibration.snapshot import DeviceSnapshot


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
        scheduled: whether waits are written out as delays.
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
    scheduled: bool = False


@dataclass(frozen=True, eq=False)
class CircuitBatch:
    """Rows of angles on one compiled template, to be run with others.

    Attributes:
        label: unique among the batches run together, stable from one run to the next.
        compiled: what runs.
        angles: ``(B, P)`` radians, columns ``compiled.parameter_names``.
        shots: per row.
    """

    label: str
    compiled: CompiledTemplate = field(repr=False)
    angles: NDArray[np.float64] = field(repr=False)
    shots: int


@dataclass(frozen=True)
class ShotResult:
    """Counts of a batch.

    Attributes:
        counts: ``(B, 2**m)`` int64, outcome order as in this module's docstring; rows that failed
            are all zero. Beyond :data:`backends.outcomes.DENSE_BITS` bits ``(B, K)``, columns
            ``outcomes``.
        shots: shots per circuit.
        backend: name of the backend.
        seed: seed used, ``None`` on hardware.
        finished: when the counts were complete (UTC).
        row_errors: the vendor's text for each row that failed for good, by row; simulators have
            none.
        outcomes: that the columns of ``counts`` stand for; ``None`` for all in order.
        approximation: what a simulator left out of its own model, in words; empty for nothing.
    """

    counts: NDArray[np.int64]
    shots: int
    backend: str
    seed: int | None
    finished: datetime
    row_errors: Mapping[int, str] = field(default_factory=dict)
    outcomes: Outcomes | None = None
    approximation: str = ""


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


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A backend that takes many templates at once, in fewer jobs than one each."""

    def run_batches(self, batches: Sequence[CircuitBatch], *, seed: int) -> tuple[ShotResult, ...]:
        """Results of all batches, in order.

        Raises:
            BackendError: as :meth:`Backend.run`; nothing was run then.
        """


def run_batches(
    backend: Backend, batches: Sequence[CircuitBatch], *, seed: int
) -> tuple[ShotResult, ...]:
    """Run batches together where the backend can, one after another otherwise.

    Args:
        backend: where.
        batches: labels must differ.
        seed: of simulated shots; every batch gets its own stream.

    Raises:
        ValueError: a label appears twice.
        BackendError: as :meth:`Backend.run`.
    """
    labels = [batch.label for batch in batches]
    if len(set(labels)) != len(labels):
        raise ValueError(f"Argument `batches` must have different labels, but has {labels}")
    if isinstance(backend, BatchBackend):
        return backend.run_batches(batches, seed=seed)
    return tuple(
        backend.run(b.compiled, b.angles, shots=b.shots, seed=stream_seed(seed, b.label))
        for b in batches
    )


def same_columns(
    results: Mapping[str, ShotResult],
) -> tuple[dict[str, NDArray[np.int64]], Outcomes | None]:
    """Counts of all batches with the same columns, and their outcomes.

    Args:
        results: by label; either all list every outcome, or all those that they saw.
    """
    if all(result.outcomes is None for result in results.values()):
        return {label: result.counts for label, result in results.items()}, None
    counts, outcomes = stacked([(r.counts, r.outcomes) for r in results.values()])
    out, start = {}, 0
    for label, result in results.items():
        out[label] = counts[start : start + len(result.counts)]
        start += len(result.counts)
    return out, outcomes


def stream_seed(seed: int, label: str) -> int:
    """Seed of a batch's own stream, from the run's seed and the batch's label."""
    words = np.frombuffer(hashlib.sha256(label.encode()).digest()[:8], dtype=np.uint32)
    return int(np.random.SeedSequence([seed, *words.tolist()]).generate_state(1)[0])

"""Expectation values of Pauli observables, mitigated by the same pipelines as distributions.

Terms that commute qubit by qubit are read from one circuit; all circuits are one compiled circuit
in different measurement bases (:mod:`qhw.mitigation.bases`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from backends.base import (
    Backend,
    BackendError,
    CircuitBatch,
    CompiledTemplate,
    ShotResult,
    run_batches,
)
from backends.checks import check_angles
from backends.statevector import measured_probabilities
from backends.vendor import VendorMitigated
from calibration.readout import ReadoutCalibration
from qhw.mitigation.base import Context, split_shots
from qhw.mitigation.bases import in_basis, with_free_basis
from qhw.mitigation.equal_shots import equal_shots, folded
from qhw.mitigation.observables import BasisGroup, Observable, ObservableLike, group_terms
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import (
    Mitigated,
    Program,
    build_program,
    calibration_batch,
    fit_calibration,
)

FloatArray = NDArray[np.float64]
Counts = Mapping[str, NDArray[np.int64]]

MAX_WIRES = 24
"""Measured wires: counts and observables are arrays of every outcome, 128 MB at this width."""


_FEWEST = 2
"""Shots of a basis whose terms are next to nothing."""


class NoCountsError(BackendError):
    """A circuit failed at the vendor, so that an expectation value cannot be known."""


@dataclass(frozen=True, eq=False)
class MeasuredGroup:
    """What one group of commuting terms gave.

    Attributes:
        basis: X, Y or Z for every measured wire, wire 0 leftmost.
        strings: Pauli strings read from it.
        mitigated: counts, fits and this group's part of every observable, ``values`` ``(B, K)``.
    """

    basis: str
    strings: tuple[str, ...]
    mitigated: Mitigated


@dataclass(frozen=True, eq=False)
class Expectations:
    """Expectation values with their uncertainties.

    Attributes:
        values: ``(B, K)``, a row of angles a row, an observable a column.
        standard_error: ``(B, K)``, of shot noise, calibration and fits; 0 for what is known without
            measuring.
        pipeline: what was done here, as text.
        vendor: what the vendor did, as text: its own mitigation, which only it can vouch for;
            ``None`` for nothing.
        groups: measured; none where the vendor gives values only.
        total_shots: of everything, all rows, groups, calibration and training.
        counts: ``(rows, 2**m)`` of every circuit, by label; none where the vendor gives no counts.
        finished: when the counts were complete, UTC; ``None`` where there are none.
        kept: ``(B,)`` place of each row among the program's; ``None`` for all of them.
        missing: why each of the other rows has no counts, the vendor's words.
        beside: what circuits gave that ran beside, in the program's order.
    """

    values: FloatArray
    standard_error: FloatArray
    pipeline: str
    vendor: str | None
    groups: tuple[MeasuredGroup, ...]
    total_shots: int
    counts: Counts = field(default_factory=dict)
    finished: datetime | None = None
    kept: NDArray[np.int64] | None = None
    missing: Mapping[int, str] = field(default_factory=dict)
    beside: tuple[ShotResult, ...] = ()


@dataclass(frozen=True, eq=False)
class ExpectationProgram:
    """Everything that runs for the expectation values of one circuit's rows.

    Attributes:
        pipeline: what is done in every group.
        observables: wanted.
        groups: of commuting terms.
        programs: one a group.
        calibration: measured for all groups together, or none.
        rows: of angles, B.
        compiled: the circuit, its measurement bases free.
        vendor: the vendor's own mitigation of the counts, ``None`` for none.
        in_jobs: send circuits as rows of equal shots, which share a vendor's jobs.
        beside: circuits that run with them, are priced and counted, and are no part of any value.
    """

    pipeline: Pipeline
    observables: tuple[Observable, ...]
    groups: tuple[BasisGroup, ...]
    programs: tuple[Program, ...]
    calibration: tuple[CircuitBatch, ...]
    rows: int
    compiled: CompiledTemplate
    vendor: str | None = None
    in_jobs: bool = False
    beside: tuple[CircuitBatch, ...] = ()

    @property
    def batches(self) -> tuple[CircuitBatch, ...]:
        """All circuits, labels different; a calibration, if measured, comes first."""
        return (*self.calibration, *(b for p in self.programs for b in p.batches))

    @property
    def sent(self) -> tuple[CircuitBatch, ...]:
        """:attr:`batches` as the device gets them, then those :attr:`beside`."""
        snapshot = self.compiled.snapshot
        if not self.in_jobs or snapshot is None:
            return (*self.batches, *self.beside)
        return (*equal_shots(self.batches, snapshot.job_limits), *self.beside)

    @property
    def total_shots(self) -> int:
        """Of all rows of all circuits sent."""
        return sum(len(b.angles) * b.shots for b in self.sent)

    def exact(self) -> tuple[FloatArray, FloatArray]:
        """Values ``(B, K)`` without noise, and the shot floor: their deviation at as many shots.

        For the floor, all shots are divided among the groups' plain circuits.
        """
        values = np.tile([o.constant for o in self.observables], (self.rows, 1))
        variance = np.zeros_like(values)
        parts = [g.spread for g in self.groups]
        own = self.total_shots - sum(len(b.angles) * b.shots for b in self.beside)
        for group, program in zip(self.groups, self.programs, strict=True):
            p = measured_probabilities(program.compiled, program.angles)
            mean = p @ group.features.T
            shots = own / self.rows * group.spread / sum(parts)
            values = values + mean
            variance = variance + (p @ (group.features**2).T - mean**2) / shots
        return values, np.sqrt(np.maximum(variance, 0.0))

    def combine(
        self,
        counts: Counts,
        *,
        finished: datetime | None = None,
        missing: Mapping[int, str] | None = None,
    ) -> Expectations:
        """What the counts say; groups are independent, terms of one group are not.

        Args:
            counts: ``(rows, 2**m)`` of every batch, by label.
            finished: when they were complete; dates a calibration among them.
            missing: rows that have no counts in some batch, and why; they are left out.

        Raises:
            ValueError: counts of a batch are missing or of the wrong shape.
        """
        kept = None
        if missing:
            kept = np.setdiff1d(np.arange(self.rows), list(missing))
        found = [p.combine(counts, kept=kept) for p in self._calibrated(counts, finished)]
        constant = np.array([o.constant for o in self.observables])
        values = np.tile(constant, (self.rows if kept is None else len(kept), 1))
        variance = np.zeros_like(values)
        for mitigated in found:
            values = values + mitigated.values
            variance = variance + mitigated.own_error**2
        if found:  # groups share the calibration: its errors add up, they do not average out
            common = np.sum([m.common for m in found], axis=0)
            variance = variance + (common**2).sum(axis=0)
        return Expectations(
            values=values,
            standard_error=np.sqrt(variance),
            pipeline=str(self.pipeline),
            vendor=self.vendor,
            groups=tuple(
                MeasuredGroup(g.basis, g.strings, m)
                for g, m in zip(self.groups, found, strict=True)
            ),
            total_shots=self.total_shots,
            counts={b.label: counts[b.label] for b in self.batches},
            finished=finished,
            kept=kept,
            missing=missing or {},
        )

    def serves_all(self, batch: CircuitBatch) -> bool:
        """Whether a batch serves all rows (calibration, training) rather than running them."""
        return not any(program.of_rows(batch) for program in self.programs)

    def _calibrated(self, counts: Counts, finished: datetime | None) -> tuple[Program, ...]:
        if not self.calibration:
            return self.programs
        (batch,), context = self.calibration, self.programs[0].context
        fitted = fit_calibration(
            self.programs[0].compiled,
            counts[batch.label],
            device=context.backend.name,
            taken=finished or datetime.now(UTC),
        )
        return tuple(
            replace(p, context=replace(p.context, calibration=fitted)) for p in self.programs
        )


def estimate_observables(
    backend: Backend,
    circuit: QuantumCircuit,
    angles: ArrayLike,
    observables: ObservableLike | Sequence[ObservableLike],
    *,
    pipeline: Pipeline | str = "none",
    shots: int,
    seed: int,
    calibration: ReadoutCalibration | None = None,
    label: str = "expectation",
) -> Expectations:
    """Compile, run and combine.

    Args:
        backend: where.
        circuit: gates with free angles, then one measurement of every classical bit: observables
            act on those bits, the last one being wire 0. Without measurements they act on all
            qubits, qubit ``n - 1`` being wire 0.
        angles: ``(B, P)`` radians, columns ``circuit.parameters``.
        observables: one or K operators, see :meth:`Observable.of`.
        pipeline: techniques, or their text.
        shots: for each row on average, all groups, circuits and calibrations counted.
        seed: of compilation, random choices and simulated shots.
        calibration: measured readout to use.
        label: first part of every circuit's label; of a run in the ledger, its own.

    Raises:
        ValueError: observables that are not Hermitian, have no term or do not fit the circuit.
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        BackendError: the circuit does not fit the device, or it refuses the run.
    """
    program = build_expectation(
        backend,
        circuit,
        angles,
        observables,
        pipeline=pipeline,
        shots=shots,
        seed=seed,
        calibration=calibration,
        label=label,
    )
    return run_expectation(program, seed=seed)


def run_expectation(program: ExpectationProgram, *, seed: int) -> Expectations:
    """Run everything of all groups together and combine what comes back.

    Args:
        program: from :func:`build_expectation`.
        seed: of simulated shots.

    Returns:
        Values of the rows that have counts in every circuit.

    Raises:
        BackendError: the backend refuses.
        NoCountsError: no row has counts, or a circuit that serves all rows has none.
    """
    batches = program.batches
    if not batches:
        return program.combine({})
    backend = program.programs[0].context.backend
    results = run_batches(backend, program.sent, seed=seed)
    counts: dict[str, NDArray[np.int64]] = {}
    missing: dict[int, str] = {}
    for batch, result in zip(batches, results, strict=False):  # those beside come last
        counts[batch.label], failed = folded(batch, result)
        missing = {**failed, **missing}
        if failed and (program.serves_all(batch) or len(missing) == program.rows):
            row, words = min(failed.items())
            raise NoCountsError(
                f"Backend `{backend.name}` must give counts of every circuit of an expectation "
                f"value, but {batch.label}, circuit {row}, has none: {words}"
            )
    own = results[: len(batches)]
    found = program.combine(counts, finished=max(r.finished for r in own), missing=missing)
    return replace(found, beside=results[len(batches) :])


def build_expectation(
    backend: Backend,
    circuit: QuantumCircuit,
    angles: ArrayLike,
    observables: ObservableLike | Sequence[ObservableLike],
    *,
    pipeline: Pipeline | str = "none",
    shots: int,
    seed: int,
    calibration: ReadoutCalibration | None = None,
    label: str = "expectation",
) -> ExpectationProgram:
    """Everything :func:`estimate_observables` runs; nothing is run yet."""
    techniques = Pipeline.parse(pipeline) if isinstance(pipeline, str) else pipeline
    techniques.check("expectation")
    turned = with_free_basis(circuit)
    turned.name = label
    wanted = read_observables(observables, turned.num_clbits)
    check_width(turned.num_clbits)
    return plan_expectation(
        backend,
        backend.compile(turned, seed=seed),
        angles,
        wanted,
        pipeline=techniques,
        shots=shots,
        seed=seed,
        calibration=calibration,
        label=label,
    )


def plan_expectation(
    backend: Backend,
    compiled: CompiledTemplate,
    angles: ArrayLike,
    observables: Sequence[Observable],
    *,
    pipeline: Pipeline,
    shots: int,
    seed: int,
    calibration: ReadoutCalibration | None = None,
    label: str = "expectation",
    in_jobs: bool = False,
) -> ExpectationProgram:
    """:func:`build_expectation` of a circuit that is compiled already.

    Shots are divided among groups in proportion to the noise of one shot of each, by which the
    total variance is least (in the maximally mixed state, which noisy circuits tend to).

    Args:
        backend: where it will run.
        compiled: from :func:`~qhw.mitigation.bases.with_free_basis`.
        angles: ``(B, P)`` radians.
        observables: wanted.
        pipeline: techniques.
        shots: for each row on average, everything counted.
        seed: of random choices.
        calibration: measured readout to use.
        label: first part of every circuit's label.
        in_jobs: send circuits as rows of equal shots, which share a vendor's jobs.

    Raises:
        ValueError: no rows, or observables too wide.
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
    """
    check_width(compiled.n_measured)
    groups = group_terms(observables)
    variants = [in_basis(compiled, group.basis) for group in groups]
    x = check_angles(in_basis(compiled, "Z" * compiled.n_measured), angles)
    if not len(x):
        raise ValueError("Argument `angles` must have at least one row, but has none")
    first: tuple[CircuitBatch, ...] = ()
    parts: tuple[int, ...] = ()
    if groups:
        context = Context(backend, seed, len(x), None, calibration)
        first, left = calibration_batch(pipeline, compiled, context, shots, label)
        parts = split_shots(left, _weights(groups, left), "the measurement bases")
    programs = tuple(
        build_program(
            pipeline,
            backend,
            variant,
            x,
            shots=part,
            seed=seed,
            label=f"{label}/basis={group.basis}",
            features=group.features,
            calibration=calibration,
            calibrate=False,
        )
        for group, variant, part in zip(groups, variants, parts, strict=True)
    )
    vendor = backend.vendor_mitigation if isinstance(backend, VendorMitigated) else None
    return ExpectationProgram(
        pipeline, tuple(observables), groups, programs, first, len(x), compiled, vendor, in_jobs
    )


def _weights(groups: Sequence[BasisGroup], shots: int) -> list[float]:
    """What shots are divided by; terms so small that they would get none count for a few."""
    least = _FEWEST * sum(group.spread for group in groups) / shots
    return [max(group.spread, least) for group in groups]


def shots_for(observables: Sequence[Observable], precision: float) -> int:
    """Shots of each row with which no value's standard deviation is above a precision.

    Of shots alone, without mitigation, divided among the groups as :func:`plan_expectation` does,
    and in whatever state: one shot of a group deviates by at most half of what its part of an
    observable ranges over.

    Args:
        observables: wanted.
        precision: above 0.

    Raises:
        ValueError: observables too wide, or of different widths.
    """
    check_width(max((o.n_wires for o in observables), default=0))
    groups = group_terms(observables)
    total = sum(group.spread for group in groups)
    reach = [(np.ptp(group.features, axis=1) / 2) ** 2 * total / group.spread for group in groups]
    most = float(np.sum(reach, axis=0).max()) if reach else 0.0
    return max(1, math.ceil(most / precision**2) + _FEWEST * len(groups))


def check_width(n_wires: int) -> None:
    """Refuse more measured wires than outcomes can be counted of.

    Raises:
        ValueError: too many.
    """
    if n_wires > MAX_WIRES:
        raise ValueError(
            f"Argument `observables` must act on at most {MAX_WIRES} measured wires (every "
            f"outcome is counted), but the circuit measures {n_wires}"
        )


def read_observables(
    observables: ObservableLike | Sequence[ObservableLike], n_wires: int
) -> tuple[Observable, ...]:
    """One or several operators as observables of ``n_wires`` measured wires.

    Raises:
        ValueError: none, or one that does not fit; see :meth:`Observable.of`.
    """
    if isinstance(observables, Observable | SparsePauliOp | Mapping | str):
        observables = [observables]
    found = tuple(Observable.of(o, n_wires) for o in observables)
    if not found:
        raise ValueError("Argument `observables` must hold at least one, but is empty")
    for observable in found:
        if observable.n_wires != n_wires:
            raise ValueError(
                f"Argument `observables` must act on the {n_wires} measured wires, but "
                f"{observable.terms[0][0]} has {observable.n_wires}"
            )
    return found

"""A pipeline on a circuit: everything to run, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, CircuitBatch, CompiledTemplate, run_batches, same_columns
from backends.dynamic.circuit import decides, is_dynamic
from backends.outcomes import Outcomes, columns
from calibration.readout import ReadoutCalibration, calibration_states, fit_readout
from qhw.mitigation.base import (
    Calibrating,
    Context,
    Estimate,
    MitigationError,
    OutcomeStructure,
    Step,
    Technique,
    frequencies,
)
from qhw.mitigation.calibrate import calibration_template, measured_device_qubits
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.simplex import project_to_simplex
from qhw.mitigation.twirl import PooledStep

FloatArray = NDArray[np.float64]
Counts = Mapping[str, NDArray[np.int64]]

_CALIBRATION = "readout-calibration"


@dataclass(frozen=True, eq=False)
class Mitigated:
    """What a pipeline made of its counts.

    Attributes:
        pipeline: as text.
        values: ``(B, K)`` features wanted: quasi-probabilities, or expectation values.
        own_error: ``(B, K)`` standard error of ``values`` by each row's own shots and by fits.
        common: ``(C, B, K)``, what one standard deviation of each of C independent errors of the
            readout calibration changes in ``values``: it errs in all rows at once, and a mean over
            rows has the mean of each of the C, not less. C is 0 without a measured calibration.
        probabilities: ``(B, 2**m)`` projected onto the simplex, once, at the end; ``None`` for
            expectation values.
        negative_mass: ``(B,)`` of the quasi-distributions; ``None`` likewise.
        distance: ``(B,)`` that the projection moved them; ``None`` likewise.
        counts: of every batch, by label.
        shots: of every batch, per row, by label.
        total_shots: of everything, calibration and training included.
        record: fits and coefficients, by technique.
        calibration: readout calibration used, measured or given; ``None`` for the snapshot's.
        outcomes: of the columns of counts, values and probabilities; ``None`` for all ``2**m``.
    """

    pipeline: str
    values: FloatArray
    own_error: FloatArray
    common: FloatArray
    probabilities: FloatArray | None
    negative_mass: FloatArray | None
    distance: FloatArray | None
    counts: dict[str, NDArray[np.int64]]
    shots: dict[str, int]
    total_shots: int
    record: dict[str, Any]
    calibration: ReadoutCalibration | None
    outcomes: Outcomes | None = None

    @property
    def standard_error(self) -> FloatArray:
        """``(B, K)`` of ``values``, everything together."""
        return np.asarray(np.sqrt(self.own_error**2 + (self.common**2).sum(axis=0)))


@dataclass(frozen=True, eq=False)
class _Node:
    """A batch that runs, or a step and what its batches were turned into."""

    batch: CircuitBatch
    step: Step | None = None
    children: tuple[_Node, ...] = ()

    def leaves(self) -> list[CircuitBatch]:
        if self.step is None:
            return [self.batch]
        return [leaf for child in self.children for leaf in child.leaves()]

    def unscaled(self) -> tuple[CircuitBatch, ...]:
        if self.step is None:
            return (self.batch,)
        # twirled circuits are all the circuit itself; other techniques may pass it on unchanged
        own = [
            child
            for child in self.children
            if isinstance(self.step, PooledStep) or child.batch.compiled is self.batch.compiled
        ]
        return tuple(leaf for child in own for leaf in child.unscaled())

    def estimate(self, counts: Counts, context: Context) -> Estimate:
        if self.step is None:
            return frequencies(counts[self.batch.label])
        results = [child.estimate(counts, context) for child in self.children]
        found = self.step.combine(results, context)
        below = {k: v for r in results for k, v in r.record.items()}
        return replace(found, record={**below, **found.record})


@dataclass(frozen=True, eq=False)
class Program:
    """Everything a pipeline runs for the rows of one compiled circuit.

    Attributes:
        pipeline: what is run.
        batches: all circuits, labels different; a calibration, if measured, comes first.
        context: it was built with.
        compiled: the circuit itself.
    """

    pipeline: Pipeline
    batches: tuple[CircuitBatch, ...]
    context: Context
    compiled: CompiledTemplate
    _root: _Node

    @property
    def label(self) -> str:
        """First part of every batch's label."""
        return self._root.batch.label

    @property
    def angles(self) -> FloatArray:
        """``(B, P)`` of the rows, radians."""
        return self._root.batch.angles

    @property
    def total_shots(self) -> int:
        """Of all rows of all batches."""
        return sum(len(b.angles) * b.shots for b in self.batches)

    @property
    def unscaled(self) -> tuple[CircuitBatch, ...]:
        """Batches whose counts, added up, are raw counts of the rows: noise as it comes."""
        return self._root.unscaled()

    @property
    def shot_multiplier(self) -> float:
        """Shots of everything over shots that reach the rows' circuits at their own noise."""
        own = sum(len(b.angles) * b.shots for b in self.unscaled)
        return self.total_shots / max(own, 1)

    def of_rows(self, batch: CircuitBatch) -> bool:
        """Whether a batch runs the program's rows, rather than training or calibration."""
        return len(batch.angles) == len(self.angles) and np.array_equal(batch.angles, self.angles)

    def combine(
        self,
        counts: Counts,
        *,
        finished: datetime | None = None,
        kept: NDArray[np.int64] | None = None,
        outcomes: Outcomes | None = None,
    ) -> Mitigated:
        """What the counts say.

        Args:
            counts: ``(rows, 2**m)`` of every batch, by label.
            finished: when they were complete; dates a calibration among them.
            kept: rows of the program that have counts in every batch, by default all; the others
                are left out.
            outcomes: of the columns of all counts; ``None`` for all ``2**m`` in order.

        Raises:
            ValueError: counts of a batch are missing or of the wrong shape.
        """
        for batch in self.batches:
            got = counts.get(batch.label)
            width = columns(batch.compiled.n_measured, outcomes)
            if got is None or got.shape != (len(batch.angles), width):
                raise ValueError(
                    f"Argument `counts` must have {len(batch.angles)} rows of "
                    f"{width} outcomes for {batch.label!r}, but has "
                    f"{None if got is None else got.shape}"
                )
        if kept is not None:
            counts = {
                b.label: counts[b.label][kept] if self.of_rows(b) else counts[b.label]
                for b in self.batches
            }
        context = self._calibrated(counts, finished or datetime.now(UTC))
        context = replace(context, outcomes=outcomes)
        found = context.wanted(self._root.estimate(counts, context))
        projection = project_to_simplex(found.values) if context.features is None else None
        return Mitigated(
            pipeline=str(self.pipeline),
            values=found.values,
            own_error=np.sqrt(found.variance),
            common=found.common,
            probabilities=None if projection is None else projection.probabilities,
            negative_mass=None if projection is None else projection.negative_mass,
            distance=None if projection is None else projection.distance,
            counts={b.label: counts[b.label] for b in self.batches},
            shots={b.label: b.shots for b in self.batches},
            total_shots=self.total_shots,
            record=found.record,
            calibration=context.calibration,
            outcomes=outcomes,
        )

    def _calibrated(self, counts: Counts, finished: datetime) -> Context:
        label = f"{self._root.batch.label}/{_CALIBRATION}"
        if label not in counts:
            return self.context
        fitted = fit_calibration(
            self.compiled, counts[label], device=self.context.backend.name, taken=finished
        )
        return replace(self.context, calibration=fitted)


def _check_dynamic(pipeline: Pipeline, compiled: CompiledTemplate) -> None:
    """Refuse what is not valid for a dynamic circuit.

    Readout correction is where nothing is decided by what is measured: a wrong bit then changes
    what is recorded, and no more.

    Raises:
        MitigationError: names the technique.
    """
    allowed = () if decides(compiled.circuit) else ("readout",)
    for technique in pipeline.techniques:
        if technique.name not in allowed:
            said = "none or readout" if allowed else "none"
            raise MitigationError(
                f"Argument `mitigation` must be {said} for this dynamic circuit, but holds "
                f"{technique.name}."
            )


def build_program(
    pipeline: Pipeline,
    backend: Backend,
    compiled: CompiledTemplate,
    angles: FloatArray,
    *,
    shots: int,
    seed: int,
    label: str = "circuit",
    features: FloatArray | None = None,
    calibration: ReadoutCalibration | None = None,
    calibrate: bool = True,
    moment: datetime | None = None,
    structure: OutcomeStructure | None = None,
) -> Program:
    """Everything a pipeline runs; nothing is run yet.

    Args:
        pipeline: what to do.
        backend: where it will run.
        compiled: the circuit.
        angles: ``(B, P)`` radians.
        shots: for each row on average, with everything counted: the program's total is at most
            ``B * shots``.
        seed: of random choices.
        label: first part of every batch's label.
        features: ``(K, 2**m)`` functionals wanted instead of the distribution.
        calibration: measured readout to use.
        calibrate: measure a calibration where the pipeline asks for one and none is given; not
            where one serves several programs.
        moment: to which the calibration's age is counted, by default now.
        structure: of the model's exact outcomes, see :mod:`qhw.mitigation.structure`.

    Raises:
        MitigationError: pipeline, shots, circuit, device and calibration do not go together.
    """
    pipeline.check("distribution" if features is None else "expectation")
    pipeline.check_width(compiled.n_measured)
    if is_dynamic(compiled.circuit):
        _check_dynamic(pipeline, compiled)
    context = Context(backend, seed, len(angles), features, calibration, moment, structure)
    first: tuple[CircuitBatch, ...] = ()
    if calibrate:
        first, shots = calibration_batch(pipeline, compiled, context, shots, label)
    root = _grow(CircuitBatch(label, compiled, angles, shots), pipeline.techniques, context)
    return Program(pipeline, (*first, *root.leaves()), context, compiled, root)


def run_program(program: Program, *, seed: int) -> Mitigated:
    """Run a program on its backend and combine what comes back.

    Args:
        program: from :func:`build_program`.
        seed: of simulated shots.

    Raises:
        BackendError: the backend refuses.
    """
    results = run_batches(program.context.backend, program.batches, seed=seed)
    found = {b.label: r for b, r in zip(program.batches, results, strict=True)}
    counts, outcomes = same_columns(found)
    finished = max(r.finished for r in results)
    return program.combine(counts, finished=finished, outcomes=outcomes)


def _grow(batch: CircuitBatch, techniques: Sequence[Technique], context: Context) -> _Node:
    if not techniques:
        return _Node(batch)
    *inner, outer = techniques
    step = outer.build(batch, context)
    return _Node(batch, step, tuple(_grow(b, inner, context) for b in step.batches))


def calibration_batch(
    pipeline: Pipeline, compiled: CompiledTemplate, context: Context, shots: int, label: str
) -> tuple[tuple[CircuitBatch, ...], int]:
    """The calibration to measure first, if any, and the shots left for each row.

    Raises:
        MitigationError: too few shots.
    """
    if shots < 1:
        raise MitigationError(f"Argument `shots` must be 1 or more, but is {shots}")
    asked = [t for t in pipeline.techniques if isinstance(t, Calibrating) and t.share]
    if not asked or context.calibration is not None:
        return (), shots
    qubits = measured_device_qubits(compiled)
    states = calibration_states(len(qubits))
    each = int(asked[0].share * shots * context.rows / len(states))
    left = shots - -(-each * len(states) // context.rows)
    if each < 1 or left < 1:
        raise MitigationError(
            f"Argument `shots` must pay for the {len(states)} circuits of a readout calibration "
            f"with {asked[0].share:.0%} of the shots, but is {shots} for {context.rows} rows"
        )
    template = calibration_template(compiled.snapshot, qubits)
    angles = np.asarray(states * np.pi, dtype=np.float64)
    return (CircuitBatch(f"{label}/{_CALIBRATION}", template, angles, each),), left


def fit_calibration(
    compiled: CompiledTemplate, counts: NDArray[np.int64], *, device: str, taken: datetime
) -> ReadoutCalibration:
    """The calibration that counts of a :func:`calibration_batch` give.

    Args:
        compiled: circuit whose measured qubits were calibrated.
        counts: ``(states, 2**m)``.
        device: name of the backend.
        taken: when.
    """
    qubits = measured_device_qubits(compiled)
    return fit_readout(calibration_states(len(qubits)), counts, qubits, device=device, taken=taken)

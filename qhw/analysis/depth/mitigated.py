"""What a pipeline is expected to leave of a row's errors, by experiments on the device's model.

The model is the calibration as ``aer:`` simulates it: the row's own compiled circuit and everything
the pipeline runs beside it, shots drawn, mitigated and compared with exact as often as it takes.
Expectation values are those of `qhw expect`, which compiles anew with the row's seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from backends.aer import MAX_EXACT_QUBITS, AerBackend
from backends.base import BackendError
from backends.checks import MAX_SIMULATED_SHOTS
from backends.dynamic.circuit import is_dynamic
from backends.native.compile import NativeCircuit
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.cost import Cost, cost_of_circuits
from qhw.analysis.depth.jobs import Limit
from qhw.analysis.depth.natives import native_of
from qhw.analysis.depth.observed import Observed, observed
from qhw.analysis.depth.subjects import Subject
from qhw.analysis.depth.verdict import skill_of
from qhw.analysis.precision.errors import distances_to, endless, mean_distance, value_errors
from qhw.analysis.precision.modelled import Modelled, without_shot_noise
from qhw.analysis.precision.shots import OutOfReachError, fewest_shots
from qhw.analysis.scores.baselines import expected_total_variation
from qhw.circuits.workload import ROLE, Workload
from qhw.mitigation.bases import with_free_basis
from qhw.mitigation.default import resolve
from qhw.mitigation.expectation import ExpectationProgram, plan_expectation
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import Program
from qhw.mitigation.words import MitigationError, canonical
from qhw.scheduler import LocalScheduler, Lost, Scheduler, by_place

if TYPE_CHECKING:
    from qhw.analysis.depth.report import DepthReport, Row

FloatArray = NDArray[np.float64]

WIDE = f"more than {MAX_EXACT_QUBITS} qubits: not simulated"
DYNAMIC = "a dynamic circuit has no exact noisy distribution: not simulated"
_NOT_EXACT = "the exact outcome is not known"
_DIED = "the process that simulated it died, perhaps for want of memory"
_NO_ANGLES = np.empty((1, 0))
_FIXED_ENTRIES = 4.0**8
"""Size of a density matrix that takes as long as what any circuit takes."""


class AfterMitigation(BaseModel):
    """A row's circuit through a pipeline, expected; ``None`` where ``reason`` says why.

    Attributes:
        pipeline: as it runs; ``default`` is written out, as of the report's shots.
        reason: why nothing is expected.
        circuits: that run, calibration and training counted.
        raw: expected distance to exact of plain counts of as many shots.
        distance: of what the pipeline makes of the report's shots, everything counted.
        strays: standard deviation of one run's distance.
        bias: distance that is left whatever the shots.
        success: that plain counts of infinitely many shots would need for ``distance`` if errors
            depolarised; 0 for none that is enough.
        skill: of ``distance`` against the best constant.
        value_error: expected error of the worst of the report's observables, root mean square,
            bias and shots together; ``None`` without observables.
        cost: of the report's shots in so many circuits.
        shots_for_error: fewest with the wanted error; ``None`` where none was wanted, or no number
            of shots is enough.
        cost_for_error: of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    reason: str | None = None
    circuits: int = 0
    raw: float | None = None
    distance: float | None = None
    strays: float | None = None
    bias: float | None = None
    success: float | None = None
    skill: float | None = None
    value_error: float | None = None
    cost: Cost | None = None
    shots_for_error: int | None = None
    cost_for_error: Cost | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked of every row.

    Attributes:
        pipeline: its text, ``default`` included.
        shots: everything counted.
        error: wanted.
        observables: whose error is wanted, in place of the distance.
        fractional: of the report.
    """

    pipeline: str
    shots: int
    error: float | None = None
    observables: tuple[Observed, ...] = ()
    fractional: bool = False


@dataclass(frozen=True, eq=False)
class Simulation:
    """One row to be simulated.

    Attributes:
        row: with figures.
        subject: its circuit.
        snapshot: its device.
        asked: what is wanted.
        scale: factor on the device's noise.
    """

    row: Row
    subject: Subject
    snapshot: DeviceSnapshot
    asked: Asked
    scale: float = 1.0

    @property
    def effort(self) -> float:
        """About how long it takes beside others: fixed work of each circuit, and its matrix."""
        assert self.row.best is not None  # it has figures
        return _FIXED_ENTRIES + 4.0 ** len(self.row.best.qubits)


def after_mitigation(job: Simulation) -> AfterMitigation:
    """What is expected of a row after mitigation, here and now."""
    told, subject = AfterMitigation(pipeline=job.asked.pipeline), job.subject
    circuit, best = subject.circuit, job.row.best
    reason = None
    if circuit is None or circuit.parameters or subject.exact is None:
        reason = _NOT_EXACT
    elif is_dynamic(circuit):
        reason = DYNAMIC
    if best is None or len(best.qubits) > MAX_EXACT_QUBITS:
        reason = WIDE
    if reason is not None:
        return told.model_copy(update={"reason": reason})
    try:
        return _simulated(job, told)
    except (BackendError, MitigationError) as error:
        return told.model_copy(update={"reason": " ".join(str(error).split())})


def mitigated_report(
    report: DepthReport,
    subjects: Sequence[Subject],
    pipeline: str,
    *,
    noise_scale: Callable[[str], float] | None = None,
    scheduler: Scheduler | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
    limit: Limit | None = None,
) -> DepthReport:
    """A report, each device's best row with what is expected of it after mitigation.

    Args:
        report: of :func:`~qhw.analysis.depth.sweep.sweep`.
        subjects: its circuits, in its order.
        pipeline: text of it.
        noise_scale: factor on the noise of a vendor's devices, as the report was made with.
        scheduler: where; in this process by default.
        done: told how many of how many are finished.
        limit: of time; what is not begun by then has that for its reason.

    Raises:
        MitigationError: not a pipeline.
    """
    pipeline, rows = canonical(pipeline), list(report.rows)
    named = {facts.name: one for facts, one in zip(report.circuits, subjects, strict=True)}
    simulations = {}
    for place in _best_of_devices(rows):
        row, subject = rows[place], named[rows[place].circuit]
        of = observed(subject.circuit, report.observables) if subject.circuit is not None else ()
        asked = Asked(pipeline, report.shots, report.error, of, report.fractional)
        scale = 1.0 if noise_scale is None else noise_scale(row.vendor)
        simulations[place] = Simulation(row, subject, load_snapshot(row.device), asked, scale)
    found = _run(simulations, scheduler or LocalScheduler(0), done, limit or Limit(math.inf))
    for place in simulations:
        late = f"not simulated within the time limit of {limit.seconds / 60:g} min" if limit else ""
        one = found.get(place, AfterMitigation(pipeline=pipeline, reason=late))
        rows[place] = rows[place].model_copy(update={"mitigated": one})
    return report.model_copy(update={"rows": tuple(rows), "mitigation": pipeline})


def _run(
    simulations: Mapping[int, Simulation],
    scheduler: Scheduler,
    done: Callable[[int, int], None],
    limit: Limit,
) -> dict[int, AfterMitigation]:
    """What is expected, by place; without what the limit left."""
    left = sorted(simulations, key=lambda place: simulations[place].effort)
    found: dict[int, AfterMitigation] = {}
    done(0, len(left))

    def work(places: list[int]) -> None:
        results = by_place(scheduler, after_mitigation, [simulations[p] for p in places])
        for number, one in results:
            place = places[number]
            if isinstance(one, Lost):
                one = AfterMitigation(pipeline=simulations[place].asked.pipeline, reason=_DIED)
            found[place] = one
            done(len(found), len(left))
            if limit.over:
                return

    if left and not limit.over:
        first, *others = left  # it must be done anyway, and tells how long the others take
        begun = time.monotonic()
        work([first])
        share = (time.monotonic() - begun) / simulations[first].effort
        limit.tell(share * sum(simulations[place].effort for place in others))
        if others and not limit.over:
            work(others)
    return found


def _best_of_devices(rows: Sequence[Row]) -> set[int]:
    """Places of the rows of highest predicted success of each circuit on each device."""
    best: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        if row.best is None:
            continue
        known = best.setdefault((row.circuit, row.device), place)
        other = rows[known].best
        if other is not None and row.best.success > other.success:
            best[row.circuit, row.device] = place
    return set(best.values())


def _simulated(job: Simulation, told: AfterMitigation) -> AfterMitigation:
    row, subject, asked = job.row, job.subject, job.asked
    best, exact = row.best, subject.exact
    assert best is not None and exact is not None  # checked
    snapshot = job.snapshot
    native = native_of(row, subject, fractional=asked.fractional, snapshot=snapshot)
    work = _Distribution(native, subject, asked, best.seed, job.scale)
    program = work.program(asked.shots)
    distance, strays = work.error(asked.shots)
    spread = subject.spread
    values = _Values(work.backend, subject, asked, best.seed) if asked.observables else None
    needed = None
    if asked.error is not None:
        needed = _fewest(asked.error, values or work)
    cost = partial(cost_of_circuits, best, snapshot)
    return told.model_copy(
        update={
            "pipeline": str(program.pipeline),
            "circuits": _circuits(program),
            "raw": work.raw(asked.shots),
            "distance": distance,
            "strays": strays,
            "bias": work.bias,
            "success": max(0.0, 1 - distance / spread) if spread else None,
            "skill": skill_of(subject, distance),
            "value_error": None if values is None else values.error(asked.shots)[0],
            "cost": cost(asked.shots, _circuits(program)),
            "shots_for_error": needed,
            "cost_for_error": None
            if needed is None
            else cost(needed, _circuits((values or work).program(needed))),
        }
    )


def _circuits(program: Program | ExpectationProgram) -> int:
    return sum(len(batch.angles) for batch in program.batches)


def _fewest(wanted: float, what: _Distribution | _Values) -> int | None:
    """Fewest shots with an error; ``None`` where no number is enough."""
    if what.bias >= wanted:
        return None
    try:
        return fewest_shots(
            lambda shots: what.error(shots)[0], wanted, most=MAX_SIMULATED_SHOTS
        ).shots
    except (OutOfReachError, MitigationError):
        return None


class _Distribution:
    """Distance to exact of a compiled circuit."""

    def __init__(
        self, native: NativeCircuit, subject: Subject, asked: Asked, seed: int, scale: float
    ) -> None:
        circuit = subject.circuit
        assert circuit is not None and subject.exact is not None  # checked
        self.backend = AerBackend(native.snapshot, fractional=asked.fractional, scale=scale)
        work = Workload(ROLE, circuit, (), _NO_ANGLES, ("0",))
        compiled = native.kept(circuit, seed=seed, scheduled=True)
        self._placed = Placed(work, self.backend, compiled)
        self._modelled = Modelled(self.backend, mixed=False)
        self._seed, self._exact = seed, subject.exact[:1]
        self._pipeline = self._placed.pipeline(asked.pipeline, asked.shots)

    def program(self, shots: int) -> Program:
        """Everything that runs: the pipeline of the report's shots, whatever the shots."""
        return self._placed.program(self._pipeline, shots=shots, seed=self._seed)

    def raw(self, shots: int) -> float:
        """Expected distance of plain counts."""
        p = self.backend.probabilities(self._placed.compiled, _NO_ANGLES)
        p = p.clip(0.0, None) / p.clip(0.0, None).sum()
        return float(expected_total_variation(p, self._exact, shots).mean())

    def error(self, shots: int) -> tuple[float, float]:
        """Expected distance, and how far one run's strays."""
        return distances_to(self.program(shots), self._modelled, self._seed, self._exact)

    @cached_property
    def bias(self) -> float:
        """Distance of infinitely many shots."""
        found = endless(self.program(MAX_SIMULATED_SHOTS), self._modelled, np.arange(1))
        return mean_distance(found, self._exact)


class _Values:
    """Error of the worst observable."""

    def __init__(self, backend: AerBackend, subject: Subject, asked: Asked, seed: int) -> None:
        assert subject.circuit is not None  # checked
        turned = with_free_basis(subject.circuit)
        turned.name = "expectation"
        self._compiled = backend.compile(turned, seed=seed)
        self._backend, self._seed = backend, seed
        self._observables = [one.observable for one in asked.observables]
        self._pipeline = resolve(asked.pipeline, self._compiled, total_shots=asked.shots)
        self._pipeline.check("expectation")
        self._modelled = Modelled(backend, mixed=False)
        self._exact = np.array([[one.value for one in asked.observables]])

    def program(self, shots: int) -> ExpectationProgram:
        """Everything that runs, as :meth:`_Distribution.program`."""
        return plan_expectation(
            self._backend,
            self._compiled,
            _NO_ANGLES,
            self._observables,
            pipeline=self._pipeline,
            shots=shots,
            seed=self._seed,
        )

    @cached_property
    def bias(self) -> float:
        """Error of infinitely many shots."""
        return float(np.abs(self._off(self.program(MAX_SIMULATED_SHOTS))).max())

    def error(self, shots: int) -> tuple[float, float]:
        """Root mean square, and 0: it is one already."""
        program = self.program(shots)
        errors = value_errors(program, self._modelled, self._seed)
        return float(np.hypot(errors, self._off(program)).max()), 0.0

    def _off(self, program: ExpectationProgram) -> FloatArray:
        of_rows = {batch.label: not program.serves_all(batch) for batch in program.batches}
        counts = without_shot_noise(self._modelled, program.batches, np.arange(1), of_rows)
        return np.asarray(program.combine(counts).values - self._exact)

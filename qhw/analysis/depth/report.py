"""What a circuit becomes on every device: a row for each circuit, device and level.

The prediction of a row's total variation distance to exact is that of global depolarising,
``(1 - f) TV(uniform, exact)``, with ``f`` the predicted success (gates, readout, idle decay).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from backends.base import BackendError
from backends.native.routing import as_asked
from backends.plain import plain
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.changes import Changes
from qhw.analysis.depth.cost import Cost, cost, rate
from qhw.analysis.depth.jobs import Compiled
from qhw.analysis.depth.mitigated import AfterMitigation
from qhw.analysis.depth.observed import Observed
from qhw.analysis.depth.recommend import Recommendation, Standing, recommend
from qhw.analysis.depth.subjects import Subject
from qhw.analysis.depth.verdict import beats_constant, shots_for, skill_interval, skill_of
from qhw.analysis.depth.waiting import Waiting
from qhw.analysis.validate.interval import (
    Interval,
    distance_interval_of_success,
    interval_for,
    judged_as,
    untimed_warning,
)
from qhw.provenance import versions

FIGURES: dict[str, tuple[str, Callable[[Compiled], float | None]]] = {
    "two_qubit_gates": ("two-qubit gates", lambda c: c.two_qubit_gates),
    "two_qubit_depth": ("two-qubit depth", lambda c: c.two_qubit_depth),
    "depth": ("depth", lambda c: c.depth),
    "pulses": ("one-qubit pulses", lambda c: c.pulses),
    "swaps": ("swaps added", lambda c: c.swaps),
    "duration_s": ("duration (s)", lambda c: c.duration_s),
    "success": ("predicted success", lambda c: c.success),
    "compile_s": ("compile time (s)", lambda c: c.compile_s),
}
"""Figures summarised over seeds: heading and how to read them."""
NO_DEVICE = "–"
"""Where a row failed before any device was looked at."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Frozen):
    """Median, least and greatest over the seeds."""

    median: float
    low: float
    high: float


class Row(_Frozen):
    """One circuit on one device at one level.

    Attributes:
        circuit: name.
        device: reference of the snapshot.
        vendor: of the device.
        taken: time of its calibration, ``None`` when it could not be read.
        source: where that comes from.
        level: optimisation level, ``None`` when nothing was compiled.
        reason: why there are no figures; ``None`` when there are.
        seeds: seeds that compiled.
        figures: by key of :data:`FIGURES`, over the seeds; ``None`` for one that is not known.
        compiler: that made them.
        best: the seed of highest predicted success; the fields below are about it.
        tvd: predicted total variation distance to exact.
        beats_baseline: whether the device is predicted to beat the constant that needs no QPU at
            the report's shots; ``None`` where it cannot be told (or nothing was compiled).
        rule: why.
        shots_per_second: upper bound, from circuit and readout time alone.
        cost: of the report's shots.
        success_interval: where real devices of the vendor lie that are predicted so; ``None``
            where no public result judges its models.
        tvd_interval: likewise of ``tvd``.
        skill: predicted, 1 − ``tvd`` / the best constant's distance; ``None`` where either is not
            known, or the constant is exact.
        skill_interval: likewise of ``skill``.
        warning: what the prediction leaves out here; ``None`` for nothing.
        shots_for_error: fewest shots whose predicted distance to exact is the wanted one; ``None``
            where none was wanted, or the device's own errors are larger.
        cost_for_error: of these.
        waiting: what waits at the device; ``None`` where its vendor was not asked.
        mitigated: what the report's pipeline is expected to make of it; ``None`` where none was
            asked for, and of all but the device's row of highest predicted success.
    """

    circuit: str
    device: str
    vendor: str = ""
    taken: AwareDatetime | None = None
    source: str = ""
    level: int | None = None
    reason: str | None = None
    seeds: int = 0
    figures: dict[str, Spread | None] = {}
    best: Compiled | None = None
    compiler: str = "qhw"
    tvd: float | None = None
    beats_baseline: bool | None = None
    rule: str = ""
    shots_per_second: float | None = None
    cost: Cost | None = None
    success_interval: Interval | None = None
    tvd_interval: Interval | None = None
    skill: float | None = None
    skill_interval: Interval | None = None
    warning: str | None = None
    shots_for_error: int | None = None
    cost_for_error: Cost | None = None
    waiting: Waiting | None = None
    mitigated: AfterMitigation | None = None

    @property
    def verdict(self) -> str:
        """``beats_baseline`` in words."""
        return {True: "yes", False: "no", None: "cannot tell"}[self.beats_baseline]


class CircuitFacts(_Frozen):
    """A circuit of the report before compilation.

    Attributes:
        name: of the circuit.
        source: where it comes from.
        reason: why it cannot be used.
        qubits: that it has.
        two_qubit_gates: gates on several qubits as written, however large.
        spread: distance of uniform to exact.
        baseline: distance of the best constant.
        note: on how these were found.
        unmapped_two_qubit_gates: written with ``cz`` as if all qubits were coupled; what a device
            has more is the overhead of mapping and routing.
        unmapped_two_qubit_depth: depth in them.
        sent_as: words of a command line that name it; none where it is no file, or not as it is
            in its file.
    """

    name: str
    source: str
    reason: str | None
    qubits: int | None
    two_qubit_gates: int | None
    spread: float | None
    baseline: float | None
    note: str
    unmapped_two_qubit_gates: int | None = None
    unmapped_two_qubit_depth: int | None = None
    sent_as: tuple[str, ...] = ()


class DepthReport(_Frozen):
    """A sweep over circuits, devices, levels and seeds.

    Attributes:
        schema_version: of this format.
        created: when.
        command: how it was asked for.
        shots: that costs and verdicts are for.
        error: wanted distance to exact, ``None`` where none was.
        observables: whose error is wanted in place of the distance, all of them.
        mitigation: pipeline that rows are simulated with; ``None`` for none.
        levels: swept.
        seeds: swept.
        fractional: whether gates that must be asked for were allowed.
        devices: how many were swept.
        left_out: devices that ``all`` left out, and why.
        versions: of the software.
        circuits: before compilation.
        rows: after it.
        recommendations: one a circuit; none in reports of version 1.
        changes: since an earlier report, where one was given.
    """

    schema_version: int = 2
    created: AwareDatetime
    command: str
    shots: int
    error: float | None = None
    observables: tuple[str, ...] = ()
    mitigation: str | None = None
    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    fractional: bool
    devices: int
    left_out: str
    versions: dict[str, str]
    circuits: tuple[CircuitFacts, ...]
    rows: tuple[Row, ...]
    recommendations: tuple[Recommendation, ...] = ()
    changes: Changes | None = None

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json(indent=1) + "\n"

    def row_of(self, circuit: str, one: Standing | None) -> Row | None:
        """The row of a circuit that a recommendation names."""
        if one is None:
            return None
        place = (circuit, one.device, one.level, one.compiler)
        return next(
            (r for r in self.rows if (r.circuit, r.device, r.level, r.compiler) == place), None
        )

    def best_row(self, circuit: str) -> Row | None:
        """The row of highest predicted success of a circuit, ``None`` if all failed."""
        rows = [r for r in self.rows if r.circuit == circuit and r.best is not None]
        return max(rows, key=lambda r: r.best.success if r.best else 0.0, default=None)


@dataclass(frozen=True)
class Device:
    """A device of the sweep: its snapshot, or why it cannot be read."""

    reference: str
    snapshot: DeviceSnapshot | None
    reason: str | None = None


def make_report(
    subjects: Sequence[Subject],
    rows: Sequence[Row],
    *,
    shots: int,
    levels: Sequence[int],
    seeds: Sequence[int],
    devices: int,
    left_out: str = "",
    fractional: bool = False,
    command: str = "",
    by: str = "success",
    error: float | None = None,
    observables: Sequence[str] = (),
    now: datetime | None = None,
) -> DepthReport:
    """Put rows and circuits together, with a recommendation by a figure of merit for each."""
    facts = []
    for subject in subjects:
        circuit = subject.circuit
        unmapped = _unmapped(circuit)
        facts.append(
            CircuitFacts(
                name=subject.name,
                source=subject.source,
                reason=subject.reason,
                qubits=None if circuit is None else circuit.num_qubits,
                two_qubit_gates=None if circuit is None else circuit.num_nonlocal_gates(),
                spread=subject.spread,
                baseline=subject.baseline,
                note=subject.note,
                unmapped_two_qubit_gates=unmapped[0],
                unmapped_two_qubit_depth=unmapped[1],
                sent_as=subject.sent_as,
            )
        )
    return DepthReport(
        created=now or datetime.now(UTC),
        command=command,
        shots=shots,
        error=error,
        observables=tuple(observables),
        levels=tuple(levels),
        seeds=tuple(seeds),
        fractional=fractional,
        devices=devices,
        left_out=left_out,
        versions=versions(),
        circuits=tuple(facts),
        rows=tuple(rows),
        recommendations=tuple(recommend(one, rows, by, shots) for one in facts),
    )


def _unmapped(circuit: QuantumCircuit | None) -> tuple[int | None, int | None]:
    """Two-qubit gates and depth of a circuit as if all qubits were coupled."""
    if circuit is None:
        return None, None
    try:
        flat = as_asked(plain(circuit), ("u", "cz"), 0).circuit
    except (BackendError, QiskitError):  # rows say why
        return None, None
    return flat.num_nonlocal_gates(), flat.depth(lambda item: len(item.qubits) == 2)


def failed_row(subject: Subject, device: str, reason: str) -> Row:
    """A row that says why there are no figures."""
    return Row(circuit=subject.name, device=device, reason=reason)


def make_row(
    subject: Subject,
    device: Device,
    level: int,
    compiled: Sequence[Compiled],
    shots: int,
    error: float | None = None,
    observables: Sequence[Observed] | None = None,
) -> Row:
    """Summarise the seeds of one circuit, device and level.

    Args:
        subject: the circuit.
        device: with a snapshot.
        level: optimisation level.
        compiled: one a seed, failures among them.
        shots: that cost and verdict are for.
        error: wanted total variation distance to exact, whose shots are found.
        observables: whose error is wanted instead; ``None`` for the distance.

    Raises:
        ValueError: the device has no snapshot, or nothing was compiled.
    """
    snapshot = device.snapshot
    if snapshot is None or not compiled:
        raise ValueError(
            "Arguments `device` and `compiled` must hold a snapshot and a compilation, but do not."
        )
    facts: dict[str, Any] = {
        "circuit": subject.name,
        "device": device.reference,
        "vendor": snapshot.vendor,
        "taken": snapshot.taken,
        "source": snapshot.source,
        "level": level,
    }
    good = [c for c in compiled if c.reason is None]
    if not good:
        return Row(**facts, reason=compiled[0].reason)
    best = max(good, key=lambda c: c.success)
    tvd = None if subject.spread is None else (1 - best.success) * subject.spread
    judged = judged_as(snapshot)
    away = distance_interval_of_success(judged, best.success, subject.spread)
    beats = beats_constant(subject, best.success, shots)
    needed = None
    if error is not None and observables is not None:
        every = [one.shots(best.success, error) for one in observables]
        needed = max((n for n in every if n), default=None) if all(every) else None
    elif error is not None and tvd is not None:
        needed = shots_for(subject, tvd, error)
    return Row(
        **facts,
        seeds=len(good),
        figures={key: _spread([read(c) for c in good]) for key, (_, read) in FIGURES.items()},
        best=best,
        tvd=tvd,
        beats_baseline=beats.yes,
        rule=beats.reason,
        shots_per_second=rate(best, snapshot),
        cost=cost(best, snapshot, shots),
        success_interval=interval_for(judged, best.success),
        tvd_interval=away,
        skill=skill_of(subject, tvd),
        skill_interval=skill_interval(subject, away),
        warning=untimed_warning(best.duration_s, best.two_qubit_gates),
        shots_for_error=needed,
        cost_for_error=None if needed is None else cost(best, snapshot, needed),
    )


def _spread(found: Sequence[float | None]) -> Spread | None:
    values = [value for value in found if value is not None]
    if len(values) < len(found):
        return None
    return Spread(median=median(values), low=min(values), high=max(values))

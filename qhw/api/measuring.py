"""Counts of a circuit on any device, beside the exact distribution."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from backends.registry import get_vendor
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.measure import measure as compute
from qhw.analysis.compare.measure import settings_of
from qhw.analysis.compare.settings import MeasureSettings
from qhw.analysis.precision.asked import UNPLANNED, one_of, parse_precision
from qhw.analysis.precision.distances import Distances
from qhw.analysis.precision.plan import ShotPlan, plan_shots
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.results import Measurement
from qhw.circuits.given import CircuitSources
from qhw.circuits.workload import Workload
from qhw.defaults import DEFAULT_DEVICE
from qhw.jobs.errors import BudgetError
from qhw.jobs.money import parse_money, show_money
from qhw.paid.compare import MeasureRun
from qhw.paid.kept import Paying, R, S, WorkloadRun
from qhw.scheduler import some_scheduler
from qhw.shot_counts import number_of_shots

CircuitLike: TypeAlias = CircuitSources | Workload
"""A circuit, live or in a file; several that differ in their angles alone; or a workload."""

_LOG = logging.getLogger(__name__)


def measure(
    circuit: CircuitLike,
    angles: object = None,
    device: DeviceLike = DEFAULT_DEVICE,
    *,
    bind: Mapping[str, object] | None = None,
    shots: int | str | None = None,
    precision: float | str | None = None,
    mitigation: str = "default",
    seed: int = 0,
    with_raw: bool = False,
    calibrations: Sequence[str | Path] = (),
    probe: bool = False,
    again: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    tell: Callable[[str], None] = _LOG.info,
) -> Measurement:
    """Run a circuit with rows of angles on a device and compare its counts with exact.

    On a device that takes jobs, everything goes through the ledger within the device's budget, and
    the same call again (also in another process) takes up what was sent and pays nothing twice.

    Args:
        circuit: a Qiskit circuit with free parameters, or the path of an OpenQASM 2/3 or QPY file;
            without measurements, all qubits are measured. Or several, a row each, that differ in
            their angles alone; or a :class:`qhw.Workload`.
        angles: rows of angles, radians, in any form :func:`qhw.circuits.angles.read_rows` takes;
            ``None`` where nothing is free, and for a workload, which has its own.
        device: where, see :func:`qhw.device`.
        bind: values of parameters and of OpenQASM 3's inputs by name, the same in every row;
            angles are of the others.
        shots: of each row, with everything that mitigation runs counted.
        precision: in place of shots, the total variation distance to what infinitely many would
            give that is expected of them, as a mean over rows; as many are planned as the whole
            pipeline takes on the device's model.
        mitigation: a pipeline such as ``"twirl(8)+readout+zne(1,3)"``, ``"none"`` or ``"default"``.
        seed: of compilation, random choices and simulated shots.
        with_raw: on a device that takes jobs also run the circuit itself with all shots where the
            pipeline runs others; a simulator always does.
        calibrations: files of ``qhw calibrate``.
        probe: run two or three smaller circuits of known answer beside, and fit the device model's
            noise to them; counted and priced with the rest.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        workers: of a simulator: local processes that simulate; none by default.
        scheduler: of a simulator: address of a Dask cluster that does.
        tell: told what is being done.

    Returns:
        Counts, mitigated and exact distributions, distances with intervals, shot floor, baselines,
        skill and cost.

    Raises:
        ValueError: neither shots nor a precision, both, or a precision that cannot be reached.
        AnglesError: angles that do not fit the circuit.
        BackendError: the circuit does not fit the device.
        MitigationError: pipeline, shots, circuit and device do not go together.
        BudgetError: the device's budget or a cap would be passed; nothing was sent. Of a precision
            the line has the one that the budget allows.
        SchedulerError: the cluster cannot be used.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> found = measure(bell, device="engine:ibm_fez", shots=10_000, mitigation="readout")
        >>> found.result.verdict.level
        'better'
        >>> found = measure(bell, device="exact", precision=0.01, mitigation="none")
        >>> 1500 < found.result.settings.shots < 1800  # 1 / (2 pi 0.01**2)
        True
    """
    options = Options(shots, mitigation, seed, with_raw, tuple(calibrations), precision, probe)
    place, work, settings = asked(circuit, angles, device, options, bind)
    settings, _ = planned(place, work, settings, tell, again=again)
    if place.backend is not None:
        with some_scheduler(workers, scheduler) as pool:
            result = compute(settings, work, place.backend, notify=tell, scheduler=pool)
        return Measurement(result, work)
    check_simulates_here(place, workers, scheduler)
    run = begun(MeasureRun, place, work, settings, again=again, tell=tell)
    found: Comparison | None = run.wait(tell)
    assert found is not None  # waited for without a limit
    return Measurement(found, work, run.id)


@dataclass(frozen=True)
class Options:
    """How :func:`measure` measures; see there."""

    shots: int | str | None
    mitigation: str = "default"
    seed: int = 0
    with_raw: bool = False
    calibrations: tuple[str | Path, ...] = ()
    precision: float | str | None = None
    probe: bool = False


def asked(
    circuit: CircuitLike,
    angles: object,
    device: DeviceLike,
    options: Options,
    bind: Mapping[str, object] | None = None,
) -> tuple[Device, Workload, MeasureSettings]:
    """What is asked for, checked as far as it can be without the device.

    Raises:
        ValueError: a value out of range, or angles that do not fit the circuit.
        UnknownBackendError: no such device.
    """
    one_of(options.shots, options.precision)
    wanted = None if options.precision is None else parse_precision(options.precision, "distance")
    place = as_device(device)
    work = workload_of(circuit, angles, bind)
    settings = settings_of(
        work,
        device=place.name,
        shots=UNPLANNED if options.shots is None else number_of_shots(options.shots),
        precision=None if wanted is None else str(wanted),
        mitigation=options.mitigation,
        seed=options.seed,
        with_raw=options.with_raw,
        # absolute: the run may be taken up from another folder
        calibrations=tuple(str(Path(path).resolve()) for path in options.calibrations),
        probe=options.probe,
    )
    return place, work, settings


def planned(
    place: Device,
    work: Workload,
    settings: MeasureSettings,
    tell: Callable[[str], None],
    *,
    again: bool,
) -> tuple[MeasureSettings, ShotPlan | None]:
    """Settings with shots for their precision, where they have one that no run goes on with.

    Raises:
        ValueError: the device does not take so many shots.
        BudgetError: they would pass the device's budget; nothing was sent.
    """
    if settings.precision is None:
        return settings, None
    if place.takes_jobs and not again and MeasureRun.in_ledger(settings):
        return settings, None
    backend = get_vendor(place.name) if place.backend is None else place.backend
    what = Distances.of_workload(settings, work, backend, tell)
    wanted = parse_precision(settings.precision, "distance")
    plan = plan_shots(what, wanted, tell, place.budget)
    tell(plan.words)
    return settings.model_copy(update=plan.settings), plan


def workload_of(
    circuit: CircuitLike, angles: object, bind: Mapping[str, object] | None = None
) -> Workload:
    """What runs.

    Raises:
        ValueError: what :meth:`Workload.of` refuses, or angles or values beside a workload.
    """
    if not isinstance(circuit, Workload):
        return Workload.of(circuit, angles, bind=bind)
    check_complete(angles, bind)
    return circuit


def check_complete(angles: object, bind: Mapping[str, object] | None) -> None:
    """Refuse what a workload has already.

    Raises:
        ValueError: names it.
    """
    for name, value in (("angles", angles), ("bind", bind or None)):
        if value is not None:
            raise ValueError(f"Argument `{name}` must be None for a workload, which has its own")


def begun(
    kind: type[WorkloadRun[S, R]],
    place: Device,
    work: Workload,
    settings: S,
    *,
    again: bool,
    tell: Callable[[str], None],
) -> WorkloadRun[S, R]:
    """The run of the same settings that is in the ledger, else a new one, sent.

    Raises:
        BackendError: the device would refuse it.
        BudgetError: a cap would be passed; nothing was sent.
    """
    (run,) = begun_together(kind, place, [(work, settings)], again=again, tell=tell)
    return run


def begun_together(
    kind: type[WorkloadRun[S, R]],
    place: Device,
    asked: Sequence[tuple[Workload, S]],
    *,
    again: bool,
    tell: Callable[[str], None],
) -> tuple[WorkloadRun[S, R], ...]:
    """:func:`begun` for several runs of one call: the device's budget holds for all together.

    All are checked and priced before the first is sent.

    Raises:
        BackendError: the device would refuse one.
        BudgetError: a cap would be passed. Where it is the budget, nothing was sent; where it is a
            cap of the day or the project, runs before the one that passed it were.
    """
    runs, fresh, most = [], [], 0
    for work, settings in asked:
        paying = Paying(place.budget, place.project, f"qhw.{settings.task}(...)")
        run, is_new = kind.asked(settings, work, paying, again=again)
        runs.append(run)
        if is_new:
            most += _reserve(run.prepare(tell))
            fresh.append(run)
        else:
            run.send(tell, fresh=False)
    if len(fresh) > 1 and place.budget is not None and most > parse_money(place.budget):
        raise BudgetError(
            f"Submission refused: up to {show_money(most)} for {len(fresh)} runs would pass the "
            f"budget, {place.budget}; nothing was sent"
        )
    for run in fresh:
        run.start(tell)
        tell(f"submitted as {run.id}")
    return tuple(runs)


def _reserve(quote: Any) -> int:
    """Most that a run may cost, micro-dollars, all stages."""
    return sum(stage.reserve_micro for stage in (quote if isinstance(quote, tuple) else (quote,)))


def check_simulates_here(place: Device, workers: int | None, scheduler: str | None) -> None:
    """Refuse workers for a device that takes jobs: they would have nothing to do.

    Raises:
        ValueError: they are given.
    """
    if workers or scheduler is not None:
        raise ValueError(
            "Arguments `workers` and `scheduler` must be left out of a device that takes jobs, "
            f"but the device is {place.name}"
        )


def check_takes_jobs(place: Device) -> None:
    """Refuse a simulator where jobs are wanted.

    Raises:
        ValueError: it is one.
    """
    if not place.takes_jobs:
        raise ValueError(f"Argument `device` must take jobs, but {place.name} is a simulator here")

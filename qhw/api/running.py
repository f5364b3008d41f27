"""Runs on devices that take jobs: begun, followed, cancelled, taken up again by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backends.registry import get_vendor
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.measure import quote_workload
from qhw.analysis.compare.quote import StageQuote
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import ExpectQuote, Measured, quote_expectation
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.expectation_values import ExpectationValues
from qhw.api.expecting import DEFAULT_MITIGATION, Observables, asked_values
from qhw.api.expecting import planned as planned_values
from qhw.api.measuring import CircuitLike, Options, asked, begun, check_takes_jobs, planned
from qhw.api.results import Measurement, ModelComparison
from qhw.circuits.workload import Workload
from qhw.defaults import DEFAULT_EMULATOR
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import latest_runs
from qhw.jobs.records import JobRecord
from qhw.jobs.words import states_line
from qhw.jobs.work import reconcile, request_cancel
from qhw.paid.compare import MeasureRun
from qhw.paid.expect import ExpectRun
from qhw.paid.run import PaidRun
from qhw.paid.take_up import taken_up

_LOG = logging.getLogger(__name__)
_COUNTS = "default"
"""Mitigation of counts where none is named."""


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A run in the ledger; the process may end at any time and take it up again by its name.

    Attributes:
        paid: what is behind it.
    """

    paid: PaidRun[Any, Any]

    @property
    def id(self) -> str:
        """Name of the run."""
        return self.paid.id

    @property
    def jobs(self) -> tuple[JobRecord, ...]:
        """Its jobs as the ledger knows them."""
        return self.paid.jobs()

    def wait(
        self, timeout_s: float | None = None, tell: Callable[[str], None] = _LOG.info
    ) -> Any | None:
        """The result, once all counts are there; ``None`` when the time is up before that.

        Args:
            timeout_s: how long to wait at most; for ever by default.
            tell: told how it stands.

        Raises:
            BackendError: too many circuits failed, or the vendor cannot be reached.
        """
        return self._shown(self.paid.wait(tell, timeout_s))

    def result(self) -> Any | None:
        """Ask the vendor once; the result if everything is there, else ``None``."""
        vendor = self.paid.backend.vendor
        patience = self.paid.config.patience
        reconcile(self.paid.ledger, lambda _: vendor(), run_id=self.id, patience=patience)
        return self._shown(self.paid.resume(_LOG.info))

    def cancel(self) -> None:
        """Ask the vendor to cancel what has not run yet; what has run stays paid and is kept."""
        if request_cancel(self.paid.ledger, self.id):
            vendor = self.paid.backend.vendor
            patience = self.paid.config.patience
            reconcile(self.paid.ledger, lambda _: vendor(), run_id=self.id, patience=patience)

    def _shown(self, found: Any | None) -> Any | None:
        if isinstance(found, Measured):
            return ExpectationValues(found)
        if isinstance(found, Comparison) and isinstance(self.paid, MeasureRun):
            return Measurement(found, self.paid.workload(), self.id)
        return ModelComparison(found, self.id) if isinstance(found, Comparison) else found

    def __repr__(self) -> str:
        rehearsal = ", a rehearsal" if self.paid.rehearsal else ""
        settings = self.paid.settings
        return (
            f"Run {self.id}: {settings.task} on {settings.device}{rehearsal}, "
            f"{states_line(self.jobs) or 'nothing sent'}"
        )


def submit(
    circuit: CircuitLike,
    angles: object = None,
    device: DeviceLike = DEFAULT_EMULATOR,
    *,
    observables: Observables | None = None,
    bind: Mapping[str, object] | None = None,
    shots: int | str | None = None,
    precision: float | None = None,
    mitigation: str | None = None,
    seed: int = 0,
    with_raw: bool = False,
    again: bool = False,
) -> Run:
    """Send what :func:`qhw.measure` or :func:`qhw.expect` would, and return at once.

    Args:
        circuit: as for these.
        angles: as for these.
        device: one that takes jobs.
        observables: as for :func:`qhw.expect`; ``None`` for counts.
        bind: as for these.
        shots: as for these.
        precision: as for these, in place of shots.
        mitigation: as for these, and by default as there.
        seed: as for these.
        with_raw: as for :func:`qhw.measure`.
        again: as for these.

    Raises:
        ValueError: a device that takes no jobs; neither shots nor a precision, or both.
        BudgetError: the device's budget or a cap would be passed; nothing was sent.
    """
    place = as_device(device)
    check_takes_jobs(place)
    if observables is None:
        options = Options(shots, mitigation or _COUNTS, seed, with_raw, precision=precision)
        _, work, settings = asked(circuit, angles, place, options, bind)
        settings, _ = planned(place, work, settings, _LOG.info, again=again)
        return Run(begun(MeasureRun, place, work, settings, again=again, tell=_LOG.info))
    given = (shots, precision, mitigation, seed, with_raw)
    values, work = _values(circuit, angles, observables, place, given, bind)
    values, _ = planned_values(place, work, values, _LOG.info, again=again)
    return Run(begun(ExpectRun, place, work, values, again=again, tell=_LOG.info))


def estimate(
    circuit: CircuitLike,
    angles: object = None,
    device: DeviceLike = DEFAULT_EMULATOR,
    *,
    observables: Observables | None = None,
    bind: Mapping[str, object] | None = None,
    shots: int | str | None = None,
    precision: float | None = None,
    mitigation: str | None = None,
    seed: int = 0,
    with_raw: bool = False,
) -> StageQuote | ExpectQuote:
    """What :func:`qhw.measure` or :func:`qhw.expect` would cost; nothing is sent.

    Args:
        circuit: as for these.
        angles: as for these.
        device: one that takes jobs.
        observables: as for :func:`qhw.expect`; ``None`` for counts.
        bind: as for these.
        shots: as for these.
        precision: as for these, in place of shots.
        mitigation: as for these, and by default as there.
        seed: as for these.
        with_raw: as for :func:`qhw.measure`.

    Raises:
        ValueError: a device that takes no jobs; neither shots nor a precision, or both.
        BackendError: the device would refuse it, or its price is unknown.
    """
    place = as_device(device)
    check_takes_jobs(place)
    if observables is None:
        options = Options(shots, mitigation or _COUNTS, seed, with_raw, precision=precision)
        _, work, settings = asked(circuit, angles, place, options, bind)
        settings, plan = planned(place, work, settings, _LOG.info, again=True)
        counts = quote_workload(settings, work, get_vendor(place.name), _LOG.info)
        return replace(counts, shot_plan=plan)
    given = (shots, precision, mitigation, seed, with_raw)
    values, work = _values(circuit, angles, observables, place, given, bind)
    values, plan = planned_values(place, work, values, _LOG.info, again=True)
    found = quote_expectation(values, work, get_vendor(place.name), _LOG.info)
    return replace(found, shot_plan=plan)


def _values(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    place: Device,
    options: tuple[int | str | None, float | None, str | None, int, bool],
    bind: Mapping[str, object] | None,
) -> tuple[ExpectSettings, Workload]:
    shots, precision, mitigation, seed, with_raw = options
    if with_raw:
        raise ValueError("Argument `with_raw` must be left out beside observables")
    asked_for = (shots, precision, mitigation or DEFAULT_MITIGATION, seed)
    return asked_values(circuit, angles, observables, place, asked_for, bind)


def run(name: str) -> Run:
    """A run of the ledger by its name, or the unmistakable beginning of it.

    Raises:
        UnknownRunError: no such run.
    """
    return Run(taken_up(Ledger.open(), name))


def submitted(limit: int = 30) -> tuple[Run, ...]:
    """The newest runs of the ledger: submitted, whether or not finished.

    What finished runs left in the runs folder is :func:`qhw.runs`.

    Args:
        limit: so many at most.
    """
    with Ledger.open() as ledger, ledger.read() as connection:
        names = [record.id for record in latest_runs(connection, limit)]
    return tuple(run(name) for name in names)

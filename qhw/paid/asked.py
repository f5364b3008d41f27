"""A comparison as it is asked for, of a model or of one's own circuit: compared, priced, begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from backends.base import Backend
from backends.checks import check_shots
from backends.registry import get_backend, get_vendor, is_vendor
from backends.vendor import VendorBackend
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.foreign import RecordedBackend, compare_counts
from qhw.analysis.compare.measure import measure, quote_workload
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.quote import StageQuote, quote
from qhw.analysis.compare.settings import MeasureSettings, Settings
from qhw.analysis.precision.asked import Precision
from qhw.analysis.precision.distances import Distances
from qhw.analysis.precision.models import distances_of_model
from qhw.analysis.precision.plan import ShotPlan, plan_shots
from qhw.circuits.counts_files import CountsFile
from qhw.circuits.workload import Workload
from qhw.paid.compare import CompareRun, MeasureRun
from qhw.paid.kept import Paying
from qhw.paid.run import Notify
from qhw.scheduler import Scheduler


@dataclass(frozen=True)
class AskedModel:
    """A model's circuits.

    Attributes:
        settings: what is asked.
    """

    settings: Settings

    def compare(self, command: str, tell: Notify, scheduler: Scheduler | None = None) -> Comparison:
        """On a simulator, see :func:`qhw.analysis.compare.model.compare`."""
        return compare(self.settings, command=command, notify=tell, scheduler=scheduler)

    def quote(self, vendor: VendorBackend, tell: Notify) -> tuple[StageQuote, ...]:
        """What it would cost, see :func:`qhw.analysis.compare.quote.quote`."""
        return quote(self.settings, vendor, tell)

    def planned(
        self, wanted: Precision, tell: Notify, budget: str | None = None
    ) -> tuple[Self, ShotPlan, Sequence[StageQuote]]:
        """With shots for a precision, see :func:`~qhw.analysis.precision.plan.plan_shots`."""
        what = distances_of_model(self.settings, _device(self.settings.device), wanted, tell)
        plan = plan_shots(what, wanted, tell, budget)
        settings = self.settings.model_copy(update=plan.settings)
        return replace(self, settings=settings), plan, what.quotes(plan.shots)

    def in_ledger(self) -> bool:
        """A model's runs are all new."""
        return False

    def new(self, paying: Paying) -> CompareRun:
        """A run that is not in the ledger yet, see :meth:`qhw.paid.run.PaidRun.new`."""
        return CompareRun.new(self.settings, *paying)

    def run(self, paying: Paying, *, again: bool = False) -> tuple[CompareRun, bool]:
        """A new run, and that it is: a model's file may have changed since an earlier one.

        Raises:
            ValueError: it is asked for what is always so.
        """
        if again:
            raise ValueError("Argument `again` must be left out of a model, whose runs are all new")
        return self.new(paying), True


@dataclass(frozen=True, eq=False)
class AskedCircuit:
    """A person's own circuit.

    Attributes:
        settings: what is asked.
        workload: what runs.
    """

    settings: MeasureSettings
    workload: Workload

    def compare(self, command: str, tell: Notify, scheduler: Scheduler | None = None) -> Comparison:
        """On a simulator, see :func:`qhw.analysis.compare.measure.measure`."""
        backend = get_backend(self.settings.device)
        check_shots(self.settings.shots)
        return measure(
            self.settings,
            self.workload,
            backend,
            command=command,
            notify=tell,
            scheduler=scheduler,
        )

    def quote(self, vendor: VendorBackend, tell: Notify) -> tuple[StageQuote, ...]:
        """What it would cost, see :func:`qhw.analysis.compare.measure.quote_workload`."""
        return (quote_workload(self.settings, self.workload, vendor, tell),)

    def planned(
        self, wanted: Precision, tell: Notify, budget: str | None = None
    ) -> tuple[Self, ShotPlan, Sequence[StageQuote]]:
        """With shots for a precision, see :func:`~qhw.analysis.precision.plan.plan_shots`."""
        place = _device(self.settings.device)
        what = Distances.of_workload(self.settings, self.workload, place, tell)
        plan = plan_shots(what, wanted, tell, budget)
        settings = self.settings.model_copy(update=plan.settings)
        return replace(self, settings=settings), plan, what.quotes(plan.shots)

    def in_ledger(self) -> bool:
        """Whether a run of the same settings goes on, or has given its result."""
        return is_vendor(self.settings.device) and MeasureRun.in_ledger(self.settings)

    def new(self, paying: Paying) -> MeasureRun:
        """A run that is not in the ledger yet, see :meth:`qhw.paid.kept.WorkloadRun.begin`."""
        return MeasureRun.begin(self.settings, self.workload, *paying)

    def run(self, paying: Paying, *, again: bool = False) -> tuple[MeasureRun, bool]:
        """The run of the same settings in the ledger, else a new one, and whether it is new."""
        return MeasureRun.asked(self.settings, self.workload, paying, again=again)


@dataclass(frozen=True, eq=False)
class AskedCounts(AskedCircuit):
    """A person's own circuit that was run elsewhere.

    Attributes:
        backend: its counts, where a device would be.
        given: the file of them.
    """

    backend: RecordedBackend
    given: CountsFile

    def compare(self, command: str, tell: Notify, scheduler: Scheduler | None = None) -> Comparison:
        """See :func:`qhw.analysis.compare.foreign.compare_counts`."""
        del scheduler  # nothing is simulated
        return compare_counts(
            self.settings,
            self.workload,
            self.backend,
            self.given,
            chosen=self.settings.bit_order is not None,
            command=command,
            notify=tell,
        )


Asked: TypeAlias = AskedModel | AskedCircuit


def _device(name: str) -> Backend | VendorBackend:
    return get_vendor(name) if is_vendor(name) else get_backend(name)

"""A comparison on a paid device: of a model, or of a person's own circuit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict, TypeVar

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.measure import measure, quote_workload
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.quote import StageQuote, quote, reserved_later
from qhw.analysis.compare.settings import MeasureSettings, Settings
from qhw.analysis.compare.stage import TooFewRowsError
from qhw.jobs.budget import release_later
from qhw.jobs.device import Rehearsed
from qhw.paid.kept import WorkloadRun
from qhw.paid.run import Notify, PaidRun

S = TypeVar("S", Settings, MeasureSettings)


class _How(TypedDict):
    command: str
    notify: Callable[[str], None]
    moment: datetime


@dataclass
class ComparisonRun(PaidRun[S, Comparison]):
    """One comparison in the ledger."""

    def prepare(self, tell: Notify) -> tuple[StageQuote, ...]:
        """Compile, check and price every stage; nothing is written down.

        Raises:
            BackendError: the device would refuse it, or its price is unknown.
        """
        stages = self._quote(tell)
        self.backend.later = reserved_later(stages)
        self.backend.compiled = {stage.role: stage.compiled for stage in stages}
        return stages

    def rehearse(self, folder: Path, tell: Notify) -> list[Path]:
        """Write exactly what would be posted for the first stage into a folder."""
        self.backend.dry = True
        try:
            self.compute(tell)
        except Rehearsed as rehearsed:
            target = folder / f"{self.id}-dry-run"
            target.mkdir(parents=True)
            paths = [target / f"payload-{part}.bin" for part in range(len(rehearsed.jobs))]
            for path, job in zip(paths, rehearsed.jobs, strict=True):
                path.write_bytes(self.backend.vendor().payload(job.submission, "qhw-dry-run"))
            return paths
        raise AssertionError("a dry run must stop at the first stage")

    def compute(self, tell: Notify) -> Comparison:
        """Compare, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            TooFewRowsError: too many circuits failed.
        """
        command = self.backend.request.command
        try:
            return self._compare(_How(command=command, notify=tell, moment=self.moment))
        except TooFewRowsError as error:
            self.ledger.write(lambda connection: release_later(connection, self.id))
            raise TooFewRowsError(
                f"Run {self.id}: {error}; `qhw jobs counts {self.id}` writes what is there"
            ) from error

    @abstractmethod
    def _quote(self, tell: Notify) -> tuple[StageQuote, ...]:
        """Every stage, checked and priced."""

    @abstractmethod
    def _compare(self, how: _How) -> Comparison:
        """The comparison on the ledger's counts."""


@dataclass
class CompareRun(ComparisonRun[Settings]):
    """A model's circuits."""

    reads = Settings

    def _quote(self, tell: Notify) -> tuple[StageQuote, ...]:
        return quote(self.settings, self.backend.vendor(), tell, self.moment)

    def _compare(self, how: _How) -> Comparison:
        import torch

        torch.set_num_threads(1)  # as `qhw compare` does
        return compare(self.settings, backend=self.backend, **how)


@dataclass
class MeasureRun(ComparisonRun[MeasureSettings], WorkloadRun[MeasureSettings, Comparison]):
    """A person's own circuit: the same circuit and angles are the same run."""

    reads = MeasureSettings

    def _quote(self, tell: Notify) -> tuple[StageQuote, ...]:
        vendor = self.backend.vendor()
        return (quote_workload(self.settings, self.workload(), vendor, tell, self.moment),)

    def _compare(self, how: _How) -> Comparison:
        return measure(self.settings, self.workload(), self.backend, **how)

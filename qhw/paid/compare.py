"""A model's comparison on a paid device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qhw.analysis.compare import compare
from qhw.analysis.comparison import Comparison
from qhw.analysis.quote import StageQuote, quote, reserved_later
from qhw.analysis.result import Settings
from qhw.analysis.stage import TooFewRowsError
from qhw.jobs.budget import release_later
from qhw.jobs.device import Rehearsed
from qhw.paid.run import Notify, PaidRun


@dataclass
class CompareRun(PaidRun[Settings, Comparison]):
    """One comparison in the ledger."""

    reads = Settings

    def prepare(self, tell: Notify) -> tuple[StageQuote, ...]:
        """Compile, check and price every stage; nothing is written down."""
        stages = quote(self.settings, self.backend.vendor(), tell, self.moment)
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
        import torch

        torch.set_num_threads(1)  # as `qhw compare` does
        request = self.backend.request
        try:
            return compare(
                self.settings,
                backend=self.backend,
                command=request.command,
                notify=tell,
                moment=self.moment,
            )
        except TooFewRowsError as error:
            self.ledger.write(lambda connection: release_later(connection, self.id))
            raise TooFewRowsError(
                f"Run {self.id}: {error}; `qhw jobs counts {self.id}` writes what is there"
            ) from error

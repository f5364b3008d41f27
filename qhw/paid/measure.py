"""A person's own circuit on a paid device: the same circuit and angles are the same run."""

from __future__ import annotations

from dataclasses import dataclass

from qhw.analysis.comparison import Comparison
from qhw.analysis.measure import measure, quote_workload
from qhw.analysis.quote import StageQuote
from qhw.analysis.result import MeasureSettings
from qhw.analysis.stage import TooFewRowsError
from qhw.circuits.workload import ROLE
from qhw.jobs.budget import release_later
from qhw.paid.kept import WorkloadRun
from qhw.paid.run import Notify


@dataclass
class MeasureRun(WorkloadRun[MeasureSettings, Comparison]):
    """One circuit's rows in the ledger."""

    reads = MeasureSettings

    def prepare(self, tell: Notify) -> StageQuote:
        """Compile, check and price; nothing is written down.

        Raises:
            BackendError: the device would refuse it, or its price is unknown.
        """
        vendor, work = self.backend.vendor(), self.workload()
        quote = quote_workload(self.settings, work, vendor, tell, self.moment)
        self.backend.compiled = {ROLE: quote.compiled}
        return quote

    def compute(self, tell: Notify) -> Comparison:
        """Compare, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            TooFewRowsError: too many circuits failed.
        """
        try:
            return measure(
                self.settings,
                self.workload(),
                self.backend,
                command=self.backend.request.command,
                notify=tell,
                moment=self.moment,
            )
        except TooFewRowsError as error:
            self.ledger.write(lambda connection: release_later(connection, self.id))
            raise TooFewRowsError(
                f"Run {self.id}: {error}; `qhw jobs counts {self.id}` writes what is there"
            ) from error

"""A person's own circuit on a paid device: the same circuit and angles are the same run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Self, cast

from backends.base import Backend
from qhw.analysis.comparison import Comparison, runner_of
from qhw.analysis.measure import measure
from qhw.analysis.quote import StageQuote, quote_stage
from qhw.analysis.result import MeasureSettings
from qhw.analysis.stage import TooFewRowsError
from qhw.circuits.workload import ROLE, Workload
from qhw.jobs import blobs
from qhw.jobs.budget import release_later
from qhw.jobs.errors import LedgerError
from qhw.paid.run import Notify, PaidRun


@dataclass
class MeasureRun(PaidRun[MeasureSettings, Comparison]):
    """One circuit's rows in the ledger.

    Attributes:
        given: the workload, where this process has it; else it is read from the ledger.
    """

    reads = MeasureSettings

    given: Workload | None = field(default=None, repr=False)

    @classmethod
    def begin(
        cls,
        settings: MeasureSettings,
        workload: Workload,
        budget: str | None,
        project: str,
        command: str,
    ) -> Self:
        """A run that is not in the ledger yet; only its workload is.

        Raises:
            ValueError: the budget is no amount of a known currency.
            LedgerError: the ledger cannot be written.
            BackendError: the device does not exist, or the vendor cannot be reached.
        """
        data = workload.to_bytes()
        stored = settings.model_copy(update={"workload_sha256": hashlib.sha256(data).hexdigest()})
        run = cls.new(stored, budget, project, command)
        run.ledger.write(lambda connection: blobs.put(connection, data))
        run.given = workload
        return run

    def workload(self) -> Workload:
        """What runs.

        Raises:
            LedgerError: the ledger lacks it, or it is damaged.
        """
        if self.given is None:
            sha = self.settings.workload_sha256
            if sha is None:
                raise LedgerError(f"Run {self.id} must have its circuit in the ledger, but has not")
            with self.ledger.read() as connection:
                data = blobs.get(connection, sha)
            try:
                self.given = Workload.from_bytes(data)
            except ValueError as error:
                raise LedgerError(f"Run {self.id}: {error}") from error
        return self.given

    def prepare(self, tell: Notify) -> StageQuote:
        """Compile, check and price; nothing is written down.

        Raises:
            BackendError: the device would refuse it, or its price is unknown.
        """
        vendor, work = self.backend.vendor(), self.workload()
        # circuits are built for a device's name; nothing runs on it here
        runner = runner_of(self.settings, cast(Backend, vendor), tell, self.moment)
        compiled = runner.compile(ROLE, work.circuit)
        tell("checking and pricing")
        quote = quote_stage(runner, vendor, ROLE, compiled, len(work))
        self.backend.compiled = {ROLE: compiled}
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

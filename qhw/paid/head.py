"""A calibration of read-outs on a paid device: the same settings are the same run, paid once."""

from __future__ import annotations

from dataclasses import dataclass

from qhw.analysis.compare.quote import reserved_later
from qhw.analysis.head.calibration import HeadCalibration, HeadRole, HeadSettings
from qhw.analysis.head.measure import (
    HeadQuote,
    Ran,
    calibration_of,
    head_model,
    quote_head,
    run_circuit,
)
from qhw.jobs.device import Pending
from qhw.paid.kept import Paying
from qhw.paid.run import Notify, PaidRun


@dataclass
class HeadRun(PaidRun[HeadSettings, HeadCalibration]):
    """One model's calibration in the ledger."""

    reads = HeadSettings

    @classmethod
    def asked(cls, settings: HeadSettings, paying: Paying, *, again: bool) -> tuple[HeadRun, bool]:
        """The run of the same settings that is in the ledger, else a new one, and whether new.

        Raises:
            ValueError: the budget is no amount of a known currency.
            LedgerError: the ledger cannot be opened.
            BackendError: the device does not exist, or the vendor cannot be reached.
        """
        run = None if again else cls.before(settings)
        return (cls.new(settings, *paying), True) if run is None else (run, False)

    def prepare(self, tell: Notify) -> tuple[HeadQuote, ...]:
        """Compile, check and price every circuit; nothing is written down.

        Raises:
            BackendError: the device would refuse it, or its price is unknown.
        """
        quotes = quote_head(self.settings, self.backend.vendor(), tell)
        self.backend.later = reserved_later(quotes)
        self.backend.compiled = {quote.role: quote.compiled for quote in quotes}
        return quotes

    def compute(self, tell: Notify) -> HeadCalibration:
        """The counts, from the ledger; every circuit is sent before any is waited for.

        Raises:
            Pending: counts are outstanding.
            BackendError: too many circuits failed.
        """
        exact, name = head_model(self.settings)
        ran: list[tuple[HeadRole, Ran]] = []
        for role in self.settings.circuits:
            try:
                found = run_circuit(exact, role, self.settings, self.backend, tell)
            except Pending:
                continue
            ran.append((role, found))
        if len(ran) < len(self.settings.circuits):
            raise Pending(self.id)
        costs = [
            self.backend.estimate(one.compiled, circuits=len(one.inputs), shots=one.result.shots)
            for _, one in ran
        ]
        return calibration_of(
            self.settings,
            name,
            ran,
            ran[0][1].compiled.snapshot,
            usd=sum(cost.usd for cost in costs),
            rehearsal=self.rehearsal,
            run=self.id,
        )

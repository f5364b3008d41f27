"""Expectation values from a paid device: the same settings are the same run, paid once."""

from __future__ import annotations

from dataclasses import dataclass

from backends.base import CompiledTemplate
from qhw.analysis.expect.predicted import predict_values
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import (
    LABEL,
    ExpectQuote,
    Measured,
    paid_cost,
    plan,
    quote_expectation,
    result_of,
)
from qhw.circuits.workload import Workload
from qhw.jobs.queries import template_of
from qhw.mitigation.expectation import NoCountsError, run_expectation
from qhw.paid.kept import WorkloadRun
from qhw.paid.run import Notify


@dataclass
class ExpectRun(WorkloadRun[ExpectSettings, Measured]):
    """One circuit's expectation values in the ledger."""

    reads = ExpectSettings

    def prepare(self, tell: Notify) -> ExpectQuote:
        """Check, compile and price; nothing is written down.

        Raises:
            ValueError: nothing to measure.
            MitigationError: a technique that the device has no use for.
            BackendError: the device would refuse it.
        """
        quote = quote_expectation(self.settings, self.workload(), self.backend.vendor(), tell)
        self.backend.compiled = {LABEL: quote.program.compiled}
        return quote

    def compute(self, tell: Notify) -> Measured:
        """The values, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            NoCountsError: a circuit failed.
        """
        tell("building the circuits")
        compiled, work = self._compiled(), self._known_workload()
        program = plan(self.settings, self.backend, compiled, work, in_jobs=True)
        texts = self.settings.observables
        self.backend.freeze(LABEL, lambda: predict_values(program, texts).to_bytes())
        try:
            found = run_expectation(program, seed=self.settings.seed)
        except NoCountsError as error:
            raise NoCountsError(
                f"Run {self.id}: {error}; `qhw jobs counts {self.id}` writes what is there, "
                "`qhw expect ... --again` sends all of it anew"
            ) from error
        cost = self.backend.estimate(compiled, circuits=program.rows, shots=self.settings.shots)
        return result_of(
            self.settings,
            program,
            found,
            work,
            cost=paid_cost(cost),
            command=self.backend.request.command,
            run=self.id,
            rehearsal=self.rehearsal,
            frozen=self.backend.frozen(LABEL),
        )

    def _known_workload(self) -> Workload | None:
        """What runs; ``None`` of runs from before the ledger kept it, which had one row."""
        known = self.given is not None or self.settings.workload_sha256 is not None
        return self.workload() if known else None

    def _compiled(self) -> CompiledTemplate:
        """As submitted; as compiled for a submission before that."""
        with self.ledger.read() as connection:
            submitted = template_of(connection, self.id, LABEL)
        if submitted is not None:
            self.backend.compiled[LABEL] = submitted
        return self.backend.compiled[LABEL]

"""Expectation values from a paid device: the same settings are the same run, paid once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError
from qiskit import QuantumCircuit

from backends.base import CompiledTemplate
from backends.registry import get_vendor
from backends.vendor import is_rehearsal
from qhw.analysis.expect import (
    LABEL,
    ExpectQuote,
    Measured,
    compile_circuit,
    paid_cost,
    plan,
    quote_expectation,
    result_of,
)
from qhw.analysis.expect_result import ExpectSettings
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import jobs_of, runs_of, template_of
from qhw.jobs.records import JobRecord
from qhw.jobs.states import State
from qhw.mitigation.expectation import NoCountsError, run_expectation
from qhw.paid.run import Notify, PaidRun


@dataclass
class ExpectRun(PaidRun[ExpectSettings, Measured]):
    """One circuit's expectation values in the ledger."""

    reads = ExpectSettings

    @classmethod
    def before(cls, settings: ExpectSettings) -> Self | None:
        """The newest run of the same settings that may still give the result, or gave it.

        Rehearsals are other runs than paid ones. A run that was cancelled, or of which the vendor
        accepted nothing, is not gone on with.

        Raises:
            BackendError: the device does not exist, or its vendor's address is not known.
            LedgerError: the ledger cannot be opened.
        """
        vendor = get_vendor(settings.device)
        rehearsal = is_rehearsal(vendor)
        ledger = Ledger.open()
        with ledger.read() as connection:
            for record in runs_of(connection, settings.task, vendor.name):
                if (
                    record.rehearsal == rehearsal
                    and _same(record.settings, settings)
                    and _goes_on(jobs_of(connection, record.id))
                ):
                    return cls.of(ledger, record.id)
        ledger.close()
        return None

    def prepare(self, circuit: QuantumCircuit, tell: Notify) -> ExpectQuote:
        """Compile, check and price; nothing is written down.

        Raises:
            ValueError: nothing to measure.
            BackendError: the device would refuse it.
        """
        vendor = self.backend.vendor()
        tell(f"compiling for {vendor.name}")
        compiled = compile_circuit(self.settings, vendor, circuit)
        self.backend.compiled = {LABEL: compiled}
        tell("checking and pricing")
        return quote_expectation(self.settings, vendor, compiled)

    def compute(self, tell: Notify) -> Measured:
        """The values, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            NoCountsError: a circuit failed.
        """
        tell("building the circuits")
        compiled = self._compiled()
        program = plan(self.settings, self.backend, compiled, in_jobs=True)
        try:
            found = run_expectation(program, seed=self.settings.seed)
        except NoCountsError as error:
            raise NoCountsError(
                f"Run {self.id}: {error}; `qhw jobs counts {self.id}` writes what is there, "
                "`qhw expect ... --again` sends all of it anew"
            ) from error
        cost = self.backend.estimate(compiled, circuits=1, shots=self.settings.shots)
        return result_of(
            self.settings,
            program,
            found,
            cost=paid_cost(cost),
            command=self.backend.request.command,
            run=self.id,
            rehearsal=self.rehearsal,
        )

    def _compiled(self) -> CompiledTemplate:
        """As submitted; as compiled for a submission before that."""
        with self.ledger.read() as connection:
            submitted = template_of(connection, self.id, LABEL)
        if submitted is not None:
            self.backend.compiled[LABEL] = submitted
        return self.backend.compiled[LABEL]


def _same(text: str, settings: ExpectSettings) -> bool:
    try:
        return ExpectSettings.model_validate_json(text) == settings
    except ValidationError:  # of a later version
        return False


def _goes_on(jobs: tuple[JobRecord, ...]) -> bool:
    cancelled = any(
        job.state is State.CANCELLED or (job.cancel_requested and not job.state.final)
        for job in jobs
    )
    return not cancelled and any(job.state is not State.REFUSED for job in jobs)

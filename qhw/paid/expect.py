"""Expectation values from a paid device: the same settings are the same run, paid once."""

from __future__ import annotations

from dataclasses import dataclass

from qiskit import QuantumCircuit

from backends.base import CompiledTemplate
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
from qhw.jobs.queries import template_of
from qhw.mitigation.expectation import NoCountsError, run_expectation
from qhw.paid.run import Notify, PaidRun


@dataclass
class ExpectRun(PaidRun[ExpectSettings, Measured]):
    """One circuit's expectation values in the ledger."""

    reads = ExpectSettings

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

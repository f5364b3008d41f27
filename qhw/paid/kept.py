"""Runs whose circuit and rows are a person's own, kept in the ledger beside the settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeVar

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.settings import MeasureSettings
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import Measured
from qhw.circuits.workload import Workload
from qhw.jobs import blobs
from qhw.jobs.errors import LedgerError
from qhw.paid.run import Notify, PaidRun

S = TypeVar("S", MeasureSettings, ExpectSettings)
R = TypeVar("R", Comparison, Measured)


class Paying(NamedTuple):
    """What a new run may cost, whose cap it counts against, and the command that it is of."""

    budget: str | None
    project: str
    command: str


@dataclass
class WorkloadRun(PaidRun[S, R]):
    """A run of a workload, which any process finds in the ledger.

    Attributes:
        given: the workload, where this process has it; else it is read from the ledger.
    """

    given: Workload | None = field(default=None, repr=False)
    _packed: bytes = field(default=b"", repr=False)

    @classmethod
    def begin(
        cls, settings: S, workload: Workload, budget: str | None, project: str, command: str
    ) -> Self:
        """A run that is not in the ledger yet.

        Raises:
            ValueError: the budget is no amount of a known currency.
            LedgerError: the ledger cannot be opened.
            BackendError: the device does not exist, or the vendor cannot be reached.
        """
        packed = workload.to_bytes()  # once: Qiskit's form of a circuit differs from time to time
        sha = hashlib.sha256(packed).hexdigest()
        stored = settings.model_copy(update={"workload_sha256": sha})
        run = cls.new(stored, budget, project, command)
        run.given, run._packed = workload, packed
        return run

    @classmethod
    def asked(
        cls, settings: S, workload: Workload, paying: Paying, *, again: bool
    ) -> tuple[Self, bool]:
        """The run of the same settings that is in the ledger, else a new one, and whether new.

        Args:
            settings: what is asked.
            workload: what runs.
            paying: of a new one.
            again: new in any case.

        Raises:
            ValueError: as :meth:`begin`.
            LedgerError: the ledger cannot be opened.
            BackendError: as :meth:`begin`.
        """
        run = None if again else cls.before(settings)
        return (cls.begin(settings, workload, *paying), True) if run is None else (run, False)

    @classmethod
    def in_ledger(cls, settings: S) -> bool:
        """Whether a run of the same settings goes on, or has given its result.

        Raises:
            LedgerError: the ledger cannot be opened.
            BackendError: as :meth:`before`.
        """
        run = cls.before(settings)
        if run is not None:
            run.ledger.close()
        return run is not None

    def start(self, tell: Notify) -> None:
        """Write the workload down, submit the first stage and return."""
        self.ledger.write(lambda connection: blobs.put(connection, self._packed))
        super().start(tell)

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

"""A run on a paid device, whatever it computes: begin it, follow it, take it up again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from backends.registry import get_vendor
from backends.vendor import VendorBackend
from qhw.analysis.expect_result import ExpectSettings
from qhw.analysis.result import Settings
from qhw.cli.console import err
from qhw.cli.job_lines import job_document, states_line
from qhw.jobs.budget import Budget
from qhw.jobs.config import Config, load_config
from qhw.jobs.device import LedgerBackend, Pending
from qhw.jobs.intent import RunRequest, new_run_id
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import parse_money
from qhw.jobs.queries import charged_micro, get_run, jobs_of
from qhw.jobs.records import JobRecord
from qhw.jobs.work import watch

Notify = Callable[[str], None]
S = TypeVar("S", Settings, ExpectSettings)
R = TypeVar("R")


@dataclass
class PaidRun(ABC, Generic[S, R]):
    """One run in the ledger.

    Attributes:
        ledger: where.
        settings: what is computed.
        backend: the device behind the ledger.
        config: caps and patience.
        moment: when it was begun; calibrations it uses need not stay fresh after that.
    """

    reads: ClassVar[type[Settings] | type[ExpectSettings]]

    ledger: Ledger
    settings: S
    backend: LedgerBackend
    config: Config
    moment: datetime

    @classmethod
    def new(cls, settings: S, budget: str | None, project: str, command: str) -> Self:
        """A run that is not in the ledger yet.

        Raises:
            ValueError: the budget is no amount of a known currency.
            ConfigError: the configuration cannot be used.
            LedgerError: the ledger cannot be opened.
            BackendError: the device does not exist, or the vendor cannot be reached.
        """
        config = load_config()
        caps = Budget(None if budget is None else parse_money(budget), config.caps)
        request = RunRequest(
            id=new_run_id(),
            task=settings.task,
            project=project,
            settings=settings.model_dump_json(),
            command=command,
        )
        ledger = Ledger.open()
        vendor = get_vendor(settings.device)
        backend = LedgerBackend(ledger, request, vendor.name, lambda: vendor, caps, config.patience)
        return cls(ledger, settings, backend, config, datetime.now(UTC))

    @classmethod
    def of(cls, ledger: Ledger, name: str) -> Self:
        """A run of the ledger.

        Raises:
            UnknownRunError: no such run.
        """
        with ledger.read() as connection:
            record = get_run(connection, name)
        config = load_config()
        settings: Any = cls.reads.model_validate_json(record.settings)
        request = RunRequest(
            record.id, record.task, record.project, record.settings, record.command
        )
        caps = Budget(record.budget_micro, config.caps)
        made: list[VendorBackend] = []

        def vendor() -> VendorBackend:
            if not made:
                made.append(get_vendor(record.backend))
            return made[0]

        backend = LedgerBackend(ledger, request, record.backend, vendor, caps, config.patience)
        return cls(ledger, settings, backend, config, record.created)

    @property
    def id(self) -> str:
        """Name of the run."""
        return self.backend.request.id

    @property
    def rehearsal(self) -> bool:
        """Whether its vendor is simulated on this machine."""
        return self.backend.rehearsal

    def start(self, tell: Notify) -> None:
        """Submit the first stage and return."""
        self.backend.wait = False
        try:
            self.compute(tell)
        except Pending:
            self.backend.wait = True

    def resume(self, tell: Notify) -> R | None:
        """Go on with the computation; ``None`` while counts are outstanding.

        A stage whose inputs have become known is submitted.
        """
        try:
            return self.compute(tell)
        except Pending:
            return None

    def wait(self, tell: Notify, timeout_s: float | None = None) -> R | None:
        """Follow the run to its end; ``None`` when the time is up before that."""
        found = self.resume(tell)
        while found is None:
            jobs = watch(
                self.ledger,
                lambda _: self.backend.vendor(),
                self.id,
                patience=self.config.patience,
                timeout_s=timeout_s,
                tell=lambda jobs: tell(states_line(jobs)),
            )
            if not all(job.state.final for job in jobs):
                return None
            found = self.resume(tell)
        return found

    @abstractmethod
    def compute(self, tell: Notify) -> R:
        """Everything from the settings to the result, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            BackendError: too many circuits failed.
        """

    @abstractmethod
    def report(self, found: R | None, folder: Path, *, as_json: bool) -> None:
        """Write and print the result."""

    def jobs(self) -> tuple[JobRecord, ...]:
        """The run's jobs as they stand."""
        with self.ledger.read() as connection:
            return jobs_of(connection, self.id)

    def job_documents(self) -> list[dict[str, Any]]:
        """The run's jobs for JSON."""
        with self.ledger.read() as connection:
            jobs = jobs_of(connection, self.id)
            charged = charged_micro(connection, jobs)
        return [job_document(job, charged[job.id]) for job in jobs]

    def say_what_goes_on(self) -> None:
        """An interrupted wait stops nothing at the vendor: name the run that goes on, is paid."""
        if any(not record.state.final for record in self.jobs()):
            paid = "" if self.rehearsal else " and is charged"
            err.print(
                f"interrupted, but {self.id} goes on at the vendor{paid}: `qhw jobs watch "
                f"{self.id}` waits for it, `qhw jobs cancel {self.id}` stops it",
                soft_wrap=True,
            )

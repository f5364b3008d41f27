"""A run on a paid device, whatever it computes: begin it, follow it, take it up again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ValidationError

from backends.registry import get_vendor
from backends.vendor import VendorBackend, is_rehearsal
from qhw.analysis.compare.settings import MeasureSettings, Settings
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.head.calibration import HeadSettings
from qhw.jobs.budget import Budget
from qhw.jobs.config import Config, load_config
from qhw.jobs.device import LedgerBackend, Pending
from qhw.jobs.intent import RunRequest, new_run_id
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import parse_money
from qhw.jobs.queries import get_run, jobs_of, runs_of
from qhw.jobs.records import JobRecord
from qhw.jobs.states import State
from qhw.jobs.words import states_line
from qhw.jobs.work import watch

Notify = Callable[[str], None]
S = TypeVar("S", Settings, MeasureSettings, ExpectSettings, HeadSettings)
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

    reads: ClassVar[
        type[Settings] | type[MeasureSettings] | type[ExpectSettings] | type[HeadSettings]
    ]

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

    @classmethod
    def before(cls, settings: S) -> Self | None:
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
                    and cls._same(record.settings, settings)
                    and _goes_on(jobs_of(connection, record.id))
                ):
                    return cls.of(ledger, record.id)
        ledger.close()
        return None

    @classmethod
    def _same(cls, text: str, settings: S) -> bool:
        """Whether stored settings ask for the same; those of a later version never do."""
        try:
            return bool(_asked(cls.reads.model_validate_json(text)) == _asked(settings))
        except ValidationError:
            return False

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

    def send(
        self,
        tell: Notify,
        *,
        fresh: bool = True,
        priced: Callable[[Any], None] = lambda _quote: None,
    ) -> None:
        """Check, compile, price and submit a new run; one that was sent before is named.

        Args:
            tell: told what is being done.
            fresh: whether it is new.
            priced: told the price before anything is sent.

        Raises:
            BackendError: the device would refuse it.
            BudgetError: a cap would be passed; nothing was sent.
        """
        if not fresh:
            sent = f"{self.moment:%Y-%m-%d %H:%M} UTC"
            tell(f"taking up {self.id}, sent {sent}; nothing is sent twice")
            return
        priced(self.prepare(tell))
        self.start(tell)
        tell(f"submitted as {self.id}")

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
    def prepare(self, tell: Notify) -> object:
        """Check, compile and price; nothing is written down.

        Raises:
            BackendError: the device would refuse it, or its price is unknown.
        """

    @abstractmethod
    def compute(self, tell: Notify) -> R:
        """Everything from the settings to the result, counts from the ledger.

        Raises:
            Pending: counts are outstanding.
            BackendError: too many circuits failed.
        """

    def jobs(self) -> tuple[JobRecord, ...]:
        """The run's jobs as they stand."""
        with self.ledger.read() as connection:
            return jobs_of(connection, self.id)

    def describe_if_open(self) -> str | None:
        """What an interrupted wait leaves behind: the run goes on at the vendor, and is paid."""
        if all(record.state.final for record in self.jobs()):
            return None
        paid = "" if self.rehearsal else " and is charged"
        return (
            f"{self.id} goes on at the vendor{paid}: `qhw jobs watch {self.id}` waits for it, "
            f"`qhw jobs cancel {self.id}` stops it"
        )


def _asked(settings: BaseModel) -> dict[str, Any]:
    """What is asked for; a circuit is known by its hash, its name may be another tomorrow.

    Of a precision not the shots: another calibration may plan others for the same.
    """
    planned = getattr(settings, "precision", None) is not None
    other = {"workload_sha256", "circuit"} | ({"shots"} if planned else set())
    return settings.model_dump(exclude=other)


def _goes_on(jobs: tuple[JobRecord, ...]) -> bool:
    cancelled = any(
        job.state is State.CANCELLED or (job.cancel_requested and not job.state.final)
        for job in jobs
    )
    return not cancelled and any(job.state is not State.REFUSED for job in jobs)

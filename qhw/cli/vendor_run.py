"""A run on a paid device, from the command line's point of view: begin it, take it up, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.registry import get_vendor
from backends.vendor import VendorBackend
from qhw.analysis.compare import Comparison, compare
from qhw.analysis.quote import StageQuote, quote, reserved_later
from qhw.analysis.result import Settings
from qhw.analysis.stage import TooFewRowsError
from qhw.cli.compare import report_run
from qhw.cli.job_lines import job_document, states_line
from qhw.jobs.budget import Budget, release_later
from qhw.jobs.config import Config, load_config
from qhw.jobs.device import LedgerBackend, Pending, Rehearsed
from qhw.jobs.intent import RunRequest, new_run_id
from qhw.jobs.ledger import Ledger
from qhw.jobs.money import parse_money
from qhw.jobs.queries import charged_micro, get_run, jobs_of
from qhw.jobs.records import JobRecord
from qhw.jobs.work import watch

Notify = Callable[[str], None]


@dataclass
class VendorRun:
    """One run in the ledger.

    Attributes:
        ledger: where.
        settings: of the main job.
        backend: the device behind the ledger.
        config: caps and patience.
        moment: when it was begun; calibrations it uses need not stay fresh after that.
    """

    ledger: Ledger
    settings: Settings
    backend: LedgerBackend
    config: Config
    moment: datetime

    @classmethod
    def new(cls, settings: Settings, budget: str | None, project: str, command: str) -> VendorRun:
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
    def of(cls, ledger: Ledger, name: str) -> VendorRun:
        """A run of the ledger.

        Raises:
            UnknownRunError: no such run.
        """
        with ledger.read() as connection:
            record = get_run(connection, name)
        config = load_config()
        settings = Settings.model_validate_json(record.settings)
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
            self._compare(tell)
        except Rehearsed as rehearsed:
            target = folder / f"{self.id}-dry-run"
            target.mkdir(parents=True)
            paths = [target / f"payload-{part}.bin" for part in range(len(rehearsed.jobs))]
            for path, job in zip(paths, rehearsed.jobs, strict=True):
                path.write_bytes(self.backend.vendor().payload(job.submission, "qhw-dry-run"))
            return paths
        raise AssertionError("a dry run must stop at the first stage")

    def start(self, tell: Notify) -> None:
        """Submit the first stage and return."""
        self.backend.wait = False
        try:
            self._compare(tell)
        except Pending:
            self.backend.wait = True

    def resume(self, tell: Notify) -> Comparison | None:
        """Go on with the computation; ``None`` while counts are outstanding.

        A stage whose inputs have become known is submitted.
        """
        try:
            return self._compare(tell)
        except Pending:
            return None

    def wait(self, tell: Notify, timeout_s: float | None = None) -> Comparison | None:
        """Follow the run to its end; ``None`` when the time is up before that."""
        comparison = self.resume(tell)
        while comparison is None:
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
            comparison = self.resume(tell)
        return comparison

    def report(self, comparison: Comparison | None, folder: Path, *, as_json: bool) -> None:
        """Write and print the comparison."""
        assert comparison is not None  # waited for without a limit
        report_run(comparison, folder, self.id, as_json=as_json)

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

    def _compare(self, tell: Notify) -> Comparison:
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

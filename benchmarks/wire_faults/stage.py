"""Plays a case: a vendor, a home with a ledger, a fault, the commands, and what is left behind."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.books import files_problems
from benchmarks.vendor_process import VendorProcess
from benchmarks.wire_faults import judge
from benchmarks.wire_faults.cases import Case
from benchmarks.wire_faults.commands import Done, run
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import latest_jobs

DEVICES = {"ibm": "ibm_lagos", "braket": "iqm_garnet"}
LIMIT_S = 60.0
"""No command may take longer, with the waits of :mod:`benchmarks.wire_faults.commands`."""
_VISIBLE_S = 0.35
_ROUNDS = 5
_SIZE = ("--task", "generate", "--molecules", "2", "--shots", "40")
_BUDGET = ("--budget", "90usd")
_MAY_REFUSE = ("submit", "run", "devices --live", "estimate")
"""Commands whose proper answer may be one line of error; the others serve every job there is."""


@dataclass(frozen=True)
class Cell:
    """What one command came to in one case.

    Attributes:
        vendor: of the case.
        scene: of the case.
        fault: name of the case.
        command: the command; ``after`` is the state once the fault is over.
        problems: empty where everything held.
        verdict: ``right``, ``one line``, or the problems.
        seconds: it took.
    """

    vendor: str
    scene: str
    fault: str
    command: str
    problems: tuple[str, ...]
    verdict: str
    seconds: float


class Stage:
    """One vendor, in whose account a stranger's finished job lies before anything else.

    Args:
        vendor: ``ibm`` or ``braket``.
        folder: an empty one.
    """

    def __init__(self, vendor: str, folder: Path) -> None:
        self.vendor = vendor
        self._folder = folder
        # our own guards have to be enough: a client token is not honoured here
        behaviour = {"dedupe": False} if vendor == "braket" else None
        self.process = VendorProcess(vendor, DEVICES[vendor], behaviour)
        self._device = f"{vendor}:{self.process.device}"
        self._patient = False
        self._bases: dict[str, Path] = {}
        self._numbers = iter(range(10**9))

    def close(self) -> None:
        """Stop the vendor."""
        self.process.close()

    def play(self, case: Case) -> Iterator[Cell]:
        """Every command of a case; a single cell where no request met the fault."""
        scenes: dict[str, Callable[[], Path]] = {
            "sent": self._sent,
            "lost": self._lost,
            "cancel": self._waiting,
        }
        if case.scene != "live" and not self.process.account():
            self._submit(self._home(), seed=9)  # a stranger's, whose answers must not become ours
            self.process.idle()
        home = scenes.get(case.scene, self._home)()
        self._patient = case.bulk
        hits, strayed = self.process.hits(), self.process.strayed()
        self.process.fault(*case.faults)
        cells = []
        for name, arguments in self._commands(case.scene, home):
            done = self._run(home, arguments)
            problems = self._judged(name, done)
            cells.append(_cell(self.vendor, case, name, problems, done))
        self._patient = False
        self.process.calm()
        self.process.release()
        if case.faults and self.process.hits() == hits:
            name = "no request met the fault"
            yield Cell(self.vendor, case.scene, case.name, "all", (), name, 0.0)
        else:
            yield from cells
            if case.scene != "live":
                yield from self._views(case, home)
                yield self._after(case, home, self.process.strayed() - strayed)
        shutil.rmtree(home)

    # -- what is under way -----------------------------------------------------------------------
    def _home(self) -> Path:
        home = self._folder / f"home-{next(self._numbers)}"
        home.mkdir()
        return home

    def _copy(self, base: str, make: Callable[[Path], None]) -> Path:
        """A copy of a home that is made once."""
        if base not in self._bases:
            self._bases[base] = self._home()
            make(self._bases[base])
        home = self._home()
        shutil.copytree(self._bases[base], home, dirs_exist_ok=True)
        return home

    def _sent(self) -> Path:
        def make(home: Path) -> None:
            self.process.hold()  # a quick job would be fetched by the very command that sends it
            self._submit(home)
            self.process.release()
            self.process.idle()

        return self._copy("sent", make)

    def _lost(self) -> Path:
        def make(home: Path) -> None:
            self.process.hold()
            self.process.fault("status-after@post")
            self._submit(home)
            self.process.calm()
            self.process.release()
            self.process.idle()

        return self._copy("lost", make)

    def _waiting(self) -> Path:
        self.process.hold()
        home = self._home()
        self._submit(home)
        return home

    # -- commands --------------------------------------------------------------------------------
    def _commands(self, scene: str, home: Path) -> Iterator[tuple[str, list[str]]]:
        order = ["--device", self._device, *_SIZE]
        if scene == "submit":
            yield "submit", ["submit", *order, *_BUDGET]
        elif scene == "run":
            out = ["--out", str(home / "runs")]
            yield "run", ["run", *order, *_BUDGET, *out]
        elif scene == "live":
            yield "devices --live", ["devices", "--live", self._device]
            yield "estimate", ["estimate", *order]
        elif scene == "cancel":
            yield "jobs cancel", ["jobs", "cancel", self._run_of(home) or "none"]
        else:
            yield "jobs reconcile", ["jobs", "reconcile"]
            yield "jobs reconcile again", ["jobs", "reconcile"]

    def _views(self, case: Case, home: Path) -> Iterator[Cell]:
        """What the ledger's own commands make of it."""
        name = self._run_of(home)
        wanted = [("jobs list", ["jobs", "list"])]
        if name is not None:
            wanted += [
                ("jobs show", ["jobs", "show", name]),
                ("jobs show --json", ["jobs", "show", name, "--json"]),
                ("jobs counts", ["jobs", "counts", name, "--out", str(home / "counts")]),
            ]
        for command, arguments in wanted:
            done = self._run(home, arguments)
            problems = self._judged(command, done)
            if command.endswith("--json") and not _is_json(done.out):
                problems.append("no JSON")
            yield _cell(self.vendor, case, command, problems, done)

    def _judged(self, command: str, done: Done) -> list[str]:
        problems = judge.of_output(done, self.process.secrets(), LIMIT_S)
        if done.code == 2 and command not in _MAY_REFUSE:
            problems.append(f"ended by one job: {done.err.decode(errors='replace')[-70:].strip()}")
        return problems

    def _after(self, case: Case, home: Path, strayed: int) -> Cell:
        """Everything is well again: does the run come to its end, and to the right one?"""
        begin = time.monotonic()
        self.process.idle()
        problems, how = [], ""
        self._run(home, ["jobs", "reconcile"])  # asks for costs of ended jobs, too
        books = self._books(case, home)
        for _ in range(_ROUNDS):
            if not books.open:
                break
            time.sleep(_VISIBLE_S)
            self._run(home, ["jobs", "reconcile"])
            books = self._books(case, home)
        if books.open:
            how = f"{', '.join(books.open)} until cancelled"
            self._run(home, ["jobs", "cancel", self._run_of(home) or "none"])
            for _ in range(_ROUNDS):
                self._run(home, ["jobs", "reconcile"])
            books = self._books(case, home)
        if books.open:
            how = f"{', '.join(books.open)} until given up"
            for number, key in self._open_jobs(home):
                # as a person does who has looked at the vendor's own page
                micro = sum(b.micro for b in self.process.account() if b.key == key)
                charge = f"{micro / 1e6:.6f}usd"
                self._run(home, ["jobs", "give-up", number, "--charge", charge, "--why", "a fault"])
            books = self._books(case, home)
            if books.open:
                problems.append(f"stuck: {', '.join(books.open)}")
        problems += books.problems
        problems += files_problems(home, self.process.secrets())
        if strayed:
            problems.append(f"{strayed} requests led elsewhere")
        verdict = "; ".join(problems) or how or "right"
        taken = time.monotonic() - begin
        return Cell(self.vendor, case.scene, case.name, "after", tuple(problems), verdict, taken)

    def _open_jobs(self, home: Path) -> list[tuple[str, str]]:
        """Number and key of each."""
        listed = json.loads(self._run(home, ["jobs", "list", "--open", "--json"]).out)
        return [(str(job["job"]), str(job["key"])) for job in listed["jobs"]]

    def _books(self, case: Case, home: Path) -> judge.Books:
        return judge.of_books(_ledger(home), self.process.account(), lie=case.lie)

    def _submit(self, home: Path, seed: int = 0) -> None:
        order = ["--device", self._device, *_SIZE, "--seed", str(seed)]
        before = len(self.process.account())
        self._patient = True
        done = self._run(home, ["submit", *order, *_BUDGET])
        self._patient = False
        if done.code != 0 or len(self.process.account()) != before + 1:
            raise RuntimeError(f"the run that is to be faulted could not be sent: {done.err!r}")

    def _run(self, home: Path, arguments: list[str]) -> Done:
        environment = {
            **self.process.environment,
            "HOME": str(home),
            "QHW_DATA": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",  # nothing but the vendor under test is asked
            "COLUMNS": "200",
        }
        return run(arguments, environment, LIMIT_S, patient=self._patient)

    def _run_of(self, home: Path) -> str | None:
        """Name of the home's newest run, where it has one."""
        with Ledger.open(_ledger(home)) as ledger, ledger.read() as connection:
            return next((job.run_id for job in latest_jobs(connection, limit=1)), None)


def _cell(vendor: str, case: Case, command: str, problems: list[str], done: Done) -> Cell:
    verdict = "; ".join(problems) or ("one line" if done.code == 2 else "right")
    return Cell(vendor, case.scene, case.name, command, tuple(problems), verdict, done.seconds)


def _ledger(home: Path) -> str:
    (home / "data").mkdir(exist_ok=True)
    return f"sqlite:///{home / 'data' / 'ledger.db'}"


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

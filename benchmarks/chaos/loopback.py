"""The loopback IBM and Braket as worlds: a server process of its own, real clients over HTTP."""

from __future__ import annotations

import multiprocessing
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.bounded_http import Patience as HttpPatience
from backends.braket import BraketBackend
from backends.braket_client import BraketClient
from backends.braket_devices import arn_of, region_of_arn
from backends.ibm import IBMBackend
from backends.ibm_client import IBMClient
from backends.loopback.braket import BraketService
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API, IBMPlatform
from backends.loopback.server import Application, LoopbackServer
from backends.vendor import JobState, Submission, VendorBackend
from benchmarks.chaos.world import Billed, two_qubit_circuit
from qhw.jobs.config import Patience

_FORK = multiprocessing.get_context("fork")
_HTTP = HttpPatience(connect_s=2.0, silence_s=0.3, request_s=0.6, question_s=0.8, pause_s=0.02)
_POST_FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Fault.answer(400),
    lambda: Fault.answer(500),
    lambda: Fault.answer(503, after=True),
    lambda: Fault.answer(504, after=True),
    lambda: Fault.throttle(),
    lambda: Fault.throttle(1),
    lambda: Fault.drop(),
    lambda: Fault.drop(after=True),
    lambda: Fault.hang(),
    lambda: Fault.hang(after=True),
    lambda: Fault.truncate(),
    lambda: Fault.malformed(),
)
_ASK_FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Fault.answer(500),
    lambda: Fault.answer(503),
    lambda: Fault.throttle(),
    lambda: Fault.throttle(1),
    lambda: Fault.drop(),
    lambda: Fault.hang(),
    lambda: Fault.truncate(),
    lambda: Fault.malformed(),
    lambda: Fault.delay(0.05),
)
_IBM_STATES = {"Completed": JobState.DONE, "Failed": JobState.FAILED}
_BRAKET_STATES = {"COMPLETED": JobState.DONE, "FAILED": JobState.FAILED}
_ASK_CHANCE = 0.15
_ASKS = 6


def _platform() -> tuple[Application, Callable[[], tuple[Billed, ...]]]:
    platform = IBMPlatform(("ibm_boston",))

    def account() -> tuple[Billed, ...]:
        return tuple(
            Billed(
                job.id,
                next((tag for tag in job.tags if tag.startswith("qhw-")), ""),
                _IBM_STATES.get(job.status, JobState.CANCELLED),
                None,
                int(job.billed_s > 0),
            )
            for job in platform.queue.jobs
        )

    return platform, account


def _service() -> tuple[Application, Callable[[], tuple[Billed, ...]]]:
    service = BraketService(("iqm_garnet",))
    service.queue.behaviour.dedupe = False  # our own guards have to be enough
    service.queue.behaviour.hidden_s = 0.05

    def account() -> tuple[Billed, ...]:
        return tuple(
            Billed(
                task.arn,
                task.token,
                _BRAKET_STATES.get(task.status, JobState.CANCELLED),
                round(task.billed_usd * 1e6),
                int(task.billed_usd > 0),
            )
            for task in service.queue.tasks
        )

    return service, account


def _serve(
    pipe: Connection,
    make: Callable[[], tuple[Application, Callable[[], tuple[Billed, ...]]]],
    rules: tuple[tuple[str, str], ...],
) -> None:
    """The server process: obeys ``(word, argument)`` until told to stop."""
    application, account = make()
    with LoopbackServer(application) as server:
        pipe.send(server.url)
        while True:
            word, argument = pipe.recv()
            if word == "arrange":
                server.faults.add(*_plan(rules, argument))
            elif word == "calm":
                server.faults.clear()
            elif word == "stop":
                break
            pipe.send(account() if word == "account" else None)


def _plan(rules: tuple[tuple[str, str], ...], seed: int) -> list[Rule]:
    """Faults for the next requests: the first path is that of posts, the others are questions."""
    rng = np.random.default_rng(seed)
    (method, path), *asks = rules
    plan = [
        Rule(path, _POST_FAULTS[int(rng.integers(len(_POST_FAULTS)))](), method, 1, int(skip))
        for skip in rng.integers(0, 3, size=int(rng.integers(0, 4)))
    ]
    for method, path in asks:
        for skip in range(_ASKS):
            if rng.random() < _ASK_CHANCE:
                fault = _ASK_FAULTS[int(rng.integers(len(_ASK_FAULTS)))]()
                plan.append(Rule(path, fault, method, 1, skip))
    return plan


class LoopbackWorld(ABC):
    """A loopback vendor in a process of its own, which no killed client takes along."""

    patience = Patience(visibility_s=0.5, lease_s=60.0, attempts=8, backoff_s=0.02)
    rules: ClassVar[tuple[tuple[str, str], ...]]
    """Method and path of the post, then of every question."""

    def __init__(self, make: Callable[[], Any], environment: Callable[[str], dict[str, str]]):
        self._pipe, theirs = _FORK.Pipe()
        self._server = _FORK.Process(target=_serve, args=(theirs, make, self.rules), daemon=True)
        self._server.start()
        os.environ.update(environment(self._pipe.recv()))
        # no fault is planned yet: whatever the machine's load, this has to work
        self._compiled = self.client(HttpPatience()).compile(two_qubit_circuit())

    @abstractmethod
    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        """A fresh client."""

    def submission(self, rows: int, shots: int) -> Submission:
        angles = np.random.default_rng(rows).uniform(0, 3, (rows, 2))
        return Submission(self._compiled, angles, shots)

    def arrange(self, rng: np.random.Generator) -> None:
        self._ask("arrange", int(rng.integers(2**31)))

    def calm(self) -> None:
        self._ask("calm")

    def account(self) -> tuple[Billed, ...]:
        answer: tuple[Billed, ...] = self._ask("account")
        return answer

    def counts(self, vendor_id: str) -> NDArray[np.int64] | None:
        del vendor_id  # the server keeps what it sent, not what it measured
        return None

    def close(self) -> None:
        self._pipe.send(("stop", None))
        self._server.join(5)
        if self._server.is_alive():
            self._server.kill()

    def _ask(self, word: str, argument: object = None) -> Any:
        self._pipe.send((word, argument))
        return self._pipe.recv()


class IBMWorld(LoopbackWorld):
    """IBM Quantum Platform."""

    rules = (
        ("POST", f"{API}/jobs"),
        ("GET", f"{API}/jobs"),
        ("GET", f"{API}/jobs/[^/]+"),
        ("GET", f"{API}/jobs/[^/]+/results"),
        ("GET", f"{API}/jobs/[^/]+/metrics"),
        ("POST", f"{API}/jobs/[^/]+/cancel"),
        ("POST", "/identity/token"),
    )

    def __init__(self, folder: Path) -> None:
        del folder
        super().__init__(_platform, IBMPlatform.environment)

    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        return IBMBackend("ibm_boston", client=IBMClient(patience=patience))


class BraketWorld(LoopbackWorld):
    """Amazon Braket, which here ignores the client token: tags and lookups have to do."""

    rules = (
        ("POST", "/quantum-task"),
        ("POST", "/quantum-tasks"),
        ("GET", "/quantum-task/.+"),
        ("PUT", "/quantum-task/.+/cancel"),
        ("GET", "/device/.+"),
        ("GET", "/[^/]+/qhw/.+"),
    )

    def __init__(self, folder: Path) -> None:
        del folder
        super().__init__(_service, BraketService.environment)

    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        client = BraketClient(region_of_arn(arn_of("iqm_garnet")), patience)
        return BraketBackend("iqm_garnet", client=client)

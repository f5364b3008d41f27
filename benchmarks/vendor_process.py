"""A loopback vendor in a process of its own, which no killed client takes along."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.loopback.braket import BraketService
from backends.loopback.catalog import parse
from backends.loopback.faults import Rule
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from backends.prices import price_of
from backends.vendor import JobState

_FORK = multiprocessing.get_context("fork")
DEVICES: Mapping[str, str] = {"ibm": "ibm_boston", "braket": "iqm_garnet"}
_IBM_STATES = {"Completed": JobState.DONE, "Failed": JobState.FAILED}
_BRAKET_STATES = {"COMPLETED": JobState.DONE, "FAILED": JobState.FAILED}


@dataclass(frozen=True)
class Billed:
    """One job in the vendor's own book.

    Attributes:
        vendor_id: the vendor's name of it.
        key: what it was posted with.
        state: where it stands.
        micro: billed, millionths of a dollar.
        counts: what it measured, ``(B, 2**m)``; ``None`` where it has not run, or the book does
            not keep that.
    """

    vendor_id: str
    key: str
    state: JobState
    micro: int
    counts: NDArray[np.int64] | None = None


class VendorProcess:
    """Serves one device; everything about it is asked over a pipe.

    Args:
        vendor: ``ibm`` or ``braket``.
        device: house name; that of :data:`DEVICES` by default.
        behaviour: attributes of Braket's :class:`~backends.loopback.braket_tasks.Behaviour`.
    """

    def __init__(
        self, vendor: str, device: str | None = None, behaviour: Mapping[str, Any] | None = None
    ) -> None:
        self.vendor = vendor
        self.device = device or DEVICES[vendor]
        self._pipe, theirs = _FORK.Pipe()
        arguments = (theirs, vendor, self.device, dict(behaviour or {}))
        self._process = _FORK.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead clients here."""
        service = IBMPlatform if self.vendor == "ibm" else BraketService
        return service.environment(self.url)

    def fault(self, *texts: str) -> None:
        """Plan faults of the catalogue, each as :func:`backends.loopback.catalog.parse` reads it.

        Raises:
            ValueError: a text means none.
        """
        self._ask("fault", *texts)

    def rules(self, *rules: Rule) -> None:
        """Plan faults."""
        self._ask("rules", *rules)

    def calm(self) -> None:
        """No more faults."""
        self._ask("calm")

    def hold(self) -> None:
        """Start no further job."""
        self._ask("hold")

    def release(self) -> None:
        """Go on with the queue."""
        self._ask("release")

    def idle(self) -> None:
        """Wait until every job is final."""
        self._ask("idle")

    def account(self) -> tuple[Billed, ...]:
        """Everything that was accepted, oldest first."""
        found: tuple[Billed, ...] = self._ask("account")
        return found

    def hits(self) -> int:
        """Requests that met a fault so far."""
        found: int = self._ask("hits")
        return found

    def secrets(self) -> tuple[str, ...]:
        """What clients log in with."""
        found: tuple[str, ...] = self._ask("secrets")
        return found

    def strayed(self) -> int:
        """Requests that a redirect has led to the other server so far."""
        found: int = self._ask("strayed")
        return found

    def close(self) -> None:
        """Stop."""
        self._pipe.send(("stop", ()))
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    def _ask(self, word: str, *arguments: object) -> Any:
        self._pipe.send((word, arguments))
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Served:
    """The server process: a method a word."""

    def __init__(self, vendor: str, device: str, behaviour: dict[str, Any]) -> None:
        self.service: IBMPlatform | BraketService
        if vendor == "ibm":
            self.service = IBMPlatform((device,))
        else:
            self.service = BraketService((device,))
            for name, value in behaviour.items():
                setattr(self.service.queue.behaviour, name, value)
        self.server = LoopbackServer(self.service).start()
        price = price_of(f"{vendor}:{device}")
        self._usd_per_second = price.usd_per_second or 0.0 if price else 0.0

    def fault(self, *texts: str) -> None:
        self.server.faults.add(*(parse(self.service, text) for text in texts))

    def rules(self, *rules: Rule) -> None:
        self.server.faults.add(*rules)

    def calm(self) -> None:
        self.server.faults.clear()

    def hold(self) -> None:
        self.service.queue.hold()

    def release(self) -> None:
        self.service.queue.release()

    def idle(self) -> None:
        self.service.queue.wait_idle(120.0)

    def hits(self) -> int:
        return len(self.server.faults.taken)

    def secrets(self) -> tuple[str, ...]:
        return self.service.secrets

    def strayed(self) -> int:
        return len(self.server.elsewhere.received)

    def account(self) -> tuple[Billed, ...]:
        if isinstance(self.service, BraketService):
            return tuple(
                Billed(
                    task.arn,
                    task.token,
                    _BRAKET_STATES.get(task.status, JobState.CANCELLED),
                    round(task.billed_usd * 1e6),
                    np.stack(task.measured) if task.measured else None,
                )
                for task in self.service.queue.tasks
            )
        return tuple(
            Billed(
                job.id,
                next((tag for tag in job.tags if tag.startswith("qhw-")), ""),
                _IBM_STATES.get(job.status, JobState.CANCELLED),
                round(job.billed_s * self._usd_per_second * 1e6),
                np.concatenate(job.measured) if job.measured else None,
            )
            for job in self.service.queue.jobs
        )


def _serve(pipe: Connection, vendor: str, device: str, behaviour: dict[str, Any]) -> None:
    served = _Served(vendor, device, behaviour)
    pipe.send(served.server.url)
    while True:
        word, arguments = pipe.recv()
        if word == "stop":
            return
        try:
            pipe.send(getattr(served, word)(*arguments))
        except ValueError as error:
            pipe.send(error)

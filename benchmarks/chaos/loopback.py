"""The loopback IBM and Braket as worlds: a server process of its own, real clients over HTTP."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from backends.bounded_http import Patience as HttpPatience
from backends.braket.backend import BraketBackend
from backends.braket.client import BraketClient
from backends.braket.devices import arn_of, region_of_arn
from backends.ibm.backend import IBMBackend
from backends.ibm.client import IBMClient
from backends.vendor import Submission, VendorBackend
from benchmarks.chaos.world import two_qubit_circuit
from benchmarks.vendor_process import Billed, VendorProcess
from qhw.jobs.config import Patience

_HTTP = HttpPatience(connect_s=2.0, silence_s=0.3, request_s=0.6, question_s=0.8, pause_s=0.02)
_POST_FAULTS = (
    "status,value=400",
    "status,value=500",
    "status-after,value=503",
    "status-after,value=504",
    "throttle",
    "throttle,value=1",
    "drop",
    "drop-after",
    "hang",
    "hang-after",
    "truncated",
    "html",
)
_ASK_FAULTS = (
    "status,value=500",
    "status,value=503",
    "throttle",
    "throttle,value=1",
    "drop",
    "hang",
    "truncated",
    "html",
    "slow,value=0.05",
)
"""What any service does on a bad day."""
_HOSTILE_POST_FAULTS = (
    *_POST_FAULTS,
    "throttle,value=\N{SUPERSCRIPT TWO}",
    "accepted-late,value=0.45",
    "cut-json",
    "deep",
    "null",
    "gzip-bomb,value=64,times=1",
    "redirect-same,value=307",
    "redirect-same,value=302",
    "redirect-accepted,value=308",
    "redirect-dead,value=307",
    "redirect-elsewhere,value=307",
    "refused-echo,value=400",
    "refused-hostile,value=400",
    "earlier-id",
    "made-up-id",
)
_HOSTILE_ASK_FAULTS = (
    *_ASK_FAULTS,
    "throttle,value=-1",
    "empty",
    "cut-json",
    "not-utf8",
    "deep",
    "list",
    "null",
    "drip-headers",
    "gzip-bomb,value=64,times=1",
    "redirect-elsewhere,value=302",
    "refused-echo,value=400",
    "refused-hostile,value=400",
)
"""And what only a broken or a hostile one does."""
_HOSTILE_OWN_FAULTS: Mapping[str, tuple[str, ...]] = {
    "find": ("find-everything", "pages,value=same,times=3", "date,times=1"),
    "job": (
        "other-id,times=1",
        "other-job,times=1",
        "vanished",
        "words,times=1",
        "duplicate-keys",
        "state",
        "date,times=1",
    ),
    "results": (
        "shots,value=0.5",
        "bit",
        "narrow",
        "qubits",
        "rows,value=one-less",
        "rows,value=twice",
        "vanished",
    ),
    "usage": (
        "usage,value=-1",
        "usage,value=x1000",
        "usage,value=missing",
        "usage,value=pending",
        "nan",
        "big-number",
    ),
}
"""What can only be wrong with one kind of question; see :mod:`backends.loopback.catalog`."""
_ASK_CHANCE = 0.15
_OWN_CHANCE = 0.4
"""That a fault is one of the endpoint's own."""
_ASKS = 6
_IBM_DEVICE = "ibm_perth"
"""A small one: every client reads the properties, and faults do not depend on their number."""


class LoopbackWorld(ABC):
    """A loopback vendor in a process of its own, which no killed client takes along."""

    patience = Patience(visibility_s=0.5, lease_s=60.0, attempts=8, backoff_s=0.02)
    asks: ClassVar[tuple[str, ...]]
    """Endpoints of every question."""

    def __init__(
        self,
        vendor: str,
        *,
        hostile: bool,
        device: str | None = None,
        behaviour: Mapping[str, Any] | None = None,
    ) -> None:
        self._hostile = hostile
        self._process = VendorProcess(vendor, device, behaviour=behaviour)
        os.environ.update(self._process.environment)
        # no fault is planned yet: whatever the machine's load, this has to work
        self._compiled = self.client(HttpPatience()).compile(two_qubit_circuit())

    @abstractmethod
    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        """A fresh client."""

    def submission(self, rows: int, shots: int) -> Submission:
        angles = np.random.default_rng(rows).uniform(0, 3, (rows, 2))
        return Submission(self._compiled, angles, shots)

    def arrange(self, rng: np.random.Generator) -> None:
        self._process.fault(*plan(rng, self.asks, hostile=self._hostile))

    def calm(self) -> None:
        self._process.calm()

    def account(self) -> tuple[Billed, ...]:
        return self._process.account()

    def secrets(self) -> tuple[str, ...]:
        return self._process.secrets()

    def close(self) -> None:
        self._process.close()


def plan(rng: np.random.Generator, asks: tuple[str, ...], *, hostile: bool) -> list[str]:
    """Faults for the next requests, as texts of the catalogue."""
    posts = _HOSTILE_POST_FAULTS if hostile else _POST_FAULTS
    planned = [
        _placed(str(rng.choice(posts)), "post", int(skip))
        for skip in rng.integers(0, 3, size=int(rng.integers(0, 4)))
    ]
    for endpoint in asks:
        own = _HOSTILE_OWN_FAULTS.get(endpoint, ()) if hostile else ()
        for skip in range(_ASKS):
            if rng.random() < _ASK_CHANCE:
                pool = own if own and rng.random() < _OWN_CHANCE else _any_fault(hostile=hostile)
                planned.append(_placed(str(rng.choice(pool)), endpoint, skip))
    return planned


def _any_fault(*, hostile: bool) -> tuple[str, ...]:
    return _HOSTILE_ASK_FAULTS if hostile else _ASK_FAULTS


def _placed(text: str, endpoint: str, skip: int) -> str:
    name, *rest = text.split(",")
    return ",".join((f"{name}@{endpoint}", *rest, f"skip={skip}"))


class IBMWorld(LoopbackWorld):
    """IBM Quantum Platform."""

    asks = ("find", "job", "results", "usage", "cancel", "login")

    def __init__(self, folder: Path, *, hostile: bool) -> None:
        del folder
        super().__init__("ibm", device=_IBM_DEVICE, hostile=hostile)

    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        return IBMBackend(_IBM_DEVICE, client=IBMClient(patience=patience))


class BraketWorld(LoopbackWorld):
    """Amazon Braket, which here ignores the client token: tags and lookups have to do."""

    asks = ("find", "job", "cancel", "device", "results", "usage")

    def __init__(self, folder: Path, *, hostile: bool) -> None:
        del folder
        behaviour = {"dedupe": False, "hidden_s": 0.05}
        super().__init__("braket", hostile=hostile, behaviour=behaviour)

    def client(self, patience: HttpPatience = _HTTP) -> VendorBackend:
        client = BraketClient(region_of_arn(arn_of("iqm_garnet")), patience)
        return BraketBackend("iqm_garnet", client=client)

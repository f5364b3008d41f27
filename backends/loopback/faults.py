"""What goes wrong, and when: a plan of faults that a loopback server follows."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from backends.loopback.messages import Request, Response


class FaultKind(StrEnum):
    """What happens to a request."""

    ANSWER = "answer"
    """Another answer is sent instead of the real one."""
    DELAY = "delay"
    """The real answer comes late."""
    HANG = "hang"
    """No answer ever comes; the connection stays open."""
    DROP = "drop"
    """The connection is closed without an answer."""
    TRUNCATE = "truncate"
    """The connection is closed in the middle of the real answer's body."""
    DRIP = "drip"
    """The real answer's body comes a byte at a time."""
    DRIP_HEADERS = "drip-headers"
    """The headers come a byte at a time and never end."""
    REWRITE = "rewrite"
    """The answer is made from the real one, or in place of it."""


@dataclass
class Exchange:
    """One request on its way through a rewriting fault.

    Attributes:
        request: as it arrived.
        handle: what carries requests out.
        elsewhere: starts another server, which keeps what it is sent, and gives its address.
        wait: waits for seconds, or until the server stops.
    """

    request: Request
    handle: Callable[[Request], Response]
    elsewhere: Callable[[], str]
    wait: Callable[[float], object]
    _real: Response | None = None

    def real(self) -> Response:
        """The real answer; the request takes effect when this is first called."""
        if self._real is None:
            self._real = self.handle(self.request)
        return self._real

    def ask(self, path: str) -> Response:
        """The answer to the same request for another path."""
        return self.handle(replace(self.request, path=path))


Rewrite = Callable[[Exchange], Response | None]
"""Makes an answer; ``None`` closes the connection without one."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what.
        after: the request takes effect before it goes wrong: an order is accepted and the client
            never learns of it.
        status: of :attr:`FaultKind.ANSWER`.
        headers: of :attr:`FaultKind.ANSWER`.
        body: of :attr:`FaultKind.ANSWER`.
        seconds: wait of :attr:`FaultKind.DELAY`, or between bytes of :attr:`FaultKind.DRIP`.
        rewrite: of :attr:`FaultKind.REWRITE`; it decides whether the request takes effect.
    """

    kind: FaultKind
    after: bool = False
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    rewrite: Rewrite | None = None

    @classmethod
    def rewritten(cls, rewrite: Rewrite) -> Fault:
        """An answer made from the real one."""
        return cls(FaultKind.REWRITE, rewrite=rewrite)

    @classmethod
    def answer(
        cls,
        status: int,
        *,
        after: bool = False,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Fault:
        """Another answer; with ``after`` the request was carried out all the same."""
        return cls(FaultKind.ANSWER, after, status, dict(headers or {}), body)

    @classmethod
    def throttle(cls, retry_after_s: int | None = None) -> Fault:
        """429, with or without ``Retry-After``."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        return cls.answer(429, headers=headers)

    @classmethod
    def malformed(cls, body: bytes = b"<html>not what you asked", *, after: bool = True) -> Fault:
        """200 with a body of the wrong kind."""
        return cls.answer(200, after=after, headers={"Content-Type": "application/json"}, body=body)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """The real answer after a wait."""
        return cls(FaultKind.DELAY, after=True, seconds=seconds)

    @classmethod
    def hang(cls, *, after: bool = False) -> Fault:
        """Silence on an open connection."""
        return cls(FaultKind.HANG, after=after)

    @classmethod
    def drop(cls, *, after: bool = False) -> Fault:
        """The connection closes without an answer."""
        return cls(FaultKind.DROP, after=after)

    @classmethod
    def truncate(cls) -> Fault:
        """Half of the real answer."""
        return cls(FaultKind.TRUNCATE, after=True)

    @classmethod
    def drip(cls, seconds: float) -> Fault:
        """The real answer, a byte every ``seconds``."""
        return cls(FaultKind.DRIP, after=True, seconds=seconds)


@dataclass
class Rule:
    """Which requests a fault is for.

    Attributes:
        path: regular expression that must match the whole path, query left out.
        fault: what happens to them.
        method: HTTP method, ``*`` for any.
        times: how many matching requests are hit; ``None`` for all.
        skip: how many matching requests pass unharmed first.
    """

    path: str
    fault: Fault
    method: str = "*"
    times: int | None = 1
    skip: int = 0

    def __post_init__(self) -> None:
        if self.skip < 0 or (self.times is not None and self.times < 0):
            raise ValueError(
                f"Argument `times` and `skip` must not be negative, "
                f"but are {self.times} and {self.skip}."
            )
        self._pattern = re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return self.method in ("*", method) and self._pattern.fullmatch(path) is not None


class FaultPlan:
    """Rules in order: the first that matches and still has hits left decides.

    A rule counts down its ``skip`` also where an earlier rule decides nothing. Safe to use from
    several threads.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._lock = threading.Lock()
        self._rules = list(rules)
        self._taken: list[tuple[str, str, Fault]] = []

    def add(self, *rules: Rule) -> None:
        """Add rules behind those that exist."""
        with self._lock:
            self._rules.extend(rules)

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._rules.clear()

    @property
    def taken(self) -> tuple[tuple[str, str, Fault], ...]:
        """Method, path and fault of every request that was hit, in order."""
        with self._lock:
            return tuple(self._taken)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for a request, or ``None``; counts it."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path):
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.times == 0:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                self._taken.append((method, path, rule.fault))
                return rule.fault
        return None

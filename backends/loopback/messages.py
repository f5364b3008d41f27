"""Requests and answers as the loopback servers see them, and what a simulated vendor must tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    Attributes:
        method: ``GET``, ``POST``, ...
        path: as sent (percent-encoding kept), query left out.
        query: values of each name.
        headers: names in lower case.
        body: bytes.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Response:
    """An answer.

    Attributes:
        status: of HTTP.
        body: bytes.
        headers: names and values; ``Content-Length`` is added.
        stream: pieces of a body of unknown length, sent in place of ``body`` until they or the
            connection end.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None

    @classmethod
    def json(cls, data: object, status: int = 200) -> Response:
        """Answer of one JSON document."""
        body = json.dumps(data).encode()
        return cls(status, body, {"Content-Type": "application/json"})


class Application(Protocol):
    """What a vendor does, faults and sockets aside."""

    def handle(self, request: Request) -> Response:
        """Carry a request out."""


class Vendor(Application, Protocol):
    """A simulated vendor, with what its faults need to know."""

    @property
    def vendor(self) -> str:
        """``ibm`` or ``braket``."""

    @property
    def endpoints(self) -> Mapping[str, tuple[str, str]]:
        """HTTP method and regular expression of the path of each kind of request."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Names of every job accepted so far, oldest first."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a client logs in with; none of it may ever be shown or stored."""

    def refusal(self, status: int, message: str) -> Response:
        """An error in the vendor's own form."""

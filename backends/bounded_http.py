"""HTTP in bounded time: nothing waits for ever, and nothing is ever sent twice.

``requests`` limits the silence between two packets, not a whole request: a server that sends a
byte now and then holds a client as long as it likes. Here the whole request is limited.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError

from backends.deadline import seconds_left
from backends.last_check import check_last

_CHUNK = 65_536


def on_this_machine(url: str) -> bool:
    """Whether an address leads to this machine by its form; no name is looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost"


@dataclass(frozen=True)
class Patience:
    """How long to wait, seconds.

    Attributes:
        connect_s: for a connection.
        silence_s: for the next packet.
        request_s: for a whole answer, from its first header to its last byte.
        question_s: for a question with all its repeats.
        pause_s: before the first repeat; doubles from one to the next.
    """

    connect_s: float = 5.0
    silence_s: float = 60.0
    request_s: float = 120.0
    question_s: float = 60.0
    pause_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("connect_s", "silence_s", "request_s", "question_s", "pause_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(
                    f"Argument `{name}` must be above 0 and finite, but is {getattr(self, name)}."
                )


class BoundedAdapter(HTTPAdapter):
    """Sends once, without repeats, and gives up in time whatever the caller asks for."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Connections that stop waiting for headers."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send, and read the whole answer.

        Raises:
            requests.RequestException: also when the answer takes too long.
        """
        del timeout, stream
        p = self._patience
        if request.url and request.url.startswith("http:") and on_this_machine(request.url):
            proxies = None  # in clear, nothing leaves this machine
        left = seconds_left()
        if not left:
            raise requests.ConnectTimeout("no time left to ask", request=request)
        limits = min(p.connect_s, left), min(p.silence_s, left)
        response = super().send(request, True, limits, verify, cert, proxies)
        ends = time.monotonic() + min(p.request_s, seconds_left())
        body = bytearray()
        try:
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if time.monotonic() > ends:
                    raise requests.ReadTimeout(
                        f"no whole answer in {p.request_s:g} s", request=request
                    )
        except HTTPError as error:
            raise requests.ConnectionError(error, request=request) from error
        finally:
            response.close()
        response.raw = io.BytesIO(bytes(body))
        return response


def bounded_session(patience: Patience) -> requests.Session:
    """A session whose every request is bounded and sent once."""
    return bound(requests.Session(), patience)


def bound(session: requests.Session, patience: Patience) -> requests.Session:
    """The same session, every request of it bounded and sent once."""
    adapter = BoundedAdapter(patience)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def never_sent(error: BaseException | None) -> bool:
    """Whether an error of ``requests`` came before a connection stood: nothing was received."""
    while error is not None:
        if isinstance(error, requests.ConnectTimeout):
            return True
        if isinstance(error, requests.ConnectionError) and error.args:
            reason = getattr(error.args[0], "reason", None)
            names = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
            return type(reason).__name__ in names
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def _watched(connection: HTTPConnection) -> Iterator[None]:
    """Break the connection when headers trickle in for more than twice the silence allowed."""
    sock, silence = connection.sock, connection.timeout
    if sock is None or not isinstance(silence, int | float):
        yield
        return
    # the plain shutdown: that of TLS sockets waits for the other side
    timer = threading.Timer(2 * silence, _break, (sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _break(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:  # already closed
        return


def _request(
    connection: HTTPConnection, request: Callable[..., None], *args: Any, **kwargs: Any
) -> None:
    if connection.is_closed:  # connecting takes time; nothing may come after the last check
        connection.connect()
    check_last()
    request(*args, **kwargs)


def _look_up(connection: HTTPConnection) -> None:
    """Find the host's address in time; the system's own search may take minutes.

    Raises:
        NameResolutionError: it took too long; what else is wrong, connecting will say.
    """
    found = threading.Event()

    def search() -> None:
        with suppress(OSError, UnicodeError):
            socket.getaddrinfo(connection._dns_host, connection.port, type=socket.SOCK_STREAM)
        found.set()

    limit = connection.timeout
    threading.Thread(target=search, daemon=True).start()
    if not found.wait(limit if isinstance(limit, int | float) else None):
        late = socket.gaierror("no answer in time")
        raise NameResolutionError(connection.host, connection, late)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        _look_up(self)
        return super()._new_conn()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _request(self, super().request, *args, **kwargs)

    def getresponse(self) -> Any:
        with _watched(self):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        _look_up(self)
        return super()._new_conn()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _request(self, super().request, *args, **kwargs)

    def getresponse(self) -> Any:
        with _watched(self):
            return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection

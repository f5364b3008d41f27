"""HTTP in bounded time: nothing waits for ever, and nothing is ever sent twice.

``requests`` limits the silence between two packets, not a whole request: a server that sends a
byte now and then holds a client as long as it likes. Here the whole request is limited, and so is
the answer: its bytes as they are after unpacking, and how deep its JSON is nested.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
import socket
import threading
import time
import zlib
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

MOST_BYTES = 64 * 2**20
"""Of an answer after unpacking; the largest results that can be asked for have two thirds of it."""
MOST_DEPTH = 64
"""Of an answer's JSON; vendors' own answers have about ten levels."""
MOST_LISTS = 4_000_000
"""Lists and objects of an answer's JSON; the largest results have two million."""
MOST_PAGES = 100
"""Of a search; vendors put 100 jobs on a page."""
_MOST_ERROR_BYTES = 65_536
_CHUNK = 65_536
_PIECE = 2**20
_PLAIN = ("", "identity")
_PACKED = ("gzip", "x-gzip", "deflate")
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


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
        if request.headers.get("Accept-Encoding", "identity") != "identity":
            request.headers["Accept-Encoding"] = "gzip"  # what is unpacked here, in bounds
        left = seconds_left()
        if not left:
            raise requests.ConnectTimeout("no time left to ask", request=request)
        limits = min(p.connect_s, left), min(p.silence_s, left)
        response = super().send(request, True, limits, verify, cert, proxies)
        try:
            body = _read(response, time.monotonic() + min(p.request_s, seconds_left()))
            if response.status_code >= 300:
                body = _error_body(body)
            else:
                check_json(body)
        except requests.ReadTimeout:
            raise requests.ReadTimeout(
                f"no whole answer in {p.request_s:g} s", request=request
            ) from None
        except requests.exceptions.ContentDecodingError:
            raise
        except (HTTPError, zlib.error) as error:
            raise requests.ConnectionError(error, request=request) from error
        except ValueError as error:
            raise requests.exceptions.InvalidJSONError(str(error), request=request) from error
        finally:
            response.close()
        response.encoding = response.encoding or "utf-8"  # guessing takes minutes for large ones
        response.raw = io.BytesIO(body)
        return response


def _read(response: requests.Response, ends: float) -> bytes:
    """The whole answer, unpacked.

    Raises:
        requests.ReadTimeout: not there in time.
        requests.exceptions.ContentDecodingError: more than :data:`MOST_BYTES`, or packed in an
            unknown way.
    """
    unpack = _unpacker(response.headers.get("Content-Encoding", "").strip().lower())
    body = bytearray()
    chunk = None
    while chunk != b"":
        chunk = response.raw.read1(_CHUNK, decode_content=False)
        for piece in unpack(chunk):
            body += piece
            if len(body) > MOST_BYTES:
                body.clear()  # the error's traceback would keep it
                raise requests.exceptions.ContentDecodingError(
                    f"the answer has more than {MOST_BYTES // 2**20} MiB"
                )
        if time.monotonic() > ends:
            raise requests.ReadTimeout
    return bytes(body)


def _unpacker(coding: str) -> Callable[[bytes], Iterator[bytes]]:
    """Unpacks what arrives in small pieces; empty bytes end it."""
    if coding in _PLAIN:
        return lambda chunk: iter((chunk,))
    if coding not in _PACKED:
        raise requests.exceptions.ContentDecodingError(f"the answer is packed as {coding[:40]!r}")
    stream = zlib.decompressobj(32 + zlib.MAX_WBITS)
    begun = False

    def unpack(chunk: bytes) -> Iterator[bytes]:
        nonlocal begun
        if not chunk and begun and not stream.eof:
            raise zlib.error("the packed answer ends too early")
        begun = begun or bool(chunk)
        while chunk:
            yield stream.decompress(chunk, _PIECE)
            if stream.unused_data:
                raise requests.exceptions.ContentDecodingError("bytes follow the packed answer")
            chunk = stream.unconsumed_tail

    return unpack


def _error_body(body: bytes) -> bytes:
    """What an answer that is an error says, as far as it can be read at all."""
    body = body[:_MOST_ERROR_BYTES]
    try:
        check_json(body)
    except ValueError:
        return b"" if body.lstrip()[:1] in (b"{", b"[") else body
    return body


def check_json(body: bytes) -> None:
    """Refuse JSON that no vendor writes and that parsers choke on; other bodies pass.

    Raises:
        ValueError: nested too deep, too many lists and objects, or a name given twice.
    """
    if body.lstrip()[:1] not in (b"{", b"["):
        return
    depth = count = 0
    for found in _BRACKETS.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth, count = depth + 1, count + 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth > MOST_DEPTH:
            raise ValueError(f"the answer's JSON is nested deeper than {MOST_DEPTH} levels")
        if count > MOST_LISTS:
            raise ValueError(f"the answer's JSON holds more than {MOST_LISTS} lists and objects")
    json.loads(body, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        twice = next(n for i, (n, _) in enumerate(pairs) if n in {m for m, _ in pairs[:i]})
        raise ValueError(f"the answer's JSON names {twice[:40]!r} twice")


def retry_after(text: object) -> float | None:
    """Seconds of a ``Retry-After`` header; ``None`` where it names none that can be read."""
    if not isinstance(text, str) or len(text) > 20 or not (text.isascii() and text.isdecimal()):
        return None
    return float(text)


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


def undecodable(error: BaseException | None) -> bool:
    """Whether an answer was there but too large or wrongly packed: it would be the next time."""
    while error is not None:
        if isinstance(error, requests.exceptions.ContentDecodingError):
            return True
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

"""A real HTTP server on 127.0.0.1 that carries an application through a plan of faults."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from backends.loopback.faults import Exchange, Fault, FaultKind, FaultPlan
from backends.loopback.messages import Application, Request, Response

__all__ = ["Application", "LoopbackServer", "Request", "Response"]

HOST = "127.0.0.1"


class LoopbackServer:
    """Serves an application on a port of 127.0.0.1 until it is stopped.

    Args:
        application: what answers.
        faults: what goes wrong; nothing by default.
        port: a free one by default.
    """

    def __init__(
        self, application: Application, *, faults: FaultPlan | None = None, port: int = 0
    ) -> None:
        self.faults = faults or FaultPlan()
        self._application = application
        self._lock = threading.Lock()
        self._received: list[Request] = []
        self._stopping = threading.Event()
        self._elsewhere: LoopbackServer | None = None
        self._http = _Http((HOST, port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """Base address, for example ``http://127.0.0.1:40123``."""
        return f"http://{HOST}:{self._http.server_address[1]}"

    @property
    def received(self) -> tuple[Request, ...]:
        """Every request so far, those that were hit by a fault too."""
        with self._lock:
            return tuple(self._received)

    def start(self) -> Self:
        """Answer from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Free the port and break every connection, those that hang too."""
        self._stopping.set()
        if self._thread.is_alive():
            self._http.shutdown()
        self._http.server_close()
        self._http.break_connections()
        if self._elsewhere is not None:
            self._elsewhere.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def answer(self, request: Request) -> tuple[Response | None, Fault | None]:
        """What is sent back: the answer, none where it never comes, and the fault that hit."""
        with self._lock:
            self._received.append(request)
        fault = self.faults.take(request.method, request.path)
        if fault is None:
            return self._application.handle(request), None
        if fault.rewrite is not None:
            return self._rewritten(request, fault), fault
        if fault.kind is FaultKind.DELAY:
            self._stopping.wait(fault.seconds)
        real = self._application.handle(request) if fault.after else None
        if fault.kind is FaultKind.HANG:
            self._stopping.wait()
            return None, fault
        if fault.kind is FaultKind.DROP:
            return None, fault
        if fault.kind is FaultKind.ANSWER:
            return Response(fault.status, fault.body, fault.headers), fault
        return real, fault

    @property
    def elsewhere(self) -> LoopbackServer:
        """Another server, started when first asked for: it takes everything and keeps it."""
        with self._lock:
            if self._elsewhere is None:
                self._elsewhere = LoopbackServer(_Elsewhere()).start()
            return self._elsewhere

    def _rewritten(self, request: Request, fault: Fault) -> Response | None:
        assert fault.rewrite is not None
        exchange = Exchange(
            request, self._application.handle, lambda: self.elsewhere.url, self._stopping.wait
        )
        return fault.rewrite(exchange)


class _Elsewhere:
    """Answers every request as if it had accepted a job."""

    def handle(self, request: Request) -> Response:
        """Accept anything."""
        del request
        arn = "arn:aws:braket:eu-north-1:000000000000:quantum-task/e15e-0000"
        return Response.json({"id": "d-elsewhere", "backend": "x", "quantumTaskArn": arn})


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: LoopbackServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept, and remember."""
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close, and forget."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        """End every connection from this side."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here; anything else is shown."""
        del request, client_address
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: what was received is kept by the server."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        response, fault = self.server.owner.answer(request)
        if response is None:
            self._hang_up()
            return
        if fault is not None and fault.kind is FaultKind.DRIP_HEADERS:
            self._drip_headers(fault.seconds)
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.stream is not None:
            self.send_header("Connection", "close")
            self.end_headers()
            for piece in response.stream:
                self.wfile.write(piece)
            self._hang_up()
            return
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self._send_body(response.body, fault)

    def _drip_headers(self, seconds: float) -> None:
        """A header line that never ends, a byte at a time."""
        line = itertools.chain(b"HTTP/1.1 200 OK\r\nX-Long: ", itertools.repeat(ord("x")))
        for byte in line:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(seconds)

    def _send_body(self, body: bytes, fault: Fault | None) -> None:
        if fault is not None and fault.kind is FaultKind.TRUNCATE:
            self.wfile.write(body[: len(body) // 2])
            self._hang_up()
        elif fault is not None and fault.kind is FaultKind.DRIP:
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(fault.seconds)
        elif self.command != "HEAD":
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the client may be gone already
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve  # noqa: N815

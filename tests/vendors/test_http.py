"""The HTTP both sides stand on: bounded on ours, faulty on theirs."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from backends.bounded_http import Patience, bounded_session, never_sent, retry_after
from backends.loopback.faults import Fault, FaultPlan, Rule
from backends.loopback.server import LoopbackServer, Request, Response

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PATIENCE = Patience(connect_s=1.0, silence_s=0.3, request_s=0.8)


class Page:
    def __init__(self) -> None:
        self.effects = 0

    def handle(self, request: Request) -> Response:
        self.effects += 1
        body = gzip.compress(b"long " * 40_000)
        return Response(200, body, {"Content-Encoding": "gzip"})


@contextmanager
def trickle(pieces: list[bytes], pause_s: float) -> Iterator[str]:
    """A server that sends any bytes at all, piece by piece."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    if ended.wait(pause_s):
                        return
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        ended.set()
        listener.close()


def test_compressed_bodies_arrive_whole() -> None:
    with LoopbackServer(Page()) as server:
        assert bounded_session(PATIENCE).get(server.url).content == b"long " * 40_000


def test_headers_that_trickle_do_not_hold_us() -> None:
    line = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200
    with trickle([bytes([b]) for b in line], 0.1) as url:
        started = time.monotonic()
        with pytest.raises(requests.RequestException) as caught:
            bounded_session(PATIENCE).get(url)
        assert time.monotonic() - started < 6
        assert not never_sent(caught.value)


def test_body_that_trickles_does_not_hold_us() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with trickle([head, *([b"x"] * 100)], 0.1) as url:
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            bounded_session(PATIENCE).get(url)
        assert time.monotonic() - started < 6


def test_what_was_never_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(requests.ConnectionError) as caught:
        bounded_session(PATIENCE).post(f"http://127.0.0.1:{port}/", data=b"x")
    assert never_sent(caught.value)
    assert not never_sent(None)


@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        (Fault.drop(), 0),
        (Fault.drop(after=True), 1),
        (Fault.hang(), 0),
        (Fault.hang(after=True), 1),
        (Fault.truncate(), 1),
        (Fault.answer(503), 0),
        (Fault.answer(503, after=True), 1),
        (Fault.delay(0.1), 1),
    ],
)
def test_a_request_is_sent_once_whatever_happens(fault: Fault, effects: int) -> None:
    page = Page()
    with LoopbackServer(page, faults=FaultPlan([Rule("/.*", fault, times=None)])) as server:
        try:
            answer = bounded_session(PATIENCE).post(server.url, data=b"x")
            assert answer.status_code in (200, 503)
        except requests.RequestException as error:
            assert not never_sent(error)
        assert page.effects == effects
        assert len(server.received) == 1


def test_plan_counts_down() -> None:
    first, second = Fault.answer(500), Fault.answer(501)
    plan = FaultPlan([Rule("/a", first, "GET", times=2, skip=1), Rule("/.*", second, times=1)])
    hits = [plan.take("GET", "/a") for _ in range(5)]
    assert hits == [second, first, first, None, None]
    assert plan.take("POST", "/a") is None
    assert [fault for _, _, fault in plan.taken] == [second, first, first]
    plan.add(Rule("/a", first, times=None))
    plan.clear()
    assert plan.take("GET", "/a") is None


@pytest.mark.parametrize("name", ["connect_s", "silence_s", "request_s", "question_s", "pause_s"])
def test_patience_ends(name: str) -> None:
    for value in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=name):
            Patience(**{name: value})


class Body:
    """Answers with one body."""

    def __init__(self, body: bytes, **headers: str) -> None:
        self.response = Response(200, body, headers)

    def handle(self, request: Request) -> Response:
        del request
        return self.response


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 64"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        (b'{"a": {"b": [{"c": 1, "c": 1}]}}', "'c' twice"),
        (b'{"cut": "sho', "Unterminated"),
        (b'{"n": ' + b"9" * 5000 + b"}", "digits"),
    ],
)
def test_json_that_no_vendor_writes(body: bytes, words: str) -> None:
    with (
        LoopbackServer(Body(body)) as server,
        pytest.raises(requests.RequestException, match=words) as caught,
    ):
        bounded_session(PATIENCE).get(server.url)
    assert not never_sent(caught.value)


def test_brackets_in_texts_are_no_nesting() -> None:
    body = b'{"a": "' + b"[" * 1000 + b'\\"{{{", "b": [[]]}'
    with LoopbackServer(Body(body)) as server:
        assert bounded_session(PATIENCE).get(server.url).json()["b"] == [[]]


def test_packed_answers_are_bounded_as_they_unpack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.bounded_http.MOST_BYTES", 2**20)
    bomb = {"Content-Encoding": "gzip"}
    for size, fits in ((2**20, True), (2**20 + 1, False), (2**27, False)):
        with LoopbackServer(Body(gzip.compress(bytes(size)), **bomb)) as server:
            if fits:
                assert len(bounded_session(PATIENCE).get(server.url).content) == size
                continue
            with pytest.raises(requests.RequestException, match="more than 1 MiB"):
                bounded_session(PATIENCE).get(server.url)
    with (
        LoopbackServer(Body(gzip.compress(b"half of it")[:-9], **bomb)) as server,
        pytest.raises(requests.RequestException, match="ends too early"),
    ):
        bounded_session(PATIENCE).get(server.url)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("²", None), ("٣", None), ("-1", None), ("9" * 400, None), (None, None)],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds

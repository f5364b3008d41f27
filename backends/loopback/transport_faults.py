"""Faults of answers as such, whatever they are about: silence, redirects, bodies of any bytes."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from backends.loopback.faults import Exchange, Fault, FaultKind
from backends.loopback.messages import Request, Response, Vendor

Make = Callable[[Vendor, str], Fault]
"""Makes a fault for a vendor from the text of its parameter."""

DEAD_URL = "http://127.0.0.1:9"
"""The discard port, on which nothing listens."""
ANSI = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J"
HOSTILE_TEXT = f"bad {ANSI} nul\x00 lone\ud800 bidi\u202e bell\x07 \r\nsecond line"
"""What no terminal or database should get as it is."""
_JSON = {"Content-Type": "application/json"}
_MEGABYTE = 1 << 20
_MEMBER_MB = 64


def body(text: bytes, *, status: int = 200) -> Make:
    """Carried out, and answered with other bytes."""
    return lambda _vendor, _value: Fault.answer(status, after=True, headers=_JSON, body=text)


def status(_vendor: Vendor, value: str) -> Fault:
    """An HTTP status in place of the answer; nothing is carried out."""
    return Fault.answer(int(value))


def status_after(_vendor: Vendor, value: str) -> Fault:
    """Carried out, and answered with an HTTP status."""
    return Fault.answer(int(value), after=True)


def throttle(_vendor: Vendor, value: str) -> Fault:
    """429 with any text as ``Retry-After``."""
    return Fault.answer(429, headers={"Retry-After": value} if value else {})


def slow(_vendor: Vendor, value: str) -> Fault:
    """Carried out at once, answered after a wait."""
    seconds = float(value)

    def rewrite(exchange: Exchange) -> Response:
        answer = exchange.real()
        exchange.wait(seconds)
        return answer

    return Fault.rewritten(rewrite)


def drip_headers(_vendor: Vendor, value: str) -> Fault:
    """Carried out, then headers that never end."""
    return Fault(FaultKind.DRIP_HEADERS, after=True, seconds=float(value))


def redirect(to: str, *, accepted: bool = False) -> Make:
    """A redirect to the ``same`` address, to a ``dead`` one or ``elsewhere``.

    Args:
        to: where.
        accepted: the request is carried out first.
    """

    def make(_vendor: Vendor, value: str) -> Fault:
        code = int(value)

        def rewrite(exchange: Exchange) -> Response:
            if accepted:
                exchange.real()
            base = {"same": "", "dead": DEAD_URL}.get(to)
            base = exchange.elsewhere() if base is None else base
            path = exchange.request.path
            return Response(code, headers={"Location": f"{base}{path}"})

        return Fault.rewritten(rewrite)

    return make


def refused(text: Callable[[Vendor, Request], str]) -> Make:
    """The vendor's own refusal with a message; nothing is carried out."""

    def make(vendor: Vendor, value: str) -> Fault:
        code = int(value)
        return Fault.rewritten(lambda e: vendor.refusal(code, text(vendor, e.request)))

    return make


def hostile(_vendor: Vendor, _request: Request) -> str:
    """Terminal escapes, NUL, a lone surrogate."""
    return HOSTILE_TEXT


def echo(vendor: Vendor, request: Request) -> str:
    """Every secret of the login, and the header that carried it."""
    return " ".join(("denied to", *vendor.secrets, request.headers.get("authorization", "")))


def cut_json(_vendor: Vendor, _value: str) -> Fault:
    """Half of the real body with a length that fits."""
    return _of_body(lambda data: data[: len(data) // 2])


def deep(_vendor: Vendor, value: str) -> Fault:
    """The real object with one more key that nests arrays."""
    nest = b"[" * int(value) + b"]" * int(value)
    return _of_body(
        lambda data: b'{"extra": ' + nest + b", " + data[1:] if data[:1] == b"{" else nest
    )


def big_number(_vendor: Vendor, value: str) -> Fault:
    """Every number of the real object becomes an integer of so many digits."""
    mark = "@big-number@"
    return _of_numbers(mark, (f'"{mark}"'.encode(), b"9" * int(value)))


def number(text: str) -> Make:
    """Every number of the real object becomes NaN or Infinity."""
    return lambda _vendor, _value: _of_numbers(float(text))


def duplicate_keys(_vendor: Vendor, _value: str) -> Fault:
    """The real object with every plain value once more, and different."""

    def twice(data: bytes) -> bytes:
        document = json.loads(data)
        other = {k: _other(v) for k, v in document.items() if isinstance(v, str | int | float)}
        if not other:
            return data
        return data.rstrip()[:-1] + b", " + json.dumps(other).encode()[1:]

    return _of_body(twice)


def gzip_bomb(_vendor: Vendor, value: str) -> Fault:
    """Carried out, and answered with a small body that unpacks to so many megabytes of blanks."""
    headers = {**_JSON, "Content-Encoding": "gzip"}
    packed = _blanks() * -(-int(value) // _MEMBER_MB)
    return Fault.answer(200, after=True, headers=headers, body=packed)


def endless(_vendor: Vendor, value: str) -> Fault:
    """Carried out, and answered with a JSON text of so many megabytes that does not end."""
    megabytes = int(value)

    def pieces() -> Iterator[bytes]:
        yield b'{"id": "'
        for _ in range(megabytes):
            yield b"a" * _MEGABYTE

    def rewrite(exchange: Exchange) -> Response:
        exchange.real()
        return Response(200, headers=_JSON, stream=pieces())

    return Fault.rewritten(rewrite)


@cache
def _blanks() -> bytes:
    """One gzip member of blanks; several one behind the other are one gzip file."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for _ in range(_MEMBER_MB):
            file.write(b" " * _MEGABYTE)
    return packed.getvalue()


def _other(value: str | int | float) -> str | int | float:
    return f"other-{value}" if isinstance(value, str) else -1


def _of_body(change: Callable[[bytes], bytes]) -> Fault:
    """The real answer with another body; errors and bodies that are no objects stay."""

    def rewrite(exchange: Exchange) -> Response:
        answer = exchange.real()
        if answer.status >= 300 or answer.body[:1] != b"{":
            return answer
        return replace(answer, body=change(answer.body))

    return Fault.rewritten(rewrite)


def _of_numbers(value: object, swap: tuple[bytes, bytes] = (b"", b"")) -> Fault:
    """Another value for every number; then, in the text, the second bytes for the first."""

    def numbers(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: numbers(item) for key, item in found.items()}
        if isinstance(found, list):
            return [numbers(item) for item in found]
        return value if isinstance(found, int | float) and not isinstance(found, bool) else found

    def change(data: bytes) -> bytes:
        text = json.dumps(numbers(json.loads(data))).encode()
        return text.replace(*swap) if swap[0] else text

    return _of_body(change)

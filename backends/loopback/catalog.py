"""Every fault the loopback vendors know by name; how to put one into a plan.

A fault is written ``NAME``, ``NAME@ENDPOINT`` or ``NAME@ENDPOINT,value=V,times=N,skip=N``: what
goes wrong, for which kind of request, its parameter, how many requests it hits (``all`` for
every one) and how many pass unharmed first. What is left out is the catalogue's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from backends.loopback import answer_faults as answers
from backends.loopback import result_faults as results
from backends.loopback import transport_faults as transport
from backends.loopback.faults import Fault, Rule
from backends.loopback.messages import Vendor
from backends.loopback.transport_faults import Make

VENDORS: Final = ("ibm", "braket")
_BRAKET: Final = ("braket",)
_ALL = "all"

T = TypeVar("T")


@dataclass(frozen=True)
class NamedFault:
    """An entry of the catalogue.

    Attributes:
        about: what happens, in a line.
        make: of the fault, for a vendor and a value.
        endpoint: kind of request that is hit unless another is named.
        value: parameter unless another is given.
        times: requests that are hit unless another number is given; ``None`` for all.
        vendors: that can be hit.
    """

    about: str
    make: Make
    endpoint: str = "job"
    value: str = ""
    times: int | None = 1
    vendors: tuple[str, ...] = VENDORS


_TRANSPORT = {
    "status": NamedFault("an HTTP status, nothing carried out", transport.status, "job", "503"),
    "status-after": NamedFault(
        "carried out, then an HTTP status", transport.status_after, "post", "504"
    ),
    "throttle": NamedFault("429 with `Retry-After: VALUE`", transport.throttle, "job"),
    "drop": NamedFault("connection closed before anything happens", lambda *_: Fault.drop()),
    "drop-after": NamedFault(
        "carried out, connection closed", lambda *_: Fault.drop(after=True), "post"
    ),
    "hang": NamedFault("silence for ever", lambda *_: Fault.hang()),
    "hang-after": NamedFault(
        "carried out, then silence", lambda *_: Fault.hang(after=True), "post"
    ),
    "slow": NamedFault("carried out, answered VALUE seconds late", transport.slow, "login", "5"),
    "accepted-late": NamedFault(
        "carried out VALUE seconds late", lambda _, value: Fault.delay(float(value)), "post", "5"
    ),
    "truncated": NamedFault("connection closed within the body", lambda *_: Fault.truncate()),
    "drip": NamedFault(
        "body a byte every VALUE seconds", lambda _, value: Fault.drip(float(value)), "job", "0.2"
    ),
    "drip-headers": NamedFault(
        "endless headers, a byte every VALUE seconds", transport.drip_headers, "job", "0.2"
    ),
    "html": NamedFault("a page of HTML", transport.body(b"<html><title>Sign in</title>")),
    "empty": NamedFault("an empty body", transport.body(b"")),
    "cut-json": NamedFault("half of the JSON text", transport.cut_json),
    "not-utf8": NamedFault("bytes that are no UTF-8", transport.body(b'{"id": "\xff\xfe\xb2"}')),
    "list": NamedFault("a list", transport.body(b"[1, 2]")),
    "null": NamedFault("null", transport.body(b"null")),
    "deep": NamedFault("arrays nested VALUE deep", transport.deep, "job", "100000"),
    "nan": NamedFault("NaN for every number", transport.number("nan"), "usage"),
    "infinity": NamedFault("Infinity for every number", transport.number("inf"), "usage"),
    "big-number": NamedFault("VALUE digits in every number", transport.big_number, "usage", "9999"),
    "duplicate-keys": NamedFault("every key twice, the second wrong", transport.duplicate_keys),
    "gzip-bomb": NamedFault(
        "small body, VALUE megabytes unpacked", transport.gzip_bomb, "results", "2048", None
    ),
    "endless": NamedFault(
        "a body of VALUE megabytes without end", transport.endless, "results", "2048", None
    ),
    "redirect-same": NamedFault(
        "redirect VALUE to the same address", transport.redirect("same"), "post", "307"
    ),
    "redirect-accepted": NamedFault(
        "carried out, then redirect VALUE to the same address",
        transport.redirect("same", accepted=True),
        "post",
        "307",
    ),
    "redirect-dead": NamedFault(
        "redirect VALUE to a port where nobody listens", transport.redirect("dead"), "post", "307"
    ),
    "redirect-elsewhere": NamedFault(
        "redirect VALUE to another server, which keeps what it gets",
        transport.redirect("elsewhere"),
        "post",
        "307",
    ),
    "refused-hostile": NamedFault(
        "status VALUE, escapes and NUL in its message",
        transport.refused(transport.hostile),
        "post",
        "400",
    ),
    "refused-echo": NamedFault(
        "status VALUE, the login's secrets in its message",
        transport.refused(transport.echo),
        "post",
        "400",
    ),
}
_ANSWERS = {
    "earlier-id": NamedFault("accepted under the first job's id", answers.earlier_id, "post"),
    "made-up-id": NamedFault(
        "accepted under an id that no job has, or VALUE", answers.made_up_id, "post"
    ),
    "hostile-id": NamedFault(
        "accepted under an id with `../` and escapes", answers.hostile_id, "post"
    ),
    "other-id": NamedFault("the answer names another id", answers.other_id, times=None),
    "other-job": NamedFault("the newest other job's answer", answers.other_job, times=None),
    "vanished": NamedFault("no such job, status VALUE", answers.vanished, "job", "404"),
    "state": NamedFault("state VALUE", answers.state, "job", "PARTYING"),
    "queue-place": NamedFault("VALUE as place in the queue", answers.queue_place, "usage", "1e30"),
    "words": NamedFault("escapes in the words for states", answers.hostile_words, times=None),
    "reason-hostile": NamedFault(
        "failed, the reason holds escapes, NUL and a lone surrogate",
        answers.reason(transport.hostile),
        times=None,
    ),
    "reason-echo": NamedFault(
        "failed, the reason holds the login's secrets", answers.reason(transport.echo), times=None
    ),
    "reason-long": NamedFault(
        "failed, the reason is 4 MB long", answers.reason(lambda *_: "long " * 800_000), times=None
    ),
    "date": NamedFault(
        "VALUE for every time", answers.date, "job", "0001-01-01T00:00:00+14:00", None
    ),
    "usage": NamedFault(
        "seconds or shots used: a number, missing, pending, xFACTOR", answers.usage, "usage", "-1"
    ),
    "find-nothing": NamedFault("a search finds nothing", answers.find_nothing, "find"),
    "find-copies": NamedFault("a search finds copies nobody knows", answers.find_copies, "find"),
    "find-everything": NamedFault("a search finds every job", answers.find_everything, "find"),
    "pages": NamedFault(
        "a search without end: same page, new or empty pages", answers.pages, "find", "same", None
    ),
}
_RESULTS = {
    "shots": NamedFault("VALUE times the shots", results.bits(results.shots), "results", "0.5"),
    "bit": NamedFault("a bit is VALUE", results.bits(results.one_bit), "results", "0.7"),
    "narrow": NamedFault("a bit less in every shot", results.bits(results.narrow), "results"),
    "flat": NamedFault("bits without rows", results.bits(results.flat), "results"),
    "qubits": NamedFault("others' qubits, or one twice", results.qubits, "results", "others"),
    "rows": NamedFault("one-less, twice or none", results.rows, "results", "one-less"),
    "probabilities": NamedFault(
        "probabilities negative, nan, short or sum-2",
        results.probabilities,
        "results",
        "negative",
        vendors=_BRAKET,
    ),
    "successful-shots": NamedFault(
        "the result names VALUE times its shots, or missing",
        results.successful_shots,
        "results",
        "10",
        vendors=_BRAKET,
    ),
}
CATALOG: Final[Mapping[str, NamedFault]] = _TRANSPORT | _ANSWERS | _RESULTS
"""Every fault by name."""


def rule(
    vendor: Vendor,
    name: str,
    endpoint: str | None = None,
    *,
    value: str | None = None,
    times: int | str | None = None,
    skip: int = 0,
) -> Rule:
    """A fault of the catalogue as a rule for a vendor's plan.

    Args:
        vendor: that goes wrong.
        name: of the fault.
        endpoint: kind of request: ``login``, ``device``, ``post``, ``find``, ``job``,
            ``results``, ``usage``, ``cancel`` or ``any``.
        value: its parameter.
        times: requests that are hit, ``"all"`` for every one.
        skip: requests that pass first.

    Raises:
        ValueError: no such fault, endpoint or number.
    """
    offered = {key: fault for key, fault in CATALOG.items() if vendor.vendor in fault.vendors}
    found = _choice("fault", name, offered)
    method, path = _choice("endpoint", endpoint or found.endpoint, vendor.endpoints)
    hits = found.times if times is None else None if times == _ALL else _count("times", times)
    text = found.value if value is None else value
    try:
        fault = found.make(vendor, text)
    except ValueError as error:
        raise ValueError(
            f"Argument `value` must suit the fault {name} ({found.about}), but is {text!r}."
        ) from error
    return Rule(path, fault, method, hits, skip)


def parse(vendor: Vendor, text: str) -> Rule:
    """The rule that a text such as ``gzip-bomb@results,value=512,times=3`` means.

    Raises:
        ValueError: the text is of another form; else as :func:`rule`.
    """
    head, *rest = text.split(",")
    name, _, endpoint = head.partition("@")
    given: dict[str, str] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        if key not in ("value", "times", "skip") or not equals:
            raise ValueError(
                "Argument `fault` must be NAME@ENDPOINT with value=, times= or skip= behind "
                f"commas, but has {part!r}."
            )
        given[key] = value
    return rule(
        vendor,
        name,
        endpoint or None,
        value=given.get("value"),
        times=given.get("times"),
        skip=_count("skip", given.get("skip", "0")),
    )


def _choice(what: str, name: str, offered: Mapping[str, T]) -> T:
    if name not in offered:
        raise ValueError(
            f"Argument `{what}` must be one of {', '.join(sorted(offered))}, but is {name!r}."
        )
    return offered[name]


def _count(what: str, text: int | str) -> int:
    if not str(text).isdecimal():
        raise ValueError(f"Argument `{what}` must be a whole number, but is {text!r}.")
    return int(text)

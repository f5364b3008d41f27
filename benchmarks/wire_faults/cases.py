"""Which faults are put to which commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SCENES = ("submit", "sent", "lost", "cancel", "run", "live")
"""What is under way when the fault strikes.

``submit``: a run is sent. ``sent``: it has been sent and is done, nothing was asked yet.
``lost``: the answer to its post was lost. ``cancel``: it waits and is cancelled. ``run``: sent
and waited for. ``live``: nothing; devices are looked at, a run is priced.
"""
_BODIES = ("html", "empty", "cut-json", "not-utf8", "list", "null", "deep", "duplicate-keys")
_NUMBERS = ("nan", "infinity", "big-number")
_LINES = ("truncated", "drop", "hang", "drip", "drip-headers", "status,value=500")
_RETRY = ("²", "-1", "9999999", "1e400", "Fri; 31 Dec 9999 23:59:59 GMT")
_BULK = ("gzip-bomb", "endless")
_SAID = ("refused-hostile", "refused-echo")
_REDIRECTS = ("redirect-same", "redirect-accepted", "redirect-dead", "redirect-elsewhere")
_DATES = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday")
_RESULTS = (
    "other-job",
    "other-id",
    "shots,value=0.5",
    "shots,value=2",
    "bit,value=0.7",
    "bit,value=-1",
    "bit,value=2",
    "narrow",
    "flat",
    "qubits,value=others",
    "qubits,value=twice",
    "rows,value=one-less",
    "rows,value=twice",
    "rows,value=none",
    "probabilities,value=negative",
    "probabilities,value=nan",
    "probabilities,value=short",
    "probabilities,value=sum-2",
    "successful-shots,value=10",
    "successful-shots,value=missing",
)
_JOB = (
    "other-job",
    "other-id",
    "words",
    "reason-hostile",
    "reason-echo",
    "reason-long",
    "state,value=PARTYING",
    *(f"date,value={moment}" for moment in _DATES),
)
_USAGE = tuple(
    f"usage@usage,value={value}"
    for value in ("-1", "x1000", "1e30", "nan", "inf", "missing", "pending", "lots")
)


@dataclass(frozen=True)
class Case:
    """A scene with what goes wrong in it.

    Attributes:
        scene: one of :data:`SCENES`.
        faults: texts of the catalogue.
        bulk: the answer is too large; nothing may be ended by the clock.
        lie: the vendor says of a job that worked that it failed: there need be no counts.
    """

    scene: str
    faults: tuple[str, ...]
    bulk: bool = False
    lie: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        return " + ".join(self.faults) or "nothing"


def cases(vendor: str) -> Iterator[Case]:
    """Every case for a vendor; those whose request never comes are left out of the table."""
    for scene in SCENES:
        yield Case(scene, ())
    yield from _submitted(vendor)
    yield from _sent(vendor)
    for text in ("find-nothing,times=2", "find-copies", "find-everything", "earlier-id@post"):
        yield _case("lost", text if "@" in text else _at(text, "find"))
    for value in ("same", "new", "empty"):
        yield _case("lost", f"pages@find,value={value}")
    for text in ("html", "deep", "status,value=500", "date", *_BULK):
        yield _case("lost", _at(text, "find"))
    for text in ("html", "hang", "status,value=500", *_SAID, "redirect-elsewhere"):
        yield _case("cancel", _at(text, "cancel"))
    yield _case("cancel", "queue-place@usage,value=1e30,times=all")
    yield _case("cancel", "queue-place@usage,value=" + "9" * 5000 + ",times=all")
    for text in ("status-after@post", "shots@results,value=0.5", "usage@usage,value=pending"):
        yield _case("run", text)
    for text in (*_BODIES, "hang", *_SAID, "gzip-bomb", "words", "redirect-elsewhere", *_NUMBERS):
        yield _case("live", _at(text, "device", "all"))
    yield _case("live", "queue-place@device,value=1e30,times=all")
    yield _case("live", "queue-place@device,value=" + "9" * 5000 + ",times=all")


def _submitted(vendor: str) -> Iterator[Case]:
    for text in (*_BODIES, *_LINES, *_BULK, *_SAID):
        yield _case("submit", _at(text, "post"))
    for text in ("drop-after", "hang-after", "status-after", "earlier-id", "made-up-id"):
        yield _case("submit", _at(text, "post"))
    yield _case("submit", "hostile-id@post")
    yield _case("submit", "accepted-late@post,value=3")
    for name in _REDIRECTS:
        for status in (301, 302, 307, 308):
            yield _case("submit", f"{name}@post,value={status}")
    for value in _RETRY:
        yield _case("submit", f"throttle@post,value={value}")
    for text in ("html", "hang", "deep", "gzip-bomb", *_SAID, "redirect-elsewhere"):
        for endpoint in ("login", "device") if vendor == "ibm" else ("device",):
            yield _case("submit", _at(text, endpoint, "all"))


def _sent(vendor: str) -> Iterator[Case]:
    for endpoint in ("find", "job", "results", "usage"):
        if endpoint == "usage" and vendor == "braket":
            continue  # the same request as the job's
        for text in (*_BODIES, *_BULK, *_SAID):
            yield _case("sent", _at(text, endpoint, "all"))
        for text in (*_NUMBERS, *_LINES) if endpoint != "find" else ():
            yield _case("sent", _at(text, endpoint))
        yield _case("sent", f"vanished@{endpoint},times=all")
    for name in _REDIRECTS:
        yield _case("sent", f"{name}@job,value=302,times=all")
    for value in _RETRY:
        yield _case("sent", f"throttle@job,value={value},times=all")
    for text in _JOB:
        yield _case("sent", _at(text, "job", "all"), lie=text.startswith("reason"))
    for text in _RESULTS:
        if vendor == "braket" or not text.startswith(("probabilities", "successful")):
            yield _case("sent", _at(text, "results", "all"))
    for text in _USAGE:
        yield _case("sent", f"{text},times=all")


def _case(scene: str, text: str, *, lie: bool = False) -> Case:
    return Case(scene, (text,), text.startswith(_BULK), lie)


def _at(text: str, endpoint: str, times: str | None = None) -> str:
    """A fault of the catalogue for an endpoint."""
    name, *rest = text.split(",")
    if times is not None and not any(part.startswith("times=") for part in rest):
        rest.append(f"times={times}")
    return ",".join((f"{name}@{endpoint}", *rest))

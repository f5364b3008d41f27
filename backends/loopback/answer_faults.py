"""Faults of what a vendor says about jobs: names, states, dates, money, searches."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from backends.loopback.faults import Exchange, Fault
from backends.loopback.messages import Request, Response, Vendor
from backends.loopback.transport_faults import HOSTILE_TEXT, Make

Document = dict[str, Any]
Change = Callable[[Document, Exchange], object]
"""Changes a document in place, or gives another; ``None`` keeps it."""

_MADE_UP = {
    "ibm": "d99999madeup00000000",
    "braket": "arn:aws:braket:eu-north-1:000000000000:quantum-task/"
    "99999999-9999-4999-8999-999999999999",
}
_ID = {"ibm": "id", "braket": "quantumTaskArn"}
_MANY = 10**12
_COPIES = 3


def edited(change: Change) -> Fault:
    """The real document, changed; errors and bodies that are no objects stay."""

    def rewrite(exchange: Exchange) -> Response:
        answer = exchange.real()
        if answer.status >= 300 or answer.body[:1] != b"{":
            return answer
        document = json.loads(answer.body)
        told = change(document, exchange)
        return replace(answer, body=json.dumps(document if told is None else told).encode())

    return Fault.rewritten(rewrite)


# -- names of jobs -------------------------------------------------------------------------------
def earlier_id(vendor: Vendor, _value: str) -> Fault:
    """A post is carried out and answered with the name of the first job ever accepted."""

    def change(document: Document, _: Exchange) -> None:
        document[_ID[vendor.vendor]] = vendor.job_ids[0]

    return edited(change)


def made_up_id(vendor: Vendor, value: str) -> Fault:
    """A post is carried out and answered with a name that no job has."""

    def change(document: Document, _: Exchange) -> None:
        document[_ID[vendor.vendor]] = value or _MADE_UP[vendor.vendor]

    return edited(change)


def hostile_id(vendor: Vendor, _value: str) -> Fault:
    """A post is carried out and answered with a name that climbs folders and colours terminals."""
    return made_up_id(vendor, f"../../../{HOSTILE_TEXT}")


def other_id(vendor: Vendor, _value: str) -> Fault:
    """The job's own answer under a name that no job has."""

    def rewrite(exchange: Exchange) -> Response:
        answer, asked = exchange.real(), _asked(vendor, exchange)
        if asked is None:
            return answer
        made_up = _MADE_UP[vendor.vendor]
        body = answer.body.replace(asked.encode(), made_up.encode())
        return replace(answer, body=body.replace(_tail(asked).encode(), _tail(made_up).encode()))

    return Fault.rewritten(rewrite)


def other_job(vendor: Vendor, _value: str) -> Fault:
    """The answer for the newest other job; the real one where there is no other."""

    def rewrite(exchange: Exchange) -> Response:
        asked = _asked(vendor, exchange)
        others = [i for i in vendor.job_ids if i != asked]
        if asked is None or not others:
            return exchange.real()
        path = unquote(exchange.request.path).replace(_tail(asked), _tail(others[-1]))
        return exchange.ask(quote(path))

    return Fault.rewritten(rewrite)


def vanished(vendor: Vendor, value: str) -> Fault:
    """The vendor says that it has no such job."""
    code = int(value)
    return Fault.rewritten(lambda _: vendor.refusal(code, "no such job"))


# -- states, places, words, dates ----------------------------------------------------------------
def state(vendor: Vendor, value: str) -> Fault:
    """Another state than the job's."""

    def change(document: Document, _: Exchange) -> None:
        if vendor.vendor == "ibm":
            document["state"] = {"status": value}
        document["status"] = value

    return edited(change)


def queue_place(vendor: Vendor, value: str) -> Fault:
    """Any text or number as place in the queue; devices get it as the length of theirs."""

    def change(document: Document, _: Exchange) -> None:
        if "deviceQueueInfo" in document:
            for queue in document["deviceQueueInfo"]:
                queue["queueSize"] = value
        elif vendor.vendor == "braket":
            document["queueInfo"] = {"queue": "QUANTUM_TASKS_QUEUE", "position": value}
        else:
            name = "length_queue" if "length_queue" in document else "position_in_queue"
            document[name] = _number(value)

    return edited(change)


def reason(text: Callable[[Vendor, Request], str]) -> Make:
    """The job is said to have failed, for a reason."""

    def make(vendor: Vendor, _value: str) -> Fault:
        def change(document: Document, exchange: Exchange) -> None:
            said = text(vendor, exchange.request)
            if vendor.vendor == "ibm":
                document["status"] = "Failed"
                document["state"] = {"status": "Failed", "reason": said, "reason_code": 1517}
            else:
                document |= {"status": "FAILED", "failureReason": said}

        return edited(change)

    return make


def hostile_words(vendor: Vendor, _value: str) -> Fault:
    """Terminal escapes, NUL and a lone surrogate in the words for the state of job or device."""

    def change(document: Document, _: Exchange) -> None:
        for key in ("status", "deviceStatus", "deviceName", "providerName", "name"):
            if isinstance(document.get(key), str):
                document[key] += HOSTILE_TEXT
        if vendor.vendor == "ibm" and isinstance(document.get("state"), dict):
            document["state"]["status"] += f" {HOSTILE_TEXT}"

    return edited(change)


def date(_vendor: Vendor, value: str) -> Fault:
    """Every time of the answer becomes another."""
    moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")

    def other(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: other(item) for key, item in found.items()}
        if isinstance(found, list):
            return [other(item) for item in found]
        return value if isinstance(found, str) and moment.fullmatch(found) else found

    return edited(lambda document, _: other(document))


# -- money ---------------------------------------------------------------------------------------
def usage(vendor: Vendor, value: str) -> Fault:
    """What a job used: a number, ``missing``, ``pending``, or ``x1000`` for a multiple."""

    def told(real: object) -> object:
        if value.startswith("x") and isinstance(real, int | float):
            return real * float(value[1:])
        return _number(value)

    def change(document: Document, _: Exchange) -> None:
        if vendor.vendor == "braket":
            real = document.pop("numSuccessfulShots", None)
            if value not in ("missing", "pending"):
                document["numSuccessfulShots"] = _whole(told(real))
            return
        used = document["usage"]
        if value == "pending":
            used["status"] = "pending"
            return
        for key in ("quantum_seconds", "qpu_charge_time_seconds"):
            real = used.pop(key)
            if value != "missing":
                used[key] = told(real)

    return edited(change)


# -- searches ------------------------------------------------------------------------------------
def find_nothing(vendor: Vendor, _value: str) -> Fault:
    """A search finds no job."""
    return edited(lambda document, _: _listed(vendor, document, [], None))


def find_copies(vendor: Vendor, _value: str) -> Fault:
    """A search finds every job several times, under names that no job has too."""

    def change(document: Document, _: Exchange) -> object:
        found = _jobs(vendor, document)
        key = _ID[vendor.vendor]
        copies = [
            {**job, key: f"{job[key][:-12]}{uuid.uuid4().hex[:12]}"}
            for job in found
            for _ in range(_COPIES - 1)
        ]
        return _listed(vendor, document, found + copies, None)

    return edited(change)


def find_everything(vendor: Vendor, _value: str) -> Fault:
    """A search ignores what was asked for and finds every job."""

    def rewrite(exchange: Exchange) -> Response:
        request = exchange.request
        if vendor.vendor == "ibm":
            query = {k: v for k, v in request.query.items() if k != "tags"}
            return exchange.handle(replace(request, query=query))
        asked = json.loads(request.body) | {"filters": []}
        return exchange.handle(replace(request, body=json.dumps(asked).encode()))

    return Fault.rewritten(rewrite)


def pages(vendor: Vendor, value: str) -> Fault:
    """A search without end: the ``same`` page, ``new`` pages of strangers, ``empty`` pages."""
    one_of(value, "same", "new", "empty")
    turn = iter(range(_MANY))

    def change(document: Document, _: Exchange) -> object:
        number = next(turn)
        found = _jobs(vendor, document)
        if value == "empty":
            found = []
        elif value == "new":
            found = [_stranger(vendor, number)]
        return _listed(vendor, document, found, "page" if value == "same" else f"page-{number}")

    def rewrite(exchange: Exchange) -> Response | None:
        request = exchange.request
        if vendor.vendor == "braket":  # its own pages know no token of ours
            asked = json.loads(request.body)
            asked.pop("nextToken", None)
            exchange.request = replace(request, body=json.dumps(asked).encode())
        else:
            query = {k: v for k, v in request.query.items() if k != "offset"}
            exchange.request = replace(request, query=query)
        inner = edited(change).rewrite
        assert inner is not None
        return inner(exchange)

    return Fault.rewritten(rewrite)


def _stranger(vendor: Vendor, number: int) -> Document:
    """A job of somebody else in a listing."""
    moment = "2026-01-01T00:00:00.000Z"
    if vendor.vendor == "ibm":
        return {"id": f"s{number:019d}", "created": moment, "tags": ["not-ours"]}
    return {
        "quantumTaskArn": f"{_MADE_UP['braket'][:-12]}{number:012d}",
        "status": "COMPLETED",
        "deviceArn": "arn:aws:braket:::device/qpu/x/y",
        "shots": 1,
        "outputS3Bucket": "bucket",
        "outputS3Directory": "folder",
        "createdAt": moment,
        "tags": {},
    }


def _jobs(vendor: Vendor, document: Document) -> list[Document]:
    found: list[Document] = document["jobs" if vendor.vendor == "ibm" else "quantumTasks"]
    return found


def _listed(vendor: Vendor, document: Document, jobs: list[Document], page: str | None) -> Document:
    """A listing of these jobs; with a page to follow, one that never ends."""
    if vendor.vendor == "ibm":
        return document | {"jobs": jobs, "count": len(jobs) if page is None else _MANY}
    document.pop("nextToken", None)
    return document | {"quantumTasks": jobs} | ({} if page is None else {"nextToken": page})


def _asked(vendor: Vendor, exchange: Exchange) -> str | None:
    """The job that a request is about."""
    path = unquote(exchange.request.path)
    return next((i for i in vendor.job_ids if _tail(i) in path), None)


def _tail(identifier: str) -> str:
    return identifier.rpartition("/")[2]


def _whole(found: object) -> object:
    return int(found) if isinstance(found, float) and math.isfinite(found) else found


def one_of(value: str, *allowed: str) -> None:
    """Refuse a value that a fault does not know.

    Raises:
        ValueError: it is none of them.
    """
    if value not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")


def _number(text: str) -> object:
    """A number where the text is one, the text itself otherwise."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text

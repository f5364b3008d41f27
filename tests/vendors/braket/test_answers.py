"""What Amazon answers is checked before it is stored or booked, and stays with its job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.loopback.faults import Fault, Rule
from backends.vendor import Submission, UnknownJob, VendorError, VendorUnavailable
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import actual_micro, charged_micro, costs_of, jobs_of, row_errors_of
from qhw.jobs.records import JobRecord
from qhw.jobs.remarks import remarks_of
from qhw.jobs.states import State
from qhw.jobs.work import Outcome, give_up, reconcile, submit_run
from tests.vendors.braket.conftest import PATIENCE, Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

CAP = Budget(run_cap=50_000_000)
QUICK = Patience(visibility_s=0.0)
Damage = Callable[[dict[str, Any]], object]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def send(ledger: Ledger, vendor: Vendor, order: Submission, *runs: str) -> None:
    vendor.service.queue.hold()
    for run in runs:
        submit_run(ledger, vendor.connect(), order, RunRequest(run), CAP, patience=QUICK)
    vendor.service.queue.release()
    vendor.wait()


def go_on(ledger: Ledger, vendor: Vendor) -> Outcome:
    return reconcile(ledger, lambda _: vendor.connect(patience=PATIENCE), patience=QUICK)


def job_of(ledger: Ledger, run: str) -> JobRecord:
    with ledger.read() as connection:
        (job,) = jobs_of(connection, run)
    return job


def damage(vendor: Vendor, number: int, change: Damage) -> None:
    """Change the result file of a task."""
    (key,) = (k for k in vendor.service.queue.objects if vendor.tasks[number].folder in k)
    document = json.loads(vendor.service.queue.objects[key])
    change(document)
    vendor.service.queue.objects[key] = json.dumps(document).encode()


def first(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["programResults"][0]["executableResults"][0]
    return found


NONSENSE: dict[str, bytes] = {
    "position": b'"queueInfo": {"position": 1e30, "queue": "x"}, "status": "QUEUED"',
    "superscript": '"queueInfo": {"position": "²", "queue": "x"}, "status": "QUEUED"'.encode(),
    "surrogate": b'"failureReason": "\\ud800 \\u0000", "status": "FAILED"',
    "year 1": b'"endedAt": "0001-01-01T00:00:00Z", "status": "RUNNING"',
    "deep": b'"x": ' + b"[" * 100_000 + b"]" * 100_000,
    "huge": b'"numSuccessfulShots": ' + b"9" * 5000,
    "nan": b'"numSuccessfulShots": NaN',
    "types": b'"status": ["COMPLETED"]',
    "tags": b'"tags": 7',
    "twice": b'"status": "RUNNING", "status": "COMPLETED"',
    "cut": b'"status": "RUN',
    "long": b'"failureReason": "' + b"x" * 10**6 + b'", "status": "RUNNING"',
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_one_jobs_nonsense_leaves_the_others(
    ledger: Ledger, vendor: Vendor, order: Submission, nonsense: bytes
) -> None:
    send(ledger, vendor, order, "one", "two")
    told = {
        k: v for k, v in vendor.tasks[0].document().items() if f'"{k}"'.encode() not in nonsense
    }
    body = json.dumps(told).encode()[:-1] + b", " + nonsense + b"}"
    arn = vendor.tasks[0].arn.replace(":", "(:|%3A)").replace("/", "(/|%2F)")
    vendor.faults.add(Rule(f"/quantum-task/{arn}", Fault.malformed(body), "GET", times=None))
    go_on(ledger, vendor)
    assert job_of(ledger, "two").state is State.COMPLETE
    assert len(job_of(ledger, "one").vendor_text) <= 2000
    vendor.faults.clear()
    go_on(ledger, vendor)
    assert job_of(ledger, "one").state in (State.COMPLETE, State.FAILED)


WRONG: dict[str, tuple[Damage, str]] = {
    "task": (lambda d: d["taskMetadata"].update(id="arn:another"), "another task's"),
    "device": (lambda d: d["taskMetadata"].update(deviceId="arn:other"), "another task's"),
    "shots": (lambda d: d["taskMetadata"].update(requestedShots=100), "another task's"),
    "unnamed": (lambda d: d.pop("taskMetadata"), "names none"),
    "rows": (lambda d: d["programResults"].pop(), "must have 2 rows"),
    "place": (lambda d: d.update(s3Location=["other-bucket", "x"]), "must lie in"),
    "outside": (lambda d: d["programResults"].insert(0, "../x/results.json"), "outside"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_results_of_something_else_are_not_stored(
    ledger: Ledger, vendor: Vendor, order: Submission, change: Damage, words: str
) -> None:
    send(ledger, vendor, order, "one", "two")
    damage(vendor, 0, change)
    done = go_on(ledger, vendor)
    job = job_of(ledger, "one")
    assert job.state is State.FINISHED
    assert words in job.vendor_text and words in done.problems[job.id]
    assert job_of(ledger, "two").state is State.COMPLETE
    with ledger.read() as connection:
        assert any(words in remark.text for remark in remarks_of(connection, job.id))
    ended = give_up(ledger, job.id, 590_000, "billed so")
    assert (ended.state, ended.charge_micro) == (State.GIVEN_UP, 590_000)


BAD_ROWS: dict[str, tuple[Damage, str]] = {
    "one of 100": (lambda e: e.update(measurements=e["measurements"][:1]), "holds 1"),
    "too many": (lambda e: e.update(measurements=e["measurements"] * 2), "holds 200"),
    "0.7": (lambda e: e["measurements"].__setitem__(0, [0.7, 0, 0]), "one bit"),
    "true": (lambda e: e.update(measurements=[[True, False, True]] * 100), "one bit"),
    "nan": (lambda e: e["measurements"].__setitem__(0, [float("nan"), 0, 0]), "one bit"),
    "qubits": (lambda e: e.update(measuredQubits=[90, 91, 92]), "lacks"),
    "no qubits": (lambda e: e.update(measuredQubits="abc"), "malformed"),
}


@pytest.mark.parametrize(("change", "words"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_cannot_be_is_a_failed_row(
    ledger: Ledger, vendor: Vendor, order: Submission, change: Damage, words: str
) -> None:
    send(ledger, vendor, order, "one")
    damage(vendor, 0, lambda document: change(first(document)))
    go_on(ledger, vendor)
    job = job_of(ledger, "one")
    assert job.state is State.PARTIAL
    with ledger.read() as connection:
        errors = row_errors_of(connection, job)
    assert set(errors) == {0} and words in errors[0]


@pytest.mark.parametrize("shots", [50_000, -200, 10**30])
def test_shots_that_cannot_be_are_not_booked(
    ledger: Ledger, vendor: Vendor, order: Submission, shots: Any
) -> None:
    send(ledger, vendor, order, "one")
    reserved = job_of(ledger, "one").reserve_micro
    vendor.tasks[0].successful_shots = shots
    go_on(ledger, vendor)
    job = job_of(ledger, "one")
    with ledger.read() as connection:
        assert charged_micro(connection, [job]) == {job.id: None}
        assert any("successful shots" in r.text for r in remarks_of(connection, job.id))
    assert (job.state, job.charge_micro) == (State.COMPLETE, reserved)
    # a figure that can be is taken later
    vendor.tasks[0].successful_shots = 200
    go_on(ledger, vendor)
    with ledger.read() as connection:
        assert actual_micro(costs_of(connection, job.id)) == round(0.3e6 + 200 * 1450)


def test_another_tasks_record_is_not_this_tasks(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    one, two = backend.submit(order, "key-00000001"), backend.submit(order, "key-00000002")
    vendor.wait()
    path = "/quantum-task/.*" + one.vendor_id.rpartition("/")[2]
    body = json.dumps(vendor.tasks[1].document()).encode()
    vendor.faults.add(Rule(path, Fault.malformed(body), "GET", times=None))
    for ask in (backend.status, backend.usage, lambda h: backend.fetch(h, order)):
        with pytest.raises(VendorUnavailable, match="answers with"):
            ask(one)
    vendor.faults.clear()
    vendor.tasks[0].body["tags"] = {"qhw-key": "key-00000002"}
    with pytest.raises(UnknownJob, match="not this job"):
        backend.status(one)
    vendor.tasks[1].body["shots"] = 100
    with pytest.raises(VendorError, match="must have 200 shots"):
        backend.fetch(two, order)


def test_a_search_that_does_not_end(vendor: Vendor, order: Submission) -> None:
    backend = vendor.connect()
    body = b'{"quantumTasks": [], "nextToken": "7"}'
    vendor.faults.add(Rule("/quantum-tasks", Fault.malformed(body), times=None))
    handle = backend.submit(order, "key-00000001")
    with pytest.raises(VendorUnavailable, match="does not end"):
        backend.find(handle.key, handle.created)

"""What IBM answers is checked before it is stored or booked, and stays with its job."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.ibm.results import decode
from backends.loopback.faults import Fault, Rule
from backends.loopback.ibm import API
from backends.vendor import Submission, VendorUnavailable
from qhw.jobs.budget import Budget
from qhw.jobs.config import Patience
from qhw.jobs.errors import LedgerError
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import charged_micro, jobs_of
from qhw.jobs.records import JobRecord
from qhw.jobs.remarks import remarks_of
from qhw.jobs.states import Remark, State
from qhw.jobs.work import Outcome, give_up, reconcile, request_cancel, submit_run
from tests.vendors.ibm.conftest import Vendor

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

CAP = Budget(run_cap=100_000_000)
QUICK = Patience(visibility_s=0.0, backoff_s=0.01)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def send(ledger: Ledger, vendor: Vendor, order: Submission, *runs: str) -> None:
    vendor.platform.queue.hold()
    for run in runs:
        submit_run(ledger, vendor.connect(), order, RunRequest(run), CAP, patience=QUICK)
    vendor.platform.queue.release()
    vendor.wait()


def go_on(ledger: Ledger, vendor: Vendor) -> Outcome:
    return reconcile(ledger, lambda _: vendor.connect(), patience=QUICK)


def job_of(ledger: Ledger, run: str) -> JobRecord:
    with ledger.read() as connection:
        (job,) = jobs_of(connection, run)
    return job


def charge_of(ledger: Ledger, run: str) -> int | None:
    with ledger.read() as connection:
        (charged,) = charged_micro(connection, jobs_of(connection, run)).values()
    return charged


def remarks(ledger: Ledger, run: str) -> list[str]:
    with ledger.read() as connection:
        (job,) = jobs_of(connection, run)
        return [r.text for r in remarks_of(connection, job.id) if r.kind is Remark.CONTRADICTION]


def metrics(vendor: Vendor, number: int, usage: bytes, times: int | None = None) -> None:
    path = f"{API}/jobs/{vendor.jobs[number].id}/metrics"
    vendor.faults.add(Rule(path, Fault.malformed(b'{"usage": ' + usage + b"}"), "GET", times))


@pytest.mark.parametrize(
    "figure", ["-5", "1e9", "1e400", "NaN", "true", '"3"', "[]", "9" * 400, "5000"]
)
def test_charges_that_cannot_be_are_not_booked(
    ledger: Ledger, vendor: Vendor, order: Submission, figure: str
) -> None:
    send(ledger, vendor, order, "one", "two")
    reserved = job_of(ledger, "one").reserve_micro
    metrics(vendor, 0, f'{{"qpu_charge_time_seconds": {figure}}}'.encode())
    go_on(ledger, vendor)
    job = job_of(ledger, "one")
    assert (job.state, job.charge_micro) == (State.COMPLETE, reserved)
    assert charge_of(ledger, "one") is None
    assert remarks(ledger, "one")
    assert charge_of(ledger, "two") is not None


def test_a_cost_that_is_pending_is_learnt_later(
    ledger: Ledger, vendor: Vendor, order: Submission
) -> None:
    send(ledger, vendor, order, "one")
    metrics(vendor, 0, b'{"status": "pending"}', times=2)
    go_on(ledger, vendor)
    job = job_of(ledger, "one")
    assert job.state is State.COMPLETE
    assert charge_of(ledger, "one") is None
    go_on(ledger, vendor)
    assert charge_of(ledger, "one") is None
    go_on(ledger, vendor)
    paid = charge_of(ledger, "one")
    assert paid == pytest.approx(vendor.jobs[0].billed_s * 1.6e6, abs=2)
    assert paid is not None and paid < job.charge_micro
    assert go_on(ledger, vendor).jobs == ()


def test_a_post_answered_with_an_earlier_jobs_id(
    ledger: Ledger, vendor: Vendor, order: Submission
) -> None:
    """The second job was made all the same, and is found by its key."""
    send(ledger, vendor, order, "one")
    body = json.dumps({"id": vendor.jobs[0].id, "backend": "ibm_lagos"}).encode()
    vendor.faults.add(Rule(f"{API}/jobs", Fault.malformed(body), "POST"))
    send(ledger, vendor, order, "two")
    go_on(ledger, vendor)
    assert len(vendor.jobs) == 2
    assert [job_of(ledger, run).state for run in ("one", "two")] == [State.COMPLETE] * 2
    assert "which job 1 has" in remarks(ledger, "two")[0]


def test_an_id_taken_while_it_was_looked_up(
    ledger: Ledger, vendor: Vendor, order: Submission
) -> None:
    """One's answer is lost; while its key is looked up, two's post is answered with one's id."""
    vendor.faults.add(
        Rule(f"{API}/jobs", Fault.drop(after=True), "POST"),
        Rule(f"{API}/jobs", Fault.answer(500), "GET", times=None),
    )
    send(ledger, vendor, order, "one")
    vendor.faults.clear()
    assert job_of(ledger, "one").state is State.UNCERTAIN
    body = json.dumps({"id": vendor.jobs[0].id, "backend": "ibm_lagos"}).encode()

    def meanwhile(event: str, _: object) -> None:
        if event == "looked up" and len(vendor.jobs) == 1:
            vendor.faults.add(
                Rule(f"{API}/jobs", Fault.malformed(body), "POST"),
                Rule(
                    f"{API}/jobs/.*", Fault.answer(500), "GET", times=None
                ),  # not seen through yet
            )
            send(ledger, vendor, order, "two")
            vendor.faults.clear()

    done = reconcile(ledger, lambda _: vendor.connect(), patience=QUICK, observe=meanwhile)
    assert len(done.busy) == 1
    for _ in range(3):
        go_on(ledger, vendor)
    assert len(vendor.jobs) == 2
    assert [job_of(ledger, run).state for run in ("one", "two")] == [State.COMPLETE] * 2
    assert "has this job's key" in remarks(ledger, "two")[0]


def test_a_post_answered_with_a_strangers_id(
    ledger: Ledger, vendor: Vendor, order: Submission
) -> None:
    stranger = vendor.connect().submit(order, "somebody-elses")
    body = json.dumps({"id": stranger.vendor_id}).encode()
    vendor.faults.add(Rule(f"{API}/jobs", Fault.malformed(body), "POST"))
    send(ledger, vendor, order, "one")
    go_on(ledger, vendor)
    assert job_of(ledger, "one").state is State.COMPLETE
    assert "has this job's key" in remarks(ledger, "one")[0]
    assert len(vendor.jobs) == 2


def test_a_job_that_vanished_can_be_given_up(
    ledger: Ledger, vendor: Vendor, order: Submission
) -> None:
    send(ledger, vendor, order, "one", "two")
    gone = Fault.answer(404, body=b'{"error": {"code": 1291, "message": "job not found"}}')
    vendor.faults.add(Rule(f"{API}/jobs/{vendor.jobs[0].id}.*", gone, times=None))
    request_cancel(ledger, "one")
    done = go_on(ledger, vendor)
    job = job_of(ledger, "one")
    assert not job.state.final
    assert f"qhw jobs give-up {job.id}" in done.problems[job.id]
    assert job_of(ledger, "two").state is State.COMPLETE
    ended = give_up(ledger, job.id, 0, "deleted in the dashboard")
    assert (ended.state, ended.charge_micro) == (State.GIVEN_UP, 0)
    assert charge_of(ledger, "one") == 0
    assert go_on(ledger, vendor).jobs == ()
    with pytest.raises(LedgerError, match="its charge is known"):
        give_up(ledger, job.id, 5, "again")


def test_results_with_another_jobs_key(ledger: Ledger, vendor: Vendor, order: Submission) -> None:
    send(ledger, vendor, order, "one", "two")
    path = f"{API}/jobs/{vendor.jobs[0].id}/results"
    body = json.dumps(vendor.jobs[1].result).encode()
    vendor.faults.add(Rule(path, Fault.malformed(body), "GET", times=None))
    go_on(ledger, vendor)
    assert job_of(ledger, "one").state is State.FINISHED
    assert "must be of job" in job_of(ledger, "one").vendor_text
    assert job_of(ledger, "two").state is State.COMPLETE


def test_results_that_name_no_job_are_said_to_be_unproven(
    vendor: Vendor, order: Submission
) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, "key")
    vendor.wait()
    assert backend.fetch(handle, order).unproven == ""
    result: Any = vendor.jobs[0].result
    del result["passthrough_data"]["qhw"]
    assert "does not name its job" in backend.fetch(handle, order).unproven


def test_a_search_that_does_not_end(
    vendor: Vendor, order: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = vendor.connect()
    handle = backend.submit(order, "key")
    vendor.wait()
    other = {**vendor.jobs[0].document(), "tags": []}
    body = json.dumps({"jobs": [other], "count": 10**6}).encode()
    vendor.faults.add(Rule(f"{API}/jobs", Fault.malformed(body), "GET", times=None))
    monkeypatch.setattr("backends.ibm.backend.MOST_PAGES", 5)
    with pytest.raises(VendorUnavailable, match="does not end: 5 pages"):
        backend.find("key", handle.created)


def test_packed_results_are_bounded_before_they_are_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(200 * 2**20), 9)).decode()
    tensor = {"data": bomb, "shape": [8 * 200 * 2**20], "dtype": "bool"}
    document = {"schema_version": "v2.0", "data": [{"results": {"c": tensor}, "metadata": {}}]}
    with pytest.raises(ValueError, match="no proper shape"):
        decode(json.dumps(document), "key", 3)
    tensor["shape"] = [100, 3]
    with pytest.raises(ValueError, match="more than 64 MiB"):
        decode(json.dumps(document), "key", 3)
    with pytest.raises(ValueError, match="names objects"):
        decode('{"schema_version": "v2.0", "x": {"__type__": "ndarray"}}', "key", 3)

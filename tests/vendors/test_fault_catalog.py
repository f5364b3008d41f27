"""The loopback vendors' faults do on the wire what their names say."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import requests
from ibm_quantum_schemas.common import CompressedTensorModel
from numpy import zeros

from backends.loopback.braket import ACCESS_KEY, BUCKET, BraketService
from backends.loopback.catalog import CATALOG, parse, rule
from backends.loopback.ibm import API, API_KEY, IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.test_jobs_cli import qhw, refused

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SHOTS = 8


class IBM:
    """Two finished jobs of a loopback IBM, asked in plain HTTP."""

    def __init__(self) -> None:
        self.service = IBMPlatform(("ibm_lagos",))
        self.jobs = [self.service.queue.accept(order(tag)) for tag in ("qhw-a", "qhw-b")]
        self.service.queue.wait_idle()
        bits = CompressedTensorModel.from_numpy(zeros((2, SHOTS, 3), bool))
        for job in self.jobs:
            job.status, job.billed_s = "Completed", 3.0
            job.result = {"data": [{"results": {"c": bits.model_dump(mode="json")}}]}
        self.server = LoopbackServer(self.service).start()
        login = requests.post(f"{self.server.url}/identity/token", data={"apikey": API_KEY})
        self.headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        url = f"{self.server.url}{API}{path}"
        follow: bool = given.pop("allow_redirects", False)
        return requests.request(
            method, url, headers=self.headers, allow_redirects=follow, timeout=20, **given
        )

    def post(self) -> requests.Response:
        return self.ask("POST", "/jobs", json=order("qhw-c"))

    def job(self) -> requests.Response:
        return self.ask("GET", f"/jobs/{self.jobs[0].id}")

    def results(self) -> requests.Response:
        return self.ask("GET", f"/jobs/{self.jobs[0].id}/results")


def order(tag: str) -> dict[str, Any]:
    return {"backend": "ibm_lagos", "program_id": "executor", "params": {}, "tags": [tag]}


@contextmanager
def started() -> Iterator[IBM]:
    vendor = IBM()
    try:
        yield vendor
    finally:
        vendor.server.stop()
        vendor.service.stop()


@pytest.fixture(scope="module")
def running() -> Iterator[IBM]:
    with started() as vendor:
        yield vendor


@pytest.fixture
def ibm(running: IBM) -> IBM:
    running.server.faults.clear()
    return running


def plan(vendor: IBM, text: str) -> None:
    vendor.server.faults.add(parse(vendor.service, text))


def test_every_fault_can_be_planned_for_its_vendors(ibm: IBM) -> None:
    amazon = BraketService(("sv1",))
    amazon.queue.stop()
    for name, fault in CATALOG.items():
        assert fault.about and "\n" not in fault.about
        for service in (ibm.service, amazon):
            if service.vendor in fault.vendors:
                assert rule(service, name).times == fault.times
            else:
                with pytest.raises(ValueError, match=r"`fault` must be one of"):
                    rule(service, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redirekt", "`fault` must be one of"),
        ("html@nowhere", "`endpoint` must be one of"),
        ("slow,value=soon", "`value` must suit the fault slow"),
        ("redirect-same,value=x", "`value` must suit the fault redirect-same"),
        ("rows,value=three", "`value` must suit the fault rows"),
        ("html,times=-1", "`times` must be a whole number"),
        ("html,often=2", "must be NAME@ENDPOINT"),
    ],
)
def test_what_is_no_fault_is_refused(ibm: IBM, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(ibm.service, text)


def test_skip_and_times(ibm: IBM) -> None:
    plan(ibm, "status@job,value=418,times=2,skip=1")
    assert [ibm.job().status_code for _ in range(4)] == [200, 418, 418, 200]


@pytest.mark.parametrize("status", [301, 307])
def test_redirects(ibm: IBM, status: int) -> None:
    before = len(ibm.service.job_ids), len(ibm.server.elsewhere.received)
    for name in ("redirect-same", "redirect-dead", "redirect-elsewhere"):
        plan(ibm, f"{name}@post,value={status}")
        assert ibm.post().status_code == status
    assert len(ibm.service.job_ids) == before[0]
    plan(ibm, f"redirect-accepted,value={status}")
    assert ibm.post().status_code == status
    assert len(ibm.service.job_ids) == before[0] + 1
    plan(ibm, f"redirect-elsewhere@job,value={status}")
    followed = ibm.ask("GET", f"/jobs/{ibm.jobs[0].id}", allow_redirects=True)
    assert followed.json()["id"] == "d-elsewhere"
    assert len(ibm.server.elsewhere.received) == before[1] + 1


def test_bodies(ibm: IBM) -> None:
    checks: dict[str, Callable[[bytes], bool]] = {
        "html": lambda told: told.startswith(b"<html>"),
        "empty": lambda told: told == b"",
        "deep,value=5000": lambda told: told.count(b"[") >= 5000,
        "cut-json": lambda told: told.startswith(b"{") and not told.endswith(b"}"),
        "duplicate-keys": lambda told: json.loads(told)["id"] == f"other-{ibm.jobs[0].id}",
    }
    for text, check in checks.items():
        plan(ibm, text)
        assert check(ibm.job().content), text
    assert ibm.job().json()["id"] == ibm.jobs[0].id


def test_a_bomb_is_small_until_it_is_unpacked(ibm: IBM) -> None:
    plan(ibm, "gzip-bomb@job,value=128,times=1")
    with ibm.ask("GET", f"/jobs/{ibm.jobs[0].id}", stream=True) as answer:
        packed = answer.raw.read(decode_content=False)
    assert len(packed) < 1 << 20
    assert len(gzip.decompress(packed)) == 128 << 20


def test_a_body_without_end(ibm: IBM) -> None:
    plan(ibm, "endless@job,value=3,times=1")
    answer = ibm.job()
    assert "Content-Length" not in answer.headers and len(answer.content) > 3 << 20


def test_names_of_jobs(ibm: IBM) -> None:
    plan(ibm, "earlier-id")
    accepted = len(ibm.service.job_ids)
    assert ibm.post().json()["id"] == ibm.jobs[0].id
    plan(ibm, "made-up-id")
    assert ibm.post().json()["id"] not in ibm.service.job_ids
    assert len(ibm.service.job_ids) == accepted + 2
    plan(ibm, "other-job,times=1")
    assert ibm.job().json()["id"] == ibm.service.job_ids[-1]
    plan(ibm, "other-id,times=1")
    assert ibm.job().json()["id"] not in ibm.service.job_ids
    plan(ibm, "vanished,times=1")
    assert ibm.job().status_code == 404


def test_words_of_jobs(ibm: IBM) -> None:
    plan(ibm, "reason-hostile,times=1")
    assert "\x1b" in ibm.job().json()["state"]["reason"]
    plan(ibm, "reason-echo,times=1")
    assert API_KEY in ibm.job().json()["state"]["reason"]
    plan(ibm, "date,value=9999-12-31T23:59:59-14:00,times=1")
    assert ibm.job().json()["created"] == "9999-12-31T23:59:59-14:00"


def test_money(ibm: IBM) -> None:
    def usage() -> Any:
        return ibm.ask("GET", f"/jobs/{ibm.jobs[0].id}/metrics").json()["usage"]

    for value, told in (("-1", -1), ("x1000", 3000.0), ("missing", None), ("lots", "lots")):
        plan(ibm, f"usage,value={value}")
        assert usage().get("quantum_seconds") == told
    plan(ibm, "usage,value=pending")
    assert usage()["status"] == "pending"


def test_searches(ibm: IBM) -> None:
    def find(offset: int = 0) -> Any:
        return ibm.ask("GET", "/jobs", params={"tags": "qhw-a", "offset": offset}).json()

    assert [job["id"] for job in find()["jobs"]] == [ibm.jobs[0].id]
    plan(ibm, "find-nothing")
    assert find()["jobs"] == []
    plan(ibm, "find-copies")
    assert len({job["id"] for job in find()["jobs"]}) == 3
    plan(ibm, "find-everything")
    assert len(find()["jobs"]) == len(ibm.service.job_ids)
    plan(ibm, "pages,value=same,times=2")
    assert find()["jobs"] == find(100)["jobs"] != []
    plan(ibm, "pages,value=new,times=2")
    assert find()["jobs"] != find(1)["jobs"]


def test_results(ibm: IBM) -> None:
    def shape() -> tuple[int, ...]:
        (part,) = ibm.results().json()["data"]
        (packed,) = part["results"].values()
        return tuple(CompressedTensorModel.model_validate(packed).to_numpy().shape)

    assert shape() == (2, SHOTS, 3)
    for text, told in (
        ("shots,value=0.5", (2, SHOTS // 2, 3)),
        ("narrow", (2, SHOTS, 2)),
        ("flat", (2 * SHOTS * 3,)),
    ):
        plan(ibm, text)
        assert shape() == told
    plan(ibm, "bit,value=0.7")
    (packed,) = ibm.results().json()["data"][0]["results"].values()
    assert CompressedTensorModel.model_validate(packed).to_numpy().max() == 0.7
    plan(ibm, "rows,value=twice")
    assert len(ibm.results().json()["data"]) == 2


def test_amazons_answers_go_wrong_in_their_own_form() -> None:
    service = BraketService(("sv1",))
    service.queue.hold()
    arn = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
    body = {"deviceArn": arn, "shots": 4, "outputS3Bucket": BUCKET, "outputS3KeyPrefix": "qhw"}
    task, other = (service.queue.accept(body | {"clientToken": t}) for t in "ab")
    for known in (task, other):
        found = {"measuredQubits": [0, 1], "measurements": [[0, 1]] * 4, "id": known.arn}
        service.queue.objects[f"{BUCKET}/{known.folder}/results.json"] = json.dumps(found).encode()
    with LoopbackServer(service) as server:

        def ask(text: str, path: str) -> Any:
            server.faults.add(parse(service, text))
            login = {"Authorization": f"Credential={ACCESS_KEY}/"}
            return requests.get(f"{server.url}{path}", headers=login, timeout=20).json()

        state, results = f"/quantum-task/{quote(task.arn)}", f"/{BUCKET}/{task.folder}/results.json"
        assert ask("usage,value=-1", state)["numSuccessfulShots"] == -1
        assert ask("other-job@job,times=1", state)["quantumTaskArn"] == other.arn
        assert ask("other-job@results,times=1", results)["id"] == other.arn
        assert ask("other-id@results,times=1", results)["id"] not in service.job_ids
        assert ask("bit,value=0.7", results)["measurements"][0] == [0.7, 1.0]
        assert ask("qubits,value=twice", results)["measuredQubits"] == [0, 0]
        assert min(ask("probabilities", results)["measurementProbabilities"].values()) < 0
        assert "no such job" in str(ask("vanished,times=1", state))
    service.queue.stop()


def test_serve_lists_its_faults_and_refuses_others() -> None:
    listed = qhw("vendors", "serve", "ibm", "--fault", "list")
    assert listed.exit_code == 0
    names = {line.partition("@")[0] for line in listed.stdout.splitlines()}
    assert names == {name for name, fault in CATALOG.items() if "ibm" in fault.vendors}
    refused(qhw("vendors", "serve", "ibm", "--fault", "redirekt"), "redirect-same")

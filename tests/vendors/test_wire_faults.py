"""The table of wire faults: its judges see what they are for; a small part of it is played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.chaos.local import LocalVendor
from benchmarks.chaos.world import LocalWorld
from benchmarks.vendor_process import Billed
from benchmarks.wire_faults import judge
from benchmarks.wire_faults.cases import Case, cases
from benchmarks.wire_faults.commands import Done
from benchmarks.wire_faults.stage import LIMIT_S, Stage
from qhw.jobs.budget import Budget
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.work import reconcile, submit_run
from tests.jobs.conftest import QUICK, small_submission

SECRET = "loopback-secret"
WELL = Done(0, b"1 complete\n", b"asking the vendors\n", 1.0, 50.0)


@pytest.mark.parametrize(
    ("done", "problem"),
    [
        (WELL, None),
        (replace(WELL, code=2, err=b"asking\nerror: IBM refused\n"), None),
        (replace(WELL, code=2, err=b""), "not one line"),
        (replace(WELL, code=1), "exit 1"),
        (replace(WELL, code=-9, seconds=LIMIT_S + 0.1), "hang"),
        (replace(WELL, code=-11), "signal 11"),
        (
            replace(WELL, code=1, err=b"Traceback (most recent call last):\nKeyError: 1"),
            "traceback",
        ),
        (replace(WELL, grew_mb=900.0), "memory"),
        (replace(WELL, out=b"failed: \x1b[31mred"), "raw escape"),
        (replace(WELL, out="failed: \u202e".encode()), "raw escape"),
        (replace(WELL, err=b"denied to loopback-secret"), "secret shown"),
        (replace(WELL, out=b"x" * 10_000), "line without bound"),
    ],
)
def test_outputs_are_judged(done: Done, problem: str | None) -> None:
    found = judge.of_output(done, (SECRET,), LIMIT_S)
    assert found == [] if problem is None else problem in found[0]


def test_books_are_judged(tmp_path: Path) -> None:
    world = LocalWorld(tmp_path, hostile=True)
    vendor = LocalVendor(tmp_path / "vendor.db")
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        order = small_submission(vendor, rows=2)
        submit_run(ledger, vendor, order, RunRequest("run"), Budget(run_cap=10**9), patience=QUICK)
        assert judge.of_books(url, world.account()).open == ("running",)
        for _ in range(9):
            reconcile(ledger, lambda _: vendor, patience=QUICK)
    (truth,) = world.account()
    assert truth.counts is not None

    def problems(*account: Billed) -> str:
        return "; ".join(judge.of_books(url, account).problems)

    assert problems(truth) == ""
    assert "wrong counts" in problems(replace(truth, counts=np.roll(truth.counts, 1, axis=0)))
    assert "charged 0.2, was 0.1" in problems(replace(truth, micro=truth.micro // 2))
    twice = problems(truth, replace(truth, vendor_id="2"))
    assert "posted 2 times" in twice and "job lost" in twice
    assert "another job kept" in problems(replace(truth, key="somebody's"))


def test_every_case_can_be_planned() -> None:
    for vendor in ("ibm", "braket"):
        found = list(cases(vendor))
        assert len({(case.scene, case.faults) for case in found}) == len(found) > 150


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("vendor", ["ibm", pytest.param("braket", marks=pytest.mark.slow)])
def test_devices_and_prices_of_a_vendor_that_answers_nonsense(vendor: str, tmp_path: Path) -> None:
    stage = Stage(vendor, tmp_path)
    try:
        cells = list(stage.play(Case("live", ("html@device,times=all",))))
    finally:
        stage.close()
    assert {cell.command: cell.problems for cell in cells} == {"devices --live": (), "estimate": ()}
    assert "one line" in {cell.verdict for cell in cells}

"""Nothing is written through a link or out of a folder, whatever a ledger names its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.local import LocalVendor
from qhw.jobs.budget import Budget
from qhw.jobs.intent import RunRequest
from qhw.jobs.ledger import Ledger
from qhw.jobs.work import reconcile, submit_run
from qhw.report.runfolder import file_name, run_folder
from qhw.study.store import Store, StoreError
from tests.cli.test_jobs_cli import document, qhw
from tests.jobs.conftest import QUICK, small_submission

pytestmark = pytest.mark.usefixtures("own_home")


def measured(tmp_path: Path, name: str, *roles: str) -> None:
    """A ledger with counts of a run."""
    vendor = LocalVendor(tmp_path / "vendor.db")
    with Ledger.open() as ledger:
        for role in roles:
            submit_run(
                ledger,
                vendor,
                small_submission(vendor, rows=1),
                RunRequest(name),
                Budget(run_cap=10**9),
                role=role,
                patience=QUICK,
            )
        for _ in range(9):
            reconcile(ledger, lambda _: vendor, patience=QUICK)


def test_counts_follow_no_planted_link(tmp_path: Path) -> None:
    measured(tmp_path, "run-1", "circuit")
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    out = tmp_path / "out"
    out.mkdir()
    (out / "run-1-circuit-counts.npz").symlink_to(precious)
    refused = qhw("jobs", "counts", "run-1", "--out", out)
    assert refused.exit_code == 2 and "must hold no link named run-1-circuit" in refused.stderr
    assert precious.read_text() == "keep me"


def test_names_lead_out_of_no_folder(tmp_path: Path) -> None:
    name = "../../up/../\x1b[31m run"
    measured(tmp_path, name, "../a/b", "../a b", "c")
    out = tmp_path / "x" / "y" / "out"
    written = document("jobs", "counts", name, "--out", out)["counts"]
    files = {Path(item["file"]).resolve() for item in written}
    assert len(files) == 3 and files == {path.resolve() for path in out.iterdir()}
    assert not (tmp_path / "up").exists() and not (tmp_path / "x" / "up").exists()
    with run_folder(out, name) as run:
        (run.staging / "a").write_text("")
    assert run.final.parent == out and run.final.is_dir()


@pytest.mark.parametrize("text", ["..", ".", "", "/", "a/b", "é", "x" * 500, "\0"])
def test_a_name_is_one_file(text: str, tmp_path: Path) -> None:
    name = file_name(text)
    assert name and Path(name).name == name and name not in (".", "..")
    (tmp_path / f"{name}-counts.npz").write_text("")


def test_ordinary_names_stay() -> None:
    for name in ("20261121T000000Z-run-0a1b2c3d", "decoder-zne(1,3)+readout"):
        assert file_name(name) == name


def test_a_study_writes_into_no_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "cells").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cells in it is a link"):
        Store(tmp_path / "study")

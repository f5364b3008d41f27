"""Ctrl-C while a paid job is out: it is not stopped, so the person must be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.interrupted import interrupted
from tests.cli.test_jobs_cli import document, qhw

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]


@pytest.mark.slow
def test_an_interrupted_run_names_what_goes_on(
    ibm: tuple[IBMPlatform, LoopbackServer], small_model: Path, tmp_path: Path
) -> None:
    platform, _ = ibm
    out = tmp_path / "runs"
    shown = interrupted(
        platform, "run", "--model", small_model, "--device", "ibm:ibm_lagos", "--task", "generate",
        "--molecules", 2, "--shots", 200, "--budget", "20usd", "--out", out,
    )  # fmt: skip
    assert not out.exists()
    (job,) = document("jobs", "list")["jobs"]
    assert f"`qhw jobs watch {job['run']}` waits for it" in shown
    assert f"`qhw jobs cancel {job['run']}` stops it" in shown
    assert "up to" in qhw("jobs", "list").stdout  # held, not yet charged
    document("jobs", "cancel", job["run"])
    assert "up to" not in qhw("jobs", "list").stdout

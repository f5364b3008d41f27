"""What is asked of a generator goes through estimate, submit and fetch of a paid run."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.loopback.braket import BraketService
from tests.cli.test_jobs_cli import document, qhw, refused

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

NISQ = ("--task", "generate", "--model", "nisq-chain5", "--molecules", "3", "--shots", "400")
FAITHFUL = ("--model", "qcvae-logp", "--prior", "posterior")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), FAITHFUL], ids=["nisq", "faithful"])
def test_a_condition_from_estimate_to_report(
    braket: BraketService, more: tuple[str, ...], tmp_path: Path
) -> None:
    asked = (*NISQ, *more, "--device", "braket:iqm_garnet", "--condition", "logP=1")
    priced = document("estimate", *asked)
    sent = document("submit", *asked, "--budget", "20usd")
    (job,) = sent["jobs"]
    assert job["estimate_usd"] == pytest.approx(priced["usd"])
    done = document("jobs", "fetch", sent["run"], "--out", tmp_path / "runs")
    (task,) = braket.queue.tasks
    assert done["circuits"][0]["usd"] == pytest.approx(task.billed_usd)
    assert done["settings"]["condition"] == ["logP=1"]
    assert "logP" in (Path(done["run"]) / "report.html").read_text()


def test_a_condition_that_cannot_be_is_refused_before_anything_is_sent(
    braket: BraketService,
) -> None:
    asked = (*NISQ, "--device", "braket:iqm_garnet")
    for condition in ("logP=nan", "colour=1", "logP=1e9"):
        line = ("submit", *asked, "--budget", "9usd", "--condition", condition)
        refused(qhw(*line), condition.partition("=")[0])
    assert not braket.queue.tasks

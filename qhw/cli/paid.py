"""Runs on paid devices, printed and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.expect.values import Measured
from qhw.analysis.head.calibration import HeadCalibration
from qhw.cli.calibrate_head import tell_head
from qhw.cli.compare import report_run
from qhw.cli.console import err
from qhw.cli.expect_output import tell_expectation
from qhw.cli.job_lines import job_document
from qhw.jobs.queries import charged_micro
from qhw.paid.run import PaidRun
from qhw.report.runfolder import run_folder


def report_paid(
    job: PaidRun[Any, Any],
    found: Comparison | Measured | HeadCalibration,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write and print what a run gave; expectation values need no folder."""
    if isinstance(found, Measured):
        tell_expectation(found, folder, job.id, as_json=as_json)
        return
    assert folder is not None  # the others always have one
    if isinstance(found, HeadCalibration):
        with run_folder(folder, job.id) as run:
            (run.staging / "head.json").write_text(found.to_json(), encoding="utf-8")
        tell_head(found, run.final / "head.json", as_json=as_json)
        return
    report_run(found, folder, job.id, as_json=as_json)


def job_documents(job: PaidRun[Any, Any]) -> list[dict[str, Any]]:
    """The run's jobs for JSON."""
    jobs = job.jobs()
    with job.ledger.read() as connection:
        charged = charged_micro(connection, jobs)
    return [job_document(record, charged[record.id]) for record in jobs]


def say_what_goes_on(job: PaidRun[Any, Any]) -> None:
    """An interrupted wait stops nothing at the vendor: name the run that goes on, is paid."""
    if words := job.describe_if_open():
        err.print(f"interrupted, but {words}", markup=False, soft_wrap=True)

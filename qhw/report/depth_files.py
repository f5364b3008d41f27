"""The files of a depth report's run folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from backends.export import openqasm3_file, qpy_file
from qhw.analysis.depth.report import DepthReport
from qhw.analysis.depth.subjects import Subject
from qhw.report.depth import best_natives, render_depth, to_csv


def write_depth_files(
    folder: Path, run_id: str, report: DepthReport, subjects: Sequence[Subject]
) -> None:
    """Write report, rows and the best compiled circuit of each subject.

    Args:
        folder: existing folder.
        run_id: name of the run.
        report: the sweep.
        subjects: its circuits.

    Raises:
        OSError: the folder cannot be written.
    """
    natives = best_natives(report, subjects)
    (folder / "result.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "rows.csv").write_text(to_csv(report), encoding="utf-8")
    page = render_depth(report, subjects, natives, run_id)
    (folder / "report.html").write_text(page, encoding="utf-8")
    circuits = folder / "circuits"
    circuits.mkdir()
    for subject, native in natives.items():
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", subject).strip("-.") or "circuit"
        (circuits / f"{stem}.qpy").write_bytes(qpy_file(native.circuit, native.snapshot))
        (circuits / f"{stem}.qasm").write_text(openqasm3_file(native.circuit), encoding="utf-8")

"""The files of a depth report's run folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from backends.dynamic.circuit import is_dynamic
from backends.export import openqasm3_file, qpy_file
from backends.native.as_compiled import Place, marked
from backends.native.compile import NativeCircuit
from qhw.analysis.depth.natives import native_of
from qhw.analysis.depth.recommend import Recommendation, submit_line
from qhw.analysis.depth.report import DepthReport, Row
from qhw.analysis.depth.subjects import Subject
from qhw.report.depth import best_natives, render_depth, to_csv


def write_depth_files(
    folder: Path,
    run_id: str,
    report: DepthReport,
    subjects: Sequence[Subject],
    *,
    final: Path | None = None,
) -> DepthReport:
    """Write report, rows and the recommended compiled circuit of each subject, else its best.

    Args:
        folder: existing folder.
        run_id: name of the run.
        report: the sweep.
        subjects: its circuits.
        final: where the folder will be, if it is moved.

    Returns:
        The report, with lines that send these files where the circuit as given would be compiled
        otherwise.

    Raises:
        OSError: the folder cannot be written.
    """
    best = best_natives(report, subjects)
    circuits = folder / "circuits"
    circuits.mkdir()
    advised = {one.circuit: one for one in report.recommendations}
    taken: set[str] = set()
    for subject in subjects:
        first, advice = report.best_row(subject.name), advised.get(subject.name)
        row = report.row_of(subject.name, advice.best if advice else None) or first
        native = best.get(subject.name)
        if row is None or native is None:
            continue
        if row != first:
            native = native_of(row, subject, fractional=report.fractional)
        path = circuits / f"{_stem(subject.name, taken)}.qpy"
        _write(path, native, row)
        if advice is not None and advice.best is not None and not advice.submit:
            place = (final or folder) / "circuits" / path.name
            line = _line(place, native, row, subject, advice)
            advised[subject.name] = advice.model_copy(update={"submit": line})
    report = report.model_copy(update={"recommendations": tuple(advised.values())})
    (folder / "result.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "rows.csv").write_text(to_csv(report), encoding="utf-8")
    page = render_depth(report, subjects, best, run_id)
    (folder / "report.html").write_text(page, encoding="utf-8")
    return report


def _write(path: Path, native: NativeCircuit, row: Row) -> None:
    """A compiled circuit, which says in QPY what it was compiled for."""
    circuit = native.circuit
    if not is_dynamic(circuit):  # their courses cannot be kept as they are
        circuit = marked(circuit, Place(native.snapshot.name, native.qubits, row.compiler))
    path.write_bytes(qpy_file(circuit, native.snapshot))
    path.with_suffix(".qasm").write_text(openqasm3_file(native.circuit), encoding="utf-8")


def _line(
    path: Path, native: NativeCircuit, row: Row, subject: Subject, advice: Recommendation
) -> str:
    """What sends a compiled circuit; empty where it is not all of what would be sent."""
    rows = len(subject.sent_as) > 1  # of angles, of which the compiled circuit is the first
    if rows or native.circuit.parameters or is_dynamic(native.circuit) or advice.best is None:
        return ""
    return submit_line([str(path)], row, advice.best.shots)


def _stem(name: str, taken: set[str]) -> str:
    """Name of a circuit's files; numbered where another circuit has it."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "circuit"
    found, number = stem, 1
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    taken.add(found)
    return found

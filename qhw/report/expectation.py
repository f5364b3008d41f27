"""What ``qhw expect`` found, on a terminal and in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backends.export import to_openqasm3, to_qpy_bytes
from qhw.analysis.compare.result import REHEARSAL
from qhw.analysis.expect.result import ExpectResult
from qhw.analysis.expect.values import Measured
from qhw.analysis.probe.found import fitted_snapshot
from qhw.report.expectation_page import hardware_lines, render_expectation
from qhw.report.format import number
from qhw.report.prediction import prediction_told
from qhw.report.probe import FITTED_EXPECTATION, noise_words
from qhw.report.tables import WholeTable

_TOO_WIDE = "too wide"
_ROUNDING = 1e-9
_NAMED = 3


def expectation_table(result: ExpectResult) -> WholeTable:
    """Values beside the exact ones."""
    table = WholeTable(
        title=f"{result.device} ({result.snapshot or 'ideal'}), {result.mitigation}, "
        f"{result.total_shots:,} shots, {result.two_qubit_gates} two-qubit gates"
    )
    named = result.settings.rows is not None
    if named:
        table.add_column("row")
    headings = ("observable", "value ± standard error", "exact", "shot floor", "uniform")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "observable" else "right")
    for row in result.observables:
        table.add_row(
            *([row.row_name] if named else []),
            row.observable,
            f"{row.value:z.4f} ± {row.standard_error:.4f}",
            _TOO_WIDE if row.exact is None else f"{row.exact:z.4f}",
            _TOO_WIDE if row.shot_floor is None else f"{row.shot_floor:.4f}",
            f"{row.uniform:z.4f}",
        )
    return table


def expectation_lines(result: ExpectResult) -> list[str]:
    """What must be known of the values beside the table; nothing on an ideal simulator."""
    lines = [REHEARSAL] if result.rehearsal else []
    if result.vendor_mitigation is not None:
        lines.append(f"the vendor's own mitigation: {result.vendor_mitigation}")
    if result.snapshot_age_days is not None:
        lines.append(
            f"snapshot {result.snapshot}: {number(result.snapshot_age_days)} days old when measured"
        )
    if result.run is not None:
        words = "would have cost" if result.rehearsal else "cost"
        lines.append(
            f"{result.circuits} circuits, {words} ${result.cost.usd:.2f}; {result.cost.basis}"
        )
    if result.prediction is not None:
        said = prediction_told(result.prediction)
        lines.append(
            f"predicted {result.prediction.made:%Y-%m-%d %H:%M} UTC before it was sent: {said}"
        )
    if result.probe is not None:
        lines.append(noise_words(result.probe.noise))
        if result.probe.again is not None:
            lines.append(f"with the noise of the day: {prediction_told(result.probe.again)}")
    lines += hardware_lines(result)
    lines += [f"row {m.name} has no counts: {m.text}" for m in result.missing[:_NAMED]]
    if len(result.missing) > _NAMED:
        lines.append(f"{len(result.missing)} rows in all have no counts")
    most = max((abs(row.synthesis or 0.0) for row in result.observables), default=0.0)
    if most > _ROUNDING:
        told = f"values by up to {most:.4f}"
        if result.settings.rows is None:
            told = ", ".join(f"{r.observable} by {r.synthesis:+.4f}" for r in result.observables)
        lines.append(
            f"PauliEvolution runs as a product formula, which moves {told} from exact, whatever "
            "the device; more steps (`synthesis=` of the gate) move it less"
        )
    return lines


def write_expectation(found: Measured, folder: Path, run_id: str) -> None:
    """Write report, result, raw counts by circuit, the compiled circuit and its calibration.

    Args:
        found: what came of it.
        folder: existing folder.
        run_id: name of the run.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "result.json").write_text(found.result.to_json(), encoding="utf-8")
    compiled = found.program.compiled
    (folder / "circuit.qpy").write_bytes(to_qpy_bytes(compiled))
    (folder / "circuit.qasm").write_text(to_openqasm3(compiled), encoding="utf-8")
    if compiled.snapshot is not None:
        (folder / "snapshot.json").write_text(compiled.snapshot.to_json(), encoding="utf-8")
        if found.result.probe is not None:
            fitted = fitted_snapshot(compiled.snapshot, found.result.probe.noise)
            if fitted is not None:
                (folder / FITTED_EXPECTATION).write_text(fitted.to_json(), encoding="utf-8")
    (folder / "report.html").write_text(render_expectation(found, run_id), encoding="utf-8")
    np.savez_compressed(folder / "counts.npz", allow_pickle=False, **found.found.counts)

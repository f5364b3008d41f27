"""A comparison's run folder, all of it."""

from __future__ import annotations

from pathlib import Path

from qhw.analysis.compare.comparison import Comparison
from qhw.report.artefacts import write_artefacts
from qhw.report.html import render


def write_comparison(comparison: Comparison, folder: Path, run_id: str) -> None:
    """Write result, circuits, counts, what belongs to the model, and ``report.html``.

    Args:
        comparison: a finished comparison.
        folder: existing folder.
        run_id: name of the run.

    Raises:
        OSError: the folder cannot be written.
    """
    write_artefacts(comparison, folder)
    (folder / "report.html").write_text(render(comparison, run_id), encoding="utf-8")

"""Where even the exact reference has no molecule, the terminal says whose doing that is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from qhw.analysis.compare.result import ComparisonResult
from qhw.report.terminal import summary

GOLDEN = Path(__file__).parents[1] / "analysis" / "golden" / "result-v1.json"


def said(task: str, valid: int) -> str:
    result = ComparisonResult.from_json(GOLDEN.read_text())
    rows = tuple(
        row.model_copy(update={"valid": valid}) if row.source == "exact" else row
        for row in result.validity
    )
    settings = result.settings.model_copy(update={"task": task})
    console = Console(file=io.StringIO(), width=300)
    console.print(summary(result.model_copy(update={"validity": rows, "settings": settings})))
    return str(console.file.getvalue())


@pytest.mark.parametrize(
    ("task", "valid", "told"),
    [("generate", 0, True), ("generate", 1, False), ("reconstruct", 0, False)],
)
def test_it_is_the_model_and_not_the_device(task: str, valid: int, told: bool) -> None:
    assert ("No molecule of the exact reference is strictly valid" in said(task, valid)) == told

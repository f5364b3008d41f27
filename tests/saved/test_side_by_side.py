"""Runs beside each other: paired differences against an independent computation."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from qhw.analysis.scores.molecules import paired_shares
from qhw.report.side_by_side import render_runs
from qhw.saved.shelf import Shelf, ShelfError
from qhw.saved.side_by_side import FigureLine, SideBySide, lay_side_by_side
from tests.saved.conftest import GOLDEN

Change = Callable[[dict[str, Any]], None]


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GOLDEN / "result-v3.json").read_text())
    return document


def _store(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "result.json").write_text(json.dumps(document))


def _beside(tmp_path: Path, change: Change) -> SideBySide:
    first, second = _document(), _document()
    change(second)
    _store(tmp_path, "first", first)
    _store(tmp_path, "second", second)
    return lay_side_by_side(Shelf(tmp_path), ["first", "second"])


def _rows(document: dict[str, Any], metric: str, source: str) -> dict[str, Any]:
    for section in document["sections"]:
        for found in section["metrics"]:
            if found["key"] == metric:
                row: dict[str, Any] = next(r for r in found["rows"] if r["source"] == source)
                return row
    raise AssertionError(metric)


def _line(compared: SideBySide, label: str, source: str = "device, raw") -> FigureLine:
    return next(f for f in compared.figures if f.label == label and f.source == source)


def test_a_difference_is_paired_by_row(tmp_path: Path) -> None:
    """Rows far from each other, all of them a little worse: told apart only in pairs."""
    rng = np.random.default_rng(4)
    shift = 0.01 + 0.002 * rng.standard_normal(40)
    first, second = _document(), _document()
    values = rng.uniform(0.1, 0.9, 40)
    for document, device in ((first, values), (second, values + shift)):
        document["settings"]["molecules"] = 40
        document["molecules"] = []
        document["row_names"] = [{"index": i, "name": f"latent {i}"} for i in range(40)]
        for section in document["sections"]:
            for metric in section["metrics"]:
                for row in metric["rows"]:
                    row["values"] = [0.5] * 40
        _rows(document, "total_variation", "device_raw")["values"] = device.tolist()
    _store(tmp_path, "first", first)
    _store(tmp_path, "second", second)
    compared = lay_side_by_side(Shelf(tmp_path), ["first", "second"])
    cells = _line(compared, "total variation distance").cells
    assert cells[0] is not None and cells[0].against is None
    assert cells[1] is not None and cells[1].against is not None
    against = cells[1].against
    assert (against.rows, against.level) == (40, "worse")
    assert against.change.value == pytest.approx(shift.mean())
    other = bootstrap((shift,), np.mean, method="BCa", rng=1, n_resamples=5000).confidence_interval
    width = other.high - other.low
    assert against.change.low == pytest.approx(other.low, abs=0.15 * width)
    assert against.change.high == pytest.approx(other.high, abs=0.15 * width)
    again = lay_side_by_side(Shelf(tmp_path), ["first", "second"])
    assert again == compared


def _seed(document: dict[str, Any]) -> None:
    document["settings"]["seed"] = 1


def _other_circuits(document: dict[str, Any]) -> None:
    row = _rows(document, "total_variation", "uniform")
    row["values"] = [v + 0.01 for v in row["values"]]


def _other_device(document: dict[str, Any]) -> None:
    document["settings"]["device"] = document["device"]["backend"] = "aer:ibm_boston"
    document["device"]["median_two_qubit_error"] = 0.5


def test_other_rows_are_not_set_against_each_other(tmp_path: Path) -> None:
    compared = _beside(tmp_path / "a", _seed)
    assert all(c is None or c.against is None for f in compared.figures for c in f.cells)
    assert compared.notes == ("second has other rows than first: not set against it.",)
    compared = _beside(tmp_path / "b", _other_circuits)  # whatever the settings say
    cell = _line(compared, "total variation distance").cells[1]
    assert cell is not None and cell.against is None
    assert "have the name of a row" in compared.notes[0]


def test_only_rows_that_both_have(tmp_path: Path) -> None:
    def without_one(document: dict[str, Any]) -> None:
        names = document["row_names"] or [
            {"index": m["index"], "name": m["name"]} for m in document["molecules"]
        ]
        document["row_names"], lost = names[1:], names[0]
        document["molecules"] = document["molecules"][1:]
        document["missing"] = [lost | {"role": "decoder", "text": "failed"}]
        for section in document["sections"]:
            for metric in section["metrics"]:
                for row in metric["rows"]:
                    row["values"] = row["values"][1:]

    compared = _beside(tmp_path, without_one)
    cell = _line(compared, "total variation distance").cells[1]
    assert cell is not None and cell.against is not None
    assert cell.against.rows == 2
    assert cell.against.change.value == 0


def test_what_differs_is_told_and_the_rest_is_not_called_different(tmp_path: Path) -> None:
    compared = _beside(tmp_path, _other_device)
    assert {(line.group, line.name) for line in compared.lines if line.differs} == {
        ("settings", "device"),
        ("calibration", "median two-qubit error"),
    }
    assert not compared.notes


def test_shares_of_rows_that_all_agree_still_have_an_interval() -> None:
    same = paired_shares(np.array([True, False, True]), np.array([True, False, True]))
    assert same.value == 0 and same.low < -0.3 and same.high > 0.3
    # Bonett and Price (2012): f12 = 6, f21 = 2 of 40 is 0.1, interval -0.0392 to 0.2296
    first = np.array([True] * 2 + [False] * 6 + [True] * 32)
    second = np.array([False] * 2 + [True] * 6 + [True] * 32)
    found = paired_shares(first, second)
    more, less = 7 / 42, 3 / 42
    half = 1.959964 * np.sqrt((more + less - (more - less) ** 2) / 42)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((more - less - half, more - less + half))


def test_kinds_and_versions_may_be_mixed_and_what_is_broken_is_refused(
    hostile_folder: Path,
) -> None:
    shelf = Shelf(hostile_folder)
    names = ["result-v1", "result-v3", "expect-v2", "expect-v1"]
    compared = lay_side_by_side(shelf, names)
    assert [run.run for run in compared.runs] == names
    assert SideBySide.model_validate_json(compared.to_json()) == compared
    for asked, words in (
        (["result-v1"], "2 to 12 runs, but names 1"),
        (["result-v1", "result-v1"], "names result-v1 twice"),
        (["result-v1", "deep"], "Run deep: result.json"),
        (["result-v1", "link"], "a link, not followed"),
        (["result-v1", "large"], "more than 32 MiB"),
        (["result-v1", "nothing-like-it"], "none is in"),
    ):
        with pytest.raises(ShelfError, match=re.escape(words)):
            lay_side_by_side(shelf, asked)


def test_a_path_is_taken_only_where_that_is_allowed(runs_folder: Path, tmp_path: Path) -> None:
    _store(tmp_path / "elsewhere", "mine", _document())
    names = ["result-v1", str(tmp_path / "elsewhere" / "mine")]
    assert lay_side_by_side(Shelf(runs_folder), names).runs[1].run == "mine"
    with pytest.raises(ShelfError, match="none is in"):
        lay_side_by_side(Shelf(runs_folder), names, elsewhere=False)


def test_nothing_in_a_result_becomes_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>\x1b[31m\u202e'

    def change(document: dict[str, Any]) -> None:
        document["settings"]["device"] = document["model"]["name"] = evil
        document["verdict"]["text"] = document["device"]["snapshot"] = evil
        document["sections"][0]["title"] = document["sections"][0]["metrics"][0]["label"] = evil
        document["provenance"]["versions"] = {evil: evil}

    page = render_runs(_beside(tmp_path, change), evil)
    assert "<script" not in page and "\x1b" not in page and "\u202e" not in page
    assert html.escape("<script>") in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page)

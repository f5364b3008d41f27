"""What the pages tell: lists cut to pages, sorted, filtered; thumbnails; a thousand runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from qhw.analysis.compare.result import Estimate
from qhw.dashboard.listing import PAGE, View, pages
from qhw.dashboard.thumbnail import thumbnail
from qhw.saved.entry import SavedRun, Strip, Valid
from qhw.saved.shelf import Shelf
from tests.saved.conftest import GOLDEN

START = datetime(2026, 1, 1, tzinfo=UTC)


def _runs(number: int) -> list[SavedRun]:
    runs = [
        SavedRun(f"run-{i:03}", "comparison", START + timedelta(hours=i), task="measure")
        for i in range(number)
    ]
    for i, skill in enumerate((0.5, -1.0, 0.9)):
        estimate = Estimate(value=skill, low=skill, high=skill)
        runs[i] = replace(runs[i], skill=estimate, valid=Valid(3 - i, 3, 3), usd=float(i))
    return runs[::-1]


def test_pages_hold_every_run_once() -> None:
    runs = _runs(2 * PAGE + 7)
    seen = [run.name for n in range(1, 4) for run in View(page=n).cut(runs)]
    assert seen == [run.name for run in runs]
    assert View(page=4).cut(runs) == []
    assert (pages(0, PAGE), pages(PAGE, PAGE), pages(PAGE + 1, PAGE)) == (1, 1, 2)


@pytest.mark.parametrize(
    ("sort", "first"),
    [("date", "run-059"), ("run", "run-059"), ("skill", "run-002"), ("valid", "run-000"),
     ("cost", "run-002")],
)  # fmt: skip
def test_sorting_goes_over_all_pages(sort: str, first: str) -> None:
    runs = _runs(60)
    falling = View.of(QueryParams(f"sort={sort}"))
    assert falling.cut(runs)[0].name == first
    if sort == "skill":  # those without come last
        assert [run.skill is None for run in falling.cut(runs)[:4]] == [False] * 3 + [True]
    if sort in ("date", "run"):
        rising = View.of(QueryParams(falling.sorted_by(sort)[1:]))
        assert rising.cut(runs)[0].name == "run-000"


def test_links_lead_to_what_they_say() -> None:
    view = View("aer & <fez>", "skill", rising=True, page=3)
    assert View.of(QueryParams(view.link()[1:])) == view
    assert View.of(QueryParams(view.link(page=4)[1:])) == replace(view, page=4)
    assert View().link() == "?"


def test_a_thumbnail_puts_every_row_between_floor_and_baseline() -> None:
    drawn = thumbnail(Strip((0.1, 0.01, 0.001, 0.0), 0.001, 1.0))
    heights = [float(part.partition('"')[0]) for part in drawn.split('cy="')[1:]]
    assert heights == [13.0, 23.0, 33.0, 33.0]  # a decade is a third of the 30 between the edges
    assert 'class="baseline" x1="0" x2="120" y1="3.0"' in drawn
    assert 'class="floor" x1="0" x2="120" y1="33.0"' in drawn
    for nothing in (None, Strip((), 0.1, 1.0), Strip((0.0, 0.0), 0.0, None)):
        assert thumbnail(nothing) == ""


def test_a_thousand_runs_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (GOLDEN / "result-v3.json").read_bytes()
    for i in range(1000):
        (tmp_path / f"run-{i}").mkdir()
        (tmp_path / f"run-{i}" / "result.json").write_bytes(text)
    shutil.copy(GOLDEN / "result-v1.json", tmp_path / "run-500" / "result.json")
    shelf = Shelf(tmp_path)
    assert len(shelf.runs()) == 1000
    monkeypatch.setattr("qhw.saved.shelf.read_entry", lambda *_: pytest.fail("read again"))
    assert [run.name for run in shelf.runs("reconstruct")] == ["run-500"]

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qhw.report.runfolder import OutputError, nothing_empty_left, run_folder, run_id


def test_id_sorts_by_time_and_names_task_and_settings() -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    first = run_id("encode", "{}", moment)
    assert first.startswith("20260304T050607Z-encode-")
    assert run_id("encode", '{"a": 1}', moment) != first
    assert run_id("encode", "{}", moment) == first


def test_a_run_appears_whole_with_its_log(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "runs"
    with run_folder(out, "r") as run:
        (run.staging / "x.txt").write_text("x")
        logging.getLogger("qhw.test").info("a step")
        assert [p.name for p in out.iterdir()] == [".r.partial"]
    assert sorted(p.name for p in run.final.iterdir()) == ["log.txt", "x.txt"]
    assert "a step" in (run.final / "log.txt").read_text()
    assert [p.name for p in out.iterdir()] == ["r"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_run_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "deep" / "runs"
    with pytest.raises(error), run_folder(out, "r") as run:
        (run.staging / "x.txt").write_text("x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_keeps_what_others_made(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="x"), run_folder(tmp_path, "r"):
        raise ValueError("x")
    assert [p.name for p in tmp_path.iterdir()] == ["other"]


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    for wanted in ("r", "r-2", "r-3"):
        with run_folder(tmp_path, "r") as run:
            pass
        assert run.id == wanted


def test_an_unwritable_folder_is_named_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for out in (file, file / "below"):
        refused = pytest.raises(OutputError, match="`out` must be a folder that can be written")
        with refused, run_folder(out, "r"):
            pytest.fail("the body must not run")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_made_for_nothing_goes_again(tmp_path: Path, error: type[BaseException]) -> None:
    folder = tmp_path / "deep" / "study"
    with pytest.raises(error), nothing_empty_left(folder):
        (folder / "cells" / "first").mkdir(parents=True)
        (folder / "log.jsonl").touch()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_or_there_before_stays(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with pytest.raises(ValueError, match="x"), nothing_empty_left(folder):
        (folder / "cells").mkdir(parents=True)
        (folder / "circuits").mkdir()
        (folder / "cells" / "a").write_text("a")
        raise ValueError("x")
    assert [p.name for p in folder.iterdir()] == ["cells"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="x"), nothing_empty_left(tmp_path / "mine"):
        raise ValueError("x")
    assert (tmp_path / "mine").is_dir()

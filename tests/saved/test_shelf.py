"""What a list says of folders, whatever they hold."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qhw.analysis.compare.result import ComparisonResult
from qhw.saved.heads import HeadError, head_of
from qhw.saved.shelf import Shelf, ShelfError
from tests.saved.conftest import GOLDEN, HOSTILE, ODD_NAMES


def test_results_of_every_version_are_listed_with_their_figures(runs_folder: Path) -> None:
    found = {run.name: run for run in Shelf(runs_folder).runs()}
    assert {"result-v1", "result-v2", "result-v3", "expect-v1", "expect-v2"} <= set(found)
    for version in (1, 2, 3):
        run = found[f"result-v{version}"]
        whole = ComparisonResult.from_json((GOLDEN / f"result-v{version}.json").read_bytes())
        assert run.problem is None
        assert (run.kind, run.task) == ("comparison", whole.settings.task)
        assert (run.subject, run.devices) == (whole.subject, (whole.settings.device,))
        assert run.when == whole.provenance.created
        assert whole.verdict.skill is not None and run.skill == whole.verdict.skill.estimate
        assert (run.level, run.verdict) == (whole.verdict.level, whole.verdict.text)
        judged = {(v.source, v.protocol): v for v in whole.validity}
        device, exact = judged[whole.device_source, "strict"], judged["exact", "strict"]
        assert run.valid is not None
        assert (run.valid.device, run.valid.exact, run.valid.samples) == (
            device.valid,
            exact.valid,
            device.samples,
        )
        assert run.usd == sum(c.usd for c in whole.circuits)
    assert found["expect-v1"].rehearsal
    assert found["expect-v1"].usd == pytest.approx(29.29275)


def test_whatever_is_no_result_is_one_entry_that_says_so(hostile_folder: Path) -> None:
    found = Shelf(hostile_folder).runs()
    named = {run.name: run for run in found}
    assert len(named) == len(found)
    broken = {*HOSTILE, *ODD_NAMES, "link", "loop", "inner-link", "pipe", "folder", "large"}
    assert {name for name, run in named.items() if run.problem is not None} == broken
    assert not {".half-written.partial", "a-file"} & set(named)
    for name in broken:
        said = named[name].problem
        assert said is not None and 0 < len(said) < 500 and "\n" not in said
    for name, words in {
        "link": "a link",
        "newer": "schema_version must be 1 to 4, but is 99",
        "true-version": "schema_version",
        "foreign": "none of the results that qhw writes",
        "deep": "recursion",
        "large": "more than 32 MiB",
        "pipe": "regular file",
        "ü": "holds no result",
    }.items():
        assert words in str(named[name].problem), named[name].problem


def test_newest_first_by_content_then_by_the_name_s_time(tmp_path: Path) -> None:
    for name in ("20260101T000000Z-drift-aaaaaaaa", "20300101T000000Z-drift-bbbbbbbb"):
        (tmp_path / name).mkdir()
        pair = {"device": "d", "before": "2026-01-01T00:00", "after": "2026-02-01T00:00"}
        text = json.dumps({"schema_version": 1, "pairs": [pair]})
        (tmp_path / name / "result.json").write_text(text)
    (tmp_path / "mine").mkdir()
    shutil.copy(GOLDEN / "result-v3.json", tmp_path / "mine" / "result.json")
    found = Shelf(tmp_path).runs()
    assert [run.name[:4] for run in found] == ["2030", "mine", "2026"]
    assert found[0].when == datetime(2030, 1, 1, tzinfo=UTC)
    assert found[0].subject == "2026-01-01 to 2026-02-01"


def test_words_must_all_be_there(runs_folder: Path) -> None:
    shelf = Shelf(runs_folder)
    assert {run.name for run in shelf.runs("RECONSTRUCT fez")} == {"result-v1"}
    assert {run.name for run in shelf.runs("expect iqm rehearsal")} >= {"expect-v1"}
    assert not shelf.runs("reconstruct garnet")


def test_a_changed_run_is_read_again_and_others_are_not(
    runs_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(runs_folder)
    shelf.runs()
    read: list[str] = []
    from qhw.saved import shelf as module

    before = module.read_entry
    monkeypatch.setattr(module, "read_entry", lambda f, n: (read.append(n), before(f, n))[1])
    assert shelf.runs() and read == []
    (runs_folder / "result-v1" / "result.json").write_text("{}")
    (runs_folder / "result-v2" / "report.html").write_text("<p>")
    shutil.rmtree(runs_folder / "result-v3")
    found = {run.name: run for run in shelf.runs()}
    assert sorted(read) == ["result-v1", "result-v2"]
    assert found["result-v1"].problem is not None
    assert found["result-v2"].page and "result-v3" not in found


def test_a_folder_that_is_not_there_has_no_runs_and_a_file_is_no_folder(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none").runs() == ()
    (tmp_path / "file").write_text("")
    with pytest.raises(ShelfError, match="must be a folder that can be read"):
        Shelf(tmp_path / "file").runs()


def test_a_name_must_be_unmistakable(runs_folder: Path) -> None:
    shelf = Shelf(runs_folder)
    assert shelf.name("result-v1") == shelf.name("result-v1") == "result-v1"
    assert shelf.name("expect-v1") == "expect-v1"
    for text, words in (
        ("result", "result-v1, result-v2, result-v3 fit"),
        ("", "none"),
        ("x", "none"),
    ):
        with pytest.raises(ShelfError, match=words):
            shelf.name(text)


@pytest.mark.parametrize("version", [0, 5, -1, 1.5, "1", None, [], 10**30])
def test_versions_that_nobody_wrote_are_refused(version: object) -> None:
    data = json.loads((GOLDEN / "result-v3.json").read_text()) | {"schema_version": version}
    with pytest.raises(HeadError, match="schema_version"):
        head_of(data)

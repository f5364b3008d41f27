"""``qhw runs`` and ``qhw dashboard`` as a person types them."""

from __future__ import annotations

import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import qhw as door
from qhw.saved.side_by_side import SideBySide
from tests.cli.test_cli import qhw, refused
from tests.saved.conftest import HOSTILE, hostile_folder, runs_folder

__all__ = ["hostile_folder", "runs_folder"]


def test_a_list_has_a_line_a_run_and_a_line_for_whatever_is_none(hostile_folder: Path) -> None:
    result = qhw("runs", "--runs", hostile_folder, "--limit", 100)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("result-v1")]
    for words in (
        "reconstruct",
        "small",
        "aer:ibm_fez",
        "1,000",
        "0.49 (0.448 to 0.539)",
        "0 of 2",
    ):
        assert words in line
    (line,) = [line for line in lines if line.startswith("expect-v1")]
    assert "expect, rehearsal" in line and "($29.29)" in line
    for name in HOSTILE:
        assert sum(line.startswith(f"{name}: cannot be read: ") for line in lines) == 1
    assert "\x1b" not in result.stdout
    assert re.fullmatch(r"(\d+) of \1 runs in .*", lines[-1])


def test_json_holds_every_run_and_limit_and_words_cut_it(runs_folder: Path) -> None:
    document = json.loads(qhw("runs", "--runs", runs_folder, "--json").stdout)
    assert document["found"] == len(document["runs"]) >= 5
    when = [run["when"] for run in document["runs"]]
    assert when == sorted(when, reverse=True)
    document = json.loads(qhw("runs", "--runs", runs_folder, "--json", "--limit", 1).stdout)
    assert document["found"] > len(document["runs"]) == 1
    found = json.loads(qhw("runs", "--runs", runs_folder, "--json", "--only", "generate").stdout)
    assert [run["run"] for run in found["runs"]] == ["result-v4", "result-v2", "result-v3"]


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    result = qhw("runs", "--runs", tmp_path / "none")
    assert (result.exit_code, result.stdout) == (0, f"no runs in {tmp_path / 'none'}\n")
    refused(qhw("runs", "--runs", __file__), "Option `--runs` must be a folder")


def test_runs_are_compared_in_the_terminal_and_on_a_page(runs_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "here"
    result = qhw("runs", "compare", "result-v3", "result-v2", "--runs", runs_folder, "--out", out)
    assert result.exit_code == 0, result.output
    assert re.search(r"total variation distance, device +0\.192", result.stdout)
    assert "0 (0 to 0)" in result.stdout  # the same counts, row by row
    assert "settings:" not in result.stdout  # nothing was asked differently
    assert result.stdout.endswith(f"page: {out / 'runs.html'}\n")
    page = (out / "runs.html").read_text()
    assert "2 runs side by side" in page and "over 3 rows" in page
    told = qhw("runs", "compare", "result-v3", "result-v2", "--runs", runs_folder, "--json")
    document = json.loads(told.stdout)
    assert document.pop("page") is None
    assert [run.run for run in SideBySide.model_validate(document).runs] == [
        "result-v3",
        "result-v2",
    ]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["result-v1"], "names 1"),
        (["result-v1", "v1"], "v1, result-v1|result-v1, expect-v1|expect-v1, result-v1"),
        (["result-v1", "result-v1"], "twice"),
        (["result-v1", "deep"], "Run deep"),
        (["result-v1", "loop"], "Run loop"),
        (["result-v1", "nowhere/at-all"], "none is in"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    hostile_folder: Path, tmp_path: Path, names: list[str], words: str
) -> None:
    out = tmp_path / "out"
    refused(qhw("runs", "compare", *names, "--runs", hostile_folder, "--out", out), words)
    assert not out.exists()


def test_the_same_from_python(hostile_folder: Path, tmp_path: Path) -> None:
    listed = door.runs(hostile_folder, "reconstruct")
    assert [run.name for run in listed] == ["result-v1"]
    assert listed.to_dataframe().loc[0, "skill.value"] == listed[0].skill.value
    assert "deep: cannot be read" in repr(door.runs(hostile_folder))
    compared = door.compare_runs("result-v3", hostile_folder / "result-v2", folder=hostile_folder)
    table = compared.to_dataframe()
    assert set(table["run"]) == {"result-v2", "result-v3"}
    assert (table["change.value"].dropna() == 0).all() and table["rows"].max() == 3
    assert compared.save(tmp_path / "page") == tmp_path / "page" / "runs.html"


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_dashboard_ends_with_one_line(
    hostile_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QHW_DATA", str(tmp_path / "data"))
    command = [sys.executable, "-c", "from qhw.cli.app import main; main()"]
    with subprocess.Popen(
        [*command, "dashboard", "--runs", str(hostile_folder), "--no-browser", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        document = json.loads("".join(process.stdout.readline() for _ in range(5)))
        assert document["url"].startswith(f"http://127.0.0.1:{document['port']}/?token=")
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        opener.open(document["url"]).read()
        page = opener.open(f"http://127.0.0.1:{document['port']}/").read().decode()
        assert "result-v1" in page
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().splitlines()[1:] == ["ended"]
        assert process.wait(60) == 0
    assert not (tmp_path / "data").exists()  # looking makes no ledger

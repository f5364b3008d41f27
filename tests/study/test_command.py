from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from qhw.cli.app import app
from qhw.study.summary import StudySummary


def _call(config: Path, out: Path, *options: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(
        app, ["noise-study", str(config), "--out", str(out), "--workers", "0", *options]
    )
    return found.exit_code, found.stdout, found.stderr


def test_folder_table_and_json(sweep_file: Path, tmp_path: Path) -> None:
    code, stdout, _ = _call(sweep_file, tmp_path / "runs", "--json")
    assert code == 0
    document = json.loads(stdout)
    assert (document["cells"], document["kept"]) == (12, 0)
    assert document["failures"][0]["device"] == "nowhere"
    folder = Path(document["run"])
    summary = StudySummary.model_validate_json((folder / "summary.json").read_text())
    assert summary.rows == 24
    assert "table.parquet" in {file.name for file in folder.iterdir()}
    assert "nowhere" in (folder / "report.html").read_text()
    code, stdout, _ = _call(sweep_file, tmp_path / "runs")
    assert code == 0
    assert "12 cells, 12 of them kept" in stdout


def test_only_failures_exit_2(sweep_file: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load(sweep_file.read_text()) | {"devices": ["ibm_armonk"]}  # one qubit
    sweep_file.write_text(yaml.safe_dump(settings))
    code, _, stderr = _call(sweep_file, tmp_path)
    assert code == 2
    assert "Every cell failed" in stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"devices": ["nowhere"]}, "`devices` must hold one that there is.*'nowhere'"),
        ({"models": ["nothing"]}, "`models` must hold one that there is.*'nothing'"),
        ({"task": "reconstruct", "molecules": 100_000}, "`molecules` must be at most 1000"),
    ],
)
def test_a_study_that_cannot_run_is_refused_before_the_first_cell(
    sweep_file: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    settings = yaml.safe_load(sweep_file.read_text()) | change
    sweep_file.write_text(yaml.safe_dump(settings))
    code, _, stderr = _call(sweep_file, tmp_path / "runs")
    assert code == 2
    assert re.fullmatch(f"error: .*{words}.*\n", stderr)
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_before_anything_is_kept_leaves_no_folder(
    sweep_file: Path, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # no file may hold a byte
    try:
        code, _, stderr = _call(sweep_file, tmp_path / "runs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert "File too large" in stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "together"),
        (["--workers", "-1"], "workers"),
    ],
)
def test_bad_options_exit_2(
    sweep_file: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    code, _, stderr = _call(sweep_file, tmp_path, *options)
    assert code == 2
    assert words in stderr
    assert not (tmp_path / "tiny").exists()

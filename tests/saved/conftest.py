"""Folders of runs: results of every version, and whatever else may lie there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "analysis" / "golden"
VERSIONS = {"result": (1, 2, 3, 4), "expect": (1, 2, 3)}
RESULTS = tuple(f"{kind}-v{v}" for kind, versions in VERSIONS.items() for v in versions)
HOSTILE = {
    "deep": "[" * 100_000,
    "deep-object": '{"verdict":' * 100_000,
    "no-json": "\x00\x01",
    "no-object": "[1, 2]",
    "newer": '{"schema_version": 99, "verdict": {}}',
    "true-version": '{"schema_version": true, "verdict": {}}',
    "foreign": '{"name": "somebody else\'s"}',
    "nan": '{"schema_version": 1, "verdict": NaN}',
    "halves": '{"schema_version": 3, "verdict": {"level": "bett',
    "numbers": '{"schema_version": 1, "config": 7, "curves": 8}',
    "infinite": '{"schema_version": 1, "pairs": 1e999}',
}
ODD_NAMES = (
    "<img src=x onerror=alert(1)>",
    "\x1b[31mred\nline",
    "%2e%2e%2f",
    "a?b#c&d=e",
    os.fsdecode(b"caf\xe9"),
    "ü",
)


@pytest.fixture
def runs_folder(tmp_path: Path) -> Path:
    """Every result that is stored with the tests, newest by content; then everything hostile."""
    folder = tmp_path / "runs"
    folder.mkdir()
    for name in RESULTS:
        if (GOLDEN / f"{name}.json").exists():
            (folder / name).mkdir()
            shutil.copy(GOLDEN / f"{name}.json", folder / name / "result.json")
    return folder


@pytest.fixture
def hostile_folder(runs_folder: Path, tmp_path: Path) -> Path:
    """The same among folders that are broken, foreign or set traps."""
    for name, text in HOSTILE.items():
        (runs_folder / name).mkdir()
        (runs_folder / name / "result.json").write_text(text)
    for name in ODD_NAMES:
        (runs_folder / name).mkdir()
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "result.json").write_text((GOLDEN / "result-v3.json").read_text())
    (runs_folder / "link").symlink_to(secret)
    (runs_folder / "loop").symlink_to(runs_folder / "loop")
    for name in ("inner-link", "pipe", "folder", "large"):
        (runs_folder / name).mkdir()
    (runs_folder / "inner-link" / "result.json").symlink_to(secret / "result.json")
    os.mkfifo(runs_folder / "pipe" / "result.json")
    (runs_folder / "folder" / "result.json").mkdir()
    with (runs_folder / "large" / "result.json").open("wb") as sparse:
        sparse.truncate(1 << 40)
    (runs_folder / ".half-written.partial").mkdir()
    (runs_folder / "a-file").write_text("no run")
    return runs_folder

"""How shots are written, and the names that errors give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from qhw.cli.app import app
from qhw.cli.errors import with_option
from qhw.cli.shot_counts import shot_count, shot_counts


@pytest.mark.parametrize(
    ("text", "shots"),
    [
        ("20000", 20_000),
        ("20k", 20_000),
        ("20K", 20_000),
        ("1M", 10**6),
        ("1m", 10**6),
        (7, 7),
        ("1e5", 10**5),
        ("100_000", 10**5),
        ("1.5k", 1500),
        ("2 k", 2000),
    ],
)
def test_a_number_of_shots(text: str | int, shots: int) -> None:
    assert shot_count(text) == shots


def test_several_numbers_of_shots() -> None:
    assert shot_counts("20k, 100000,1m") == (20_000, 100_000, 10**6)


@pytest.mark.parametrize(
    "text", ["", "k", "0", "0k", "-5", "1.5", "1e-3", "1__0", "20kk", "20g", "²", "1,2"]
)
def test_no_number_of_shots(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="must be a whole number >= 1"):
        shot_count(text)


def test_compare_takes_what_bench_takes(small_model: Path, tmp_path: Path) -> None:
    asked = ["compare", "--model", str(small_model), "--device", "exact", "--molecules", "2"]
    found = CliRunner().invoke(app, [*asked, "--shots", "2k", "--out", str(tmp_path), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["settings"]["shots"] == 2000


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Argument `shots` must be 1, but is 2", "Option `--shots` must be 1, but is 2"),
        ("Argument `devices.0` must be", "Option `--device` must be"),
        ("Argument `name` must be a backend", "Option `--device` must be a backend"),
        ("Argument `input` must be", "Option `--input` must be"),
        ("Argument `p` must be", "Argument `p` must be"),
        ("The file of argument `shots`", "The file of argument `shots`"),
    ],
)
def test_errors_name_the_option(message: str, said: str) -> None:
    options = {"shots": "--shots", "device": "--device", "input_file": "--input"}
    assert with_option(message, {**options, "input": "--input"}) == said

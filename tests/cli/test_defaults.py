"""What is meant where nothing is said is the same in every command and function."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import typer

import qhw
from qhw.cli.app import app
from tests.cli.test_cli import qhw as command_line

DEVICE = "engine:ibm_boston"
COMMANDS = [
    ("compare",),
    ("run",),
    ("expect",),
    ("calibrate",),
    ("mitigate", "bench"),
    ("mitigate", "advise"),
]
CALLS = [
    "compare", "measure", "expect", "calibrate", "bench", "advise", "Sampler", "Estimator",
    "mitiq_executor",
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_one_default_device(words: tuple[str, ...]) -> None:
    found: Any = typer.main.get_command(app)
    for word in words:
        found = found.commands[word]
    (option,) = (p for p in found.params if p.name == "device")
    assert DEVICE in (option.default, option.show_default)


@pytest.mark.parametrize("name", CALLS)
def test_every_function_has_the_same(name: str) -> None:
    parameters = inspect.signature(getattr(qhw, name)).parameters
    assert (parameters.get("device") or parameters["devices"]).default == DEVICE


@pytest.mark.parametrize(
    ("words", "task"),
    [
        ((), "reconstruct"),
        (("--kappa", 50), "reconstruct"),
        (("--prior", "uniform-sphere"), "generate"),
    ],
)
def test_a_model_goes_end_to_end(
    small_model: Path, tmp_path: Path, words: tuple[object, ...], task: str
) -> None:
    sizes = ("--molecules", 2, "--shots", 100, "--device", "exact", "--json")
    result = command_line("compare", "--model", small_model, *sizes, "--out", tmp_path, *words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["settings"]["task"] == task


def test_python_goes_end_to_end_as_well(small_model: Path) -> None:
    asked: dict[str, Any] = {"device": "exact", "molecules": 2, "shots": 100}
    found = qhw.compare(small_model, **asked)
    assert found.result.settings.task == "reconstruct"
    found = qhw.compare(small_model, prior="uniform-sphere", **asked)
    assert found.result.settings.task == "generate"

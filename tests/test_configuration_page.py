"""docs/configuration.md says what the code reads, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.prices import price_of
from qhw.jobs.config import load_config

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "configuration.md"


def example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def test_every_variable_of_the_code_is_explained() -> None:
    sources = [
        p for room in ("qhw", "backends", "calibration") for p in (ROOT / room).rglob("*.py")
    ]
    used = {name for p in sources for name in re.findall(r"\"(QHW_[A-Z0-9_]+)\"", p.read_text())}
    assert used == set(re.findall(r"^\| `(QHW_\w+)`", PAGE.read_text(), re.MULTILINE))


def test_the_example_configuration_sets_every_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(example("toml"))
    config = load_config(file)
    caps = config.caps
    assert (caps.per_day, caps.per_project, caps.projects) == (
        50 * 10**6,
        2 * 10**8,
        {"qvae": 5 * 10**8},
    )
    assert config.patience.visibility_s == 120


def test_the_example_price_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prices.json"
    file.write_text(example("json"))
    monkeypatch.setenv("QHW_PRICES", str(file))
    assert price_of("braket:aqt_ibex_q1").usd_per_shot == 0.02

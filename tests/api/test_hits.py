"""Hit rates from Python are those of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import qhw
from tests.cli.test_jobs_cli import document

PRIOR = "nisq-chain5-conditional"


def test_mapping_and_command_line_count_the_same(tmp_path: Path) -> None:
    found = qhw.hit_rates("nisq-chain5", {"logP": [0, 1]}, samples=20, prior=PRIOR)
    words = ("judge", "--model", "nisq-chain5", "--condition", "logP=0,1", "--samples", 20)
    told = document(*words, "--prior", PRIOR, "--out", tmp_path)
    assert json.loads(found.to_json()) == {k: v for k, v in told.items() if k != "run"}
    assert len(found.to_dataframe()) == len(found.rates) == 4
    assert (found.save(tmp_path / "mine") / "report.html").exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"windows": {"QED": 0.1}}, r"`window` must be PROPERTY=HALF of logP, but is of 'QED'"),
        ({"samples": 0}, r"`samples` must be >= 1"),
        ({"control": "qvae-l4"}, r"`control` must be left out"),
    ],
)
def test_bad_questions_are_one_line(change: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        qhw.hit_rates("nisq-chain5", {"logP": 1}, prior=PRIOR, **change)  # type: ignore[arg-type]

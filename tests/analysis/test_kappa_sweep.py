"""A model whose kappa is assumed is told at others; every point is the run of that kappa."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.kappas import GRID
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.compare.settings import Settings
from qhw.models.checkpoint import KAPPA_ASSUMED, save
from qhw.models.qvae import QVAE, QVAEConfig
from qhw.report.html import render
from qhw.report.terminal import summary


@pytest.fixture(scope="module")
def assumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assumed")
    model = QVAE(QVAEConfig(n_blocks=1, kappa=20), torch.Generator().manual_seed(1))
    save(model, folder / "m", name="m", training={"kappa": KAPPA_ASSUMED})
    return folder


def run(model: Path, **changes: object) -> Comparison:
    settings = {"device": "exact", "molecules": 3, "shots": 2000, "task": "reconstruct"} | changes
    return compare(Settings.parse(model=str(model), **settings), notify=lambda _: None)


@pytest.fixture(scope="module")
def swept(assumed: Path) -> Comparison:
    return run(assumed)


@pytest.mark.slow
def test_every_point_is_the_run_of_that_kappa(assumed: Path, swept: Comparison) -> None:
    points = swept.result.kappas
    assert tuple(point.kappa for point in points) == GRID
    one = run(assumed, kappa=30.0).result
    (point,) = [p for p in points if p.kappa == 30.0]
    assert one.verdict.skill is not None and point.device_skill is not None
    assert point.device_skill.value == pytest.approx(one.verdict.skill.estimate.value, abs=1e-12)
    assert point.level == one.verdict.level
    metric = one.sections[0].leading
    assert metric is not None
    constants = [
        row.mean.value
        for row in metric.rows
        if row.source in ("uniform", "prior_mean") and row.mean is not None
    ]
    assert point.constant == pytest.approx(min(constants))


def test_an_exact_decoder_loses_nothing_that_the_encoder_told(swept: Comparison) -> None:
    for point in swept.result.kappas:
        assert point.encoder_skill is not None and point.device_skill is not None
        assert point.encoder_skill.value > point.device_skill.value


def test_without_a_draw_there_is_nothing_to_sweep(assumed: Path) -> None:
    assert run(assumed, draw=False).result.kappas == ()


def test_page_and_terminal_say_assumed(swept: Comparison) -> None:
    page = render(swept, "run")
    assert "What the assumed kappa decides" in page
    assert "kappa 20, <b>assumed</b>: its checkpoint does not hold it" in page
    lines = io.StringIO()
    Console(file=lines, width=400).print(summary(swept.result))
    assert "kappa 20 is assumed, the checkpoint does not hold it" in lines.getvalue()
    assert "skill end to end at kappa 0.1: " in lines.getvalue()


def test_where_the_decoder_did_not_run_again_the_page_says_so(swept: Comparison) -> None:
    points = tuple(
        p.model_copy(update={"device_skill": None, "level": None}) for p in swept.result.kappas
    )
    told: ComparisonResult = swept.result.model_copy(update={"kappas": points})
    page = render(Comparison(told, swept.outcome, swept.snapshot), "run")
    assert "it can only lower these skills" not in page
    assert "what it adds at others is not known" in page
    assert page.count("not run</td>") == len(GRID)
    lines = io.StringIO()
    Console(file=lines, width=400).print(summary(told))
    assert "skill with an exact decoder at kappa 0.1: " in lines.getvalue()

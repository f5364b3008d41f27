from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from qhw.report.study import render_study, verdicts
from qhw.study.config import StudyConfig
from qhw.study.grid import Digests, expand
from qhw.study.run_cell import Row, failed, identity, variants
from qhw.study.store import SCHEMA
from qhw.study.summary import StudySummary, summarise

SLOPES = {"good": 0.1, "bad": 0.4}
BEST = 0.3
"""Baseline: ``bad`` meets it at a scale of 0.75, ``good`` at 3."""
SOURCES = {"gates": 0.75, "readout": 0.25}


def _config(**changes: object) -> StudyConfig:
    return StudyConfig.model_validate(
        {
            "name": "made-up",
            "models": list(SLOPES),
            "devices": ["x", "y"],
            "scales": [0, 0.25, 1, 2],
            "budget": {"sources": list(SOURCES)},
            "layout_seeds": [0, 1],
            "seeds": [0, 1],
            "molecules": 8,
        }
        | changes
    )


def _table(config: StudyConfig, broken: Sequence[str] = ()) -> pa.Table:
    """Distances that grow in proportion to the noise, sources that add up."""
    rows: list[Row] = []
    known = Digests(dict.fromkeys(config.models, "m"), dict.fromkeys(config.devices, "d"))
    for cell in expand(config, known):
        if cell.circuit.device in broken:
            rows += failed(cell, "no <such> device")
            continue
        mode, _, source = cell.sources.partition(" ")
        share = {"all": 1.0, "only": SOURCES.get(source, 0), "without": 1 - SOURCES.get(source, 0)}
        mean = min(SLOPES[cell.circuit.model] * cell.scale * share[mode], 1.0)
        # differences between latents and layouts that average out
        spread = np.linspace(-0.1, 0.1, config.molecules) * mean
        shift = 0.05 * mean * (1 if cell.circuit.layout_seed else -1)
        tvd = (mean + spread + shift).tolist()
        for shots, mitigation in variants(cell):
            rows.append(identity(cell, shots, mitigation) | _numbers(tvd))
    return pa.Table.from_pylist(rows, SCHEMA)


def _numbers(tvd: list[float]) -> Row:
    return {
        "vendor": "v",
        "snapshot_taken": datetime(2026, 1, 2, tzinfo=UTC),
        "decoder_two_qubit_gates": 31,
        "decoder_duration_s": 0.0,
        "tvd": float(np.mean(tvd)),
        "shot_floor_tvd": 0.0,
        "uniform_tvd": 0.5,
        "prior_mean_tvd": BEST,
        "valid": 6,
        "unique": 5,
        "exact_valid": 7,
        "prior_mean_valid": 0,
        "prior_mean_unique": 0,
        "type_accuracy": 0.9,
        "rmsd": 0.2,
        "rmsd_defined": 8,
        "tvd_rows": tvd,
        "uniform_rows": [0.5] * len(tvd),
        "prior_mean_rows": [BEST] * len(tvd),
    }


@pytest.fixture(scope="module")
def summary() -> StudySummary:
    config = _config()
    return summarise(config, _table(config))


def test_curves_are_means_over_layouts_and_seeds(summary: StudySummary) -> None:
    assert len(summary.curves) == 2 * 2 * 2
    for curve in summary.curves:
        for point in curve.points:
            assert point.tvd.value == pytest.approx(SLOPES[curve.model] * point.scale)
            assert point.tvd.low <= point.tvd.value <= point.tvd.high
            assert point.skill is not None
            assert point.skill.value == pytest.approx(1 - point.tvd.value / BEST)
            # 6 of 8 in each of 2 layouts x 2 seeds
            assert (point.valid.value, point.samples) == (0.75, 32)


def test_crossings_and_verdicts(summary: StudySummary) -> None:
    for curve in summary.curves:
        if curve.model == "bad":
            assert curve.crossing.scale == pytest.approx(0.75)
            assert curve.verdict == "worse"
            assert "below the baseline" in curve.words
        else:
            assert curve.crossing.state == "above"
            assert curve.verdict == "better"
    good, bad = verdicts(summary)
    assert (good.level, bad.level) == ("better", "worse")
    assert "a constant that needs no QPU is closer to exact, on 2 of 2 devices" in bad.text


def test_words_say_what_becomes_of_the_molecules(summary: StudySummary) -> None:
    assert "Of its molecules 75 % are valid where exact gives 87.5 %." in verdicts(summary)[0].text


def test_budget_gives_back_the_shares(summary: StudySummary) -> None:
    assert len(summary.budgets) == 2 * 2 * 2
    for budget in summary.budgets:
        whole = SLOPES[budget.model]
        assert budget.total.value == pytest.approx(whole)
        # made-up devices report no gate times
        assert budget.known("readout")
        assert not budget.known("idle")
        for cost in budget.costs:
            assert cost.only is not None
            assert cost.saved is not None
            assert cost.only.value == pytest.approx(whole * SOURCES[cost.source])
            assert cost.saved.value == pytest.approx(whole * SOURCES[cost.source])


def test_page_says_it_in_words_and_opens_offline(summary: StudySummary) -> None:
    page = render_study(summary, "qhw noise-study x.yaml")
    assert "At the reported noise bad is below the baseline" in page
    assert "report no gate times" in page
    assert page.count("<svg") == 5
    assert not re.findall(
        r'(?:src|href)="(?!#)[^"]*"', re.sub(r"<svg.*?</svg>", "", page, flags=re.S)
    )
    assert render_study(summary, "qhw noise-study x.yaml") == page


def test_failed_rows_are_on_the_page_and_the_rest_goes_on() -> None:
    config = _config()
    found = summarise(config, _table(config, broken=["y"]))
    assert {curve.device for curve in found.curves} == {"x"}
    assert sum(f.rows for f in found.failures) == found.rows // 2
    page = render_study(found, "c")
    assert "no &lt;such&gt; device" in page
    assert "<such>" not in page


def test_nothing_but_failures_still_has_a_page() -> None:
    config = _config(budget=None, mitigation=["none"])
    page = render_study(summarise(config, _table(config, broken=["x", "y"])), "c")
    assert "What failed" in page


def test_study_without_scale_one_or_with_one_scale() -> None:
    config = _config(scales=[0.5], budget=None, shots=["infinite"])
    found = summarise(config, _table(config))
    assert {c.verdict for c in found.curves} == {None}
    assert {c.crossing.state for c in found.curves} == {"unknown"}
    assert "infinite shots" in render_study(found, "c")

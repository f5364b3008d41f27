from __future__ import annotations

import re

import pytest

from qhw.report.study import render_study, verdicts
from qhw.study.summary import StudySummary, summarise
from tests.study.made_up import BEST, SLOPES, SOURCES, made_up_config, made_up_table


@pytest.fixture(scope="module")
def summary() -> StudySummary:
    config = made_up_config()
    return summarise(config, made_up_table(config))


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
    config = made_up_config()
    found = summarise(config, made_up_table(config, broken=["y"]))
    assert {curve.device for curve in found.curves} == {"x"}
    assert sum(f.rows for f in found.failures) == found.rows // 2
    page = render_study(found, "c")
    assert "no &lt;such&gt; device" in page
    assert "<such>" not in page


def test_nothing_but_failures_still_has_a_page() -> None:
    config = made_up_config(budget=None, mitigation=["none"])
    page = render_study(summarise(config, made_up_table(config, broken=["x", "y"])), "c")
    assert "What failed" in page


def test_study_without_scale_one_or_with_one_scale() -> None:
    config = made_up_config(scales=[0.5], budget=None, shots=["infinite"])
    found = summarise(config, made_up_table(config))
    assert {c.verdict for c in found.curves} == {None}
    assert {c.crossing.state for c in found.curves} == {"unknown"}
    assert "infinite shots" in render_study(found, "c")

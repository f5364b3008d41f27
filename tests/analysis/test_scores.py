from __future__ import annotations

import numpy as np
import pytest

from qhw.analysis.compare.result import Estimate, Metric, Section, Skill
from qhw.analysis.scores.baselines import prior_mean
from qhw.analysis.scores.distributions import direction_section, distribution_section, make_row
from qhw.analysis.scores.molecules import reports, type_accuracy, validity_rows, wilson
from qhw.analysis.scores.verdict import verdict
from qhw.chem.molecule import MoleculeBatch

RNG = np.random.default_rng


@pytest.fixture
def exact() -> np.ndarray:
    # alike enough that the mean of the others beats the uniform distribution
    return RNG(3).dirichlet(np.geomspace(0.2, 40, 16), size=12)


def section_of(exact: np.ndarray, device: np.ndarray, shots: int = 1000) -> Section:
    return distribution_section("decoder", "t", "t", exact, {"device_raw": device}, shots, RNG(0))


def test_a_perfect_device_has_skill_one(exact: np.ndarray) -> None:
    metric = section_of(exact, exact).metric("total_variation")
    assert metric is not None
    assert metric.row("device_raw").values == (0.0,) * 12
    assert metric.skills[0].source == "device_raw"
    assert metric.skills[0].estimate.value == 1.0


def test_a_device_that_gives_the_mean_of_the_others_has_skill_zero(exact: np.ndarray) -> None:
    section = section_of(exact, prior_mean(exact))
    for metric in section.metrics:
        skill = next(s for s in metric.skills if s.source == "device_raw")
        assert skill.baseline == "prior_mean"
        assert skill.estimate.value == pytest.approx(0.0, abs=1e-12)
    assert verdict([section]).level != "better"


def test_uniform_rows_agree_with_plain_arithmetic(exact: np.ndarray) -> None:
    section = section_of(exact, exact)
    wanted = 0.5 * np.abs(exact - 1 / 16).sum(axis=1)
    assert section.metric("total_variation").row("uniform").values == pytest.approx(tuple(wanted))
    bc = np.sqrt(exact / 16).sum(axis=1) ** 2
    assert section.metric("hellinger_fidelity").row("uniform").values == pytest.approx(tuple(bc))


def test_the_floor_is_what_noiseless_sampling_gives(exact: np.ndarray) -> None:
    sampled = RNG(5).multinomial(1000, exact, size=(400, 12)) / 1000
    seen = 0.5 * np.abs(sampled - exact).sum(axis=-1).mean()
    row = section_of(exact, exact).metric("total_variation").row("shots_only")
    assert row.mean.value == pytest.approx(seen, rel=0.02)


def test_a_uniform_row_among_few_leaves_no_skill_and_no_error() -> None:
    exact = np.array([np.full(4, 0.25), [0.7, 0.1, 0.1, 0.1], [0.6, 0.2, 0.1, 0.1]])
    device = {"device_raw": 0.9 * exact + 0.1 * np.eye(4)[0]}
    rng = np.random.default_rng(0)
    section = distribution_section("decoder", "", "", exact, device, 1000, rng)
    assert section.metric("total_variation").skills == ()
    twelve = {"device_raw": np.tile(device["device_raw"], (12, 1))}
    section = distribution_section("decoder", "", "", np.tile(exact, (12, 1)), twelve, 1000, rng)
    assert section.metric("total_variation").skills


def test_direction_angles_of_known_vectors() -> None:
    mu = np.eye(3)
    turned = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]]) / np.sqrt([[2], [1], [2]])
    metric = direction_section(mu, {"device_raw": turned}, RNG(0)).metric("angle")
    assert metric.row("device_raw").values == pytest.approx((45.0, 0.0, 45.0))
    angle = float(np.degrees(np.arccos(1 / np.sqrt(3))))
    assert metric.row("uniform").values == pytest.approx((angle,) * 3)
    assert metric.row("prior_mean").values == pytest.approx((90.0,) * 3)


def test_undefined_values_stay_visible() -> None:
    row = make_row("device_raw", [1.0, np.nan, 3.0], RNG(0))
    assert row.values == (1.0, None, 3.0)
    assert row.defined == 2
    assert row.mean is not None
    assert row.mean.value == 2.0
    assert make_row("device_raw", [np.nan, 1.0], RNG(0)).mean is None


@pytest.mark.parametrize(
    ("low", "high", "level", "words"),
    [
        (0.1, 0.3, "better", "closer to exact than the best baseline"),
        (-0.1, 0.3, "same", "cannot be told"),
        (-0.3, -0.1, "worse", "a constant that needs no QPU is closer to exact"),
    ],
)
def test_verdict_follows_the_interval(low: float, high: float, level: str, words: str) -> None:
    estimate = Estimate(value=(low + high) / 2, low=low, high=high)
    skill = Skill(source="device_raw", baseline="uniform", estimate=estimate)
    metric = Metric(key="total_variation", label="", better="lower", rows=(), skills=(skill,))
    section = Section(key="decoder", title="", text="", metrics=(metric,))
    found = verdict([section])
    assert found.level == level
    assert words in found.text
    assert "uniform distribution" in found.text


def batch(*molecules: str) -> MoleculeBatch:
    """Molecules from strings of symbols; positions along a line, 1.5 Å apart."""
    types = np.full((len(molecules), 9), -1, dtype=np.int8)
    positions = np.zeros((len(molecules), 9, 3))
    for row, symbols in enumerate(molecules):
        types[row, : len(symbols)] = ["CNOF".index(s) for s in symbols]
        positions[row, : len(symbols), 0] = 1.5 * np.arange(len(symbols))
    return MoleculeBatch(types, positions)


def test_type_accuracy_counts_missing_and_surplus_atoms_as_wrong() -> None:
    found = type_accuracy(batch("CCO", "CC", "CCCC", ""), batch("CCN", "CCCC", "CC", ""))
    assert found.tolist() == pytest.approx([2 / 3, 0.5, 0.5, 1.0])


def test_wilson_interval_against_published_values() -> None:
    # Newcombe, Statistics in Medicine 17, 857 (1998), table I, method 3
    for successes, trials, low, high in [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611)]:
        found = wilson(successes, trials)
        assert found.low == pytest.approx(low, abs=5e-5)
        assert found.high == pytest.approx(high, abs=5e-5)


def test_validity_names_every_denominator() -> None:
    rows = validity_rows({"exact": reports(batch("CCO", "C", "FF"))})
    strict = next(row for row in rows if row.protocol == "strict")
    assert (strict.samples, strict.kept) == (3, 2)
    assert sum(strict.reasons.values()) == 3
    assert {row.protocol for row in rows} == {"strict", "released"}

"""Scores of wide circuits are those of the dense metrics, where there are both."""

from __future__ import annotations

import numpy as np
import pytest

from backends.outcomes import Outcomes
from backends.reference.choose import DenseReference
from qhw.analysis.scores.baselines import prior_mean, shot_floor_total_variation, uniform
from qhw.analysis.scores.metrics import hellinger_distance, hellinger_fidelity, total_variation
from qhw.analysis.scores.wide import wide_section

M, SHOTS = 8, 3000
DENSE = {
    "total_variation": total_variation,
    "hellinger_fidelity": hellinger_fidelity,
    "hellinger_distance": hellinger_distance,
}


def marginal_distance(p: np.ndarray, q: np.ndarray, wires: tuple[int, ...]) -> float:
    others = tuple(w for w in range(M) if w not in wires)
    a, b = (x.reshape((2,) * M).sum(axis=others) for x in (p, q))
    return float(np.abs(a - b).sum() / 2)


@pytest.mark.parametrize("rows", [1, 3])
def test_sparse_and_dense_agree_on_the_same_counts(rows: int) -> None:
    rng = np.random.default_rng(rows)
    exact = rng.dirichlet(np.full(2**M, 0.3), size=rows)
    noisy = 0.7 * exact + 0.3 / 2**M
    f = np.stack([rng.multinomial(SHOTS, row) for row in noisy]) / SHOTS
    seen = np.flatnonzero(f.any(axis=0))
    section = wide_section(
        "circuit",
        "",
        [DenseReference(row, M) for row in exact],
        Outcomes.all_of(M).take(seen),
        {"device_raw": f[:, seen]},
        SHOTS,
        rng,
    )
    for key, metric in DENSE.items():
        found = section.metric(key).row("device_raw").values
        np.testing.assert_allclose(found, metric(exact, f), atol=1e-12)
    one = [
        np.mean([marginal_distance(p, q, (w,)) for w in range(M)])
        for p, q in zip(exact, f, strict=True)
    ]
    pairs = [(a, b) for a in range(M) for b in range(a)]
    two = [
        np.mean([marginal_distance(p, q, w) for w in pairs]) for p, q in zip(exact, f, strict=True)
    ]
    np.testing.assert_allclose(section.metric("marginal_distance").row("device_raw").values, one)
    np.testing.assert_allclose(section.metric("pair_distance").row("device_raw").values, two)
    # what is averaged over noiseless shots is as good as those are many
    xeb = ((f * exact).sum(axis=1) - 2.0**-M) / ((exact**2).sum(axis=1) - 2.0**-M)
    np.testing.assert_allclose(section.metric("linear_xeb").row("device_raw").values, xeb, rtol=0.1)
    constants = {"uniform": uniform(exact)} | (
        {"prior_mean": prior_mean(exact)} if rows > 1 else {}
    )
    for source, constant in constants.items():
        for key, metric in DENSE.items():
            found = section.metric(key).row(source).values
            np.testing.assert_allclose(found, metric(exact, constant), atol=0.05)
    floor = section.metric("total_variation").row("shots_only").values
    np.testing.assert_allclose(floor, shot_floor_total_variation(exact, SHOTS), rtol=0.1)
    assert "biased upwards" in section.metric("total_variation").note


def test_linear_cross_entropy_finds_the_share_of_noiseless_shots() -> None:
    rng = np.random.default_rng(8)
    exact = rng.exponential(size=(1, 2**M))
    exact /= exact.sum()
    found = []
    for _ in range(30):
        f = rng.multinomial(500, 0.6 * exact[0] + 0.4 / 2**M)[None] / 500
        section = wide_section(
            "circuit",
            "",
            [DenseReference(exact[0], M)],
            Outcomes.all_of(M),
            {"device_raw": f},
            500,
            rng,
        )
        found.append(section.metric("linear_xeb").row("device_raw").mean)
    values = np.array([one.value for one in found])
    assert abs(values.mean() - 0.6) < 4 * values.std() / np.sqrt(30)
    held = sum(one.low <= 0.6 <= one.high for one in found)
    assert held >= 24  # 95 % of 30; fewer by chance once in 1,000

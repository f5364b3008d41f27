"""Scores of circuits too wide for a vector of all outcomes, by the outcomes that were sampled.

What is compared are ``K`` outcomes seen, their frequencies ``f`` and exact probabilities ``p``; all
others have frequency 0, and together the exact probability ``1 - sum p``. So the plug-in distances
are exact sums over all ``2**m`` outcomes. What they estimate is another matter: while outcomes are
rarely seen twice, even a perfect device's frequencies are far from ``p``, and a plug-in distance
says little but how wide the distribution is. The shot floor beside it shows that. Scores without
that bias lead therefore: linear cross-entropy, and marginals of wires and pairs.

Baselines need no shots: with ``x`` drawn from exact, ``TVD(p, q) = E[max(0, 1 - q(x)/p(x))]`` and
``sum sqrt(p q) = E[sqrt(q(x)/p(x))]``.

Sources: Boixo et al., Nature Physics 14, 595 (2018) and Arute et al., Nature 574, 505 (2019) (cross
entropy), here the linear one, normalised by what the exact distribution itself scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.outcomes import Outcomes, count_shots, pack_bits
from backends.reference.base import ExactReference
from qhw.analysis.compare.result import Section, SourceKey
from qhw.analysis.scores.distributions import Kind, metric_of_one, metric_of_rows
from qhw.analysis.scores.metrics import ROUNDING
from qhw.analysis.scores.repeats import repeats

FloatArray = NDArray[np.float64]
Values = dict[str, FloatArray]
"""Scores by the key of their kind."""

XEB = "linear_xeb"
_EXPERIMENTS, _FEWEST = 16, 2
"""Noiseless experiments drawn for the shot floor, of all rows together and of each row."""
_REPEATS = 200
_POOL = 2_000_000
"""Exact shots times rows squared that baselines are averaged over."""
_BIASED = (
    "over the outcomes sampled, biased upwards: while most outcomes are seen once or never, also "
    "without noise it stays near the shot floor"
)


def _same(values: FloatArray) -> FloatArray:
    return values


def _missing(values: FloatArray) -> FloatArray:
    return np.maximum(1.0 - values, 0.0)


KINDS = (
    Kind(
        XEB,
        "linear cross-entropy fidelity",
        "",
        "higher",
        "(sum f p - 2^-m) / (sum p^2 - 2^-m): 1 in expectation for noiseless shots, 0 for uniform "
        "ones, whatever the width; unbiased. Of a Clifford circuit the share of shots that are "
        "possible outcomes, less what chance gives. Its skill is that of 1 - fidelity",
        None,
        _missing,
        bounds=(-np.inf, np.inf),
    ),
    Kind(
        "total_variation",
        "total variation distance",
        "",
        "lower",
        f"(sum |f - p| + 1 - sum p) / 2 {_BIASED}",
        None,
        _same,
    ),
    Kind(
        "hellinger_fidelity",
        "Hellinger fidelity",
        "",
        "higher",
        "(sum sqrt(f p))^2 over the outcomes sampled, biased downwards for the same reason; its "
        "skill is that of 1 - fidelity",
        None,
        _missing,
    ),
    Kind(
        "hellinger_distance",
        "Hellinger distance",
        "",
        "lower",
        "sqrt(1 - sum sqrt(f p)), biased upwards for the same reason",
        None,
        _same,
    ),
    Kind(
        "marginal_distance",
        "distance of single bits",
        "",
        "lower",
        "mean over measured wires of the total variation distance of their marginals",
        None,
        _same,
    ),
    Kind(
        "pair_distance",
        "distance of pairs of bits",
        "",
        "lower",
        "mean over all pairs of measured wires of the total variation distance of their marginals",
        None,
        _same,
    ),
)
_TEXT = (
    "The device's outcomes against the exact distribution of the very same circuit, by the "
    "outcomes that were sampled: {distinct:,} different ones among all rows. KL divergence is left "
    "out: smoothed over 2^{m} outcomes it would say nothing."
)
_NO_XEB = (
    " Linear cross-entropy is left out: an exact distribution is uniform, and every outcome as good"
    " as any other."
)
_NOTHING = (
    "There is no exact reference ({why}), so nothing is scored. What remains are the counts, what "
    "mitigation makes of them, and the predicted share of runs without any error under Circuits."
)


@dataclass(frozen=True, eq=False)
class Exact:
    """One row's exact distribution as scores need it.

    Attributes:
        reference: itself.
        correlations: ``(m, m)`` of it.
        collision: ``sum p^2``, mean of ``p`` over noiseless shots.
        uniform: ``2**-m``.
    """

    reference: ExactReference
    correlations: FloatArray
    collision: float
    uniform: float

    @property
    def is_uniform(self) -> bool:
        """Whether no outcome is likelier than another."""
        return self.collision <= self.uniform * (1 + ROUNDING)


def scores(f: FloatArray, p: FloatArray, signs: FloatArray, exact: Exact) -> Values:
    """Scores of R estimates on the same outcomes.

    Args:
        f: ``(R, K)`` distributions.
        p: ``(K,)`` exact probabilities of the outcomes.
        signs: ``(K, m)`` bits as 1 (for 0) and -1.
        exact: of the row.

    Returns:
        ``(R,)`` by key.
    """
    overlap = np.minimum(np.sqrt(f) @ np.sqrt(p), 1.0)
    rest = max(0.0, 1.0 - float(p.sum()))
    above = exact.collision - exact.uniform
    found = {
        XEB: (f @ p - exact.uniform) / above if not exact.is_uniform else np.full(len(f), np.nan),
        "total_variation": np.array([(np.abs(row - p).sum() + rest) / 2 for row in f]),
        "hellinger_fidelity": overlap**2,
        "hellinger_distance": np.sqrt(1.0 - overlap),
    }
    marginals = np.array([_marginals(measured_correlations(row, signs), exact) for row in f])
    return found | dict(zip(("marginal_distance", "pair_distance"), marginals.T, strict=True))


def measured_correlations(f: FloatArray, signs: FloatArray) -> FloatArray:
    """``(m, m)``: ``<Z_i Z_j>`` of a distribution on some outcomes, ``<Z_i>`` on the diagonal."""
    seen = f != 0.0
    chosen, weights = signs[seen], f[seen]
    out = np.asarray((chosen * weights[:, None]).T @ chosen, dtype=np.float64)
    np.fill_diagonal(out, weights @ chosen)
    return out


def _marginals(correlations: FloatArray, exact: Exact) -> tuple[float, float]:
    """Mean total variation distance of one-bit and of two-bit marginals."""
    change = correlations - exact.correlations
    ones = np.diagonal(change)
    first, second = np.triu_indices(len(ones), 1)
    a, b, both = ones[first], ones[second], change[first, second]
    pairs = sum(np.abs(s * a + t * b + s * t * both) for s in (1, -1) for t in (1, -1)) / 8
    return float(np.abs(ones).mean() / 2), float(np.mean(pairs)) if len(first) else 0.0


def nothing_to_score(key: str, title: str, why: str) -> Section:
    """The section of a circuit without an exact reference."""
    return Section(key=key, title=title, text=_NOTHING.format(why=why), metrics=())


def wide_section(
    key: str,
    title: str,
    references: Sequence[ExactReference],
    outcomes: Outcomes,
    measured: Mapping[SourceKey, FloatArray],
    shots: int,
    rng: np.random.Generator,
    *,
    errors: Mapping[SourceKey, FloatArray] | None = None,
) -> Section:
    """Score measured distributions on the outcomes seen against exact references.

    Args:
        key: of the section.
        title: of the section.
        references: of the K rows.
        outcomes: of the columns.
        measured: by source ``(K, D)``.
        shots: behind every measured distribution.
        rng: of the floor and the intervals.
        errors: standard errors ``(1, D)`` of measured distributions, for one circuit alone.
    """
    m = outcomes.n_bits
    signs = 1.0 - 2.0 * outcomes.bits().astype(np.float64)
    experiments = max(_FEWEST, _EXPERIMENTS // len(references))
    drawn = [_noiseless(one, shots, experiments, rng) for one in references]
    exacts = [row.exact for row in drawn]
    probabilities = [one.probabilities(outcomes) for one in references]
    values: dict[SourceKey, Values] = {
        source: _stacked(
            [
                scores(f[None], p, signs, exact)
                for f, p, exact in zip(table, probabilities, exacts, strict=True)
            ]
        )
        for source, table in measured.items()
    }
    values["shots_only"] = _stacked([_mean(row.scores) for row in drawn])
    values |= _baselines(drawn, m, shots)
    defined = not any(exact.is_uniform for exact in exacts)
    kinds = [kind for kind in KINDS if defined or kind.key != XEB]
    if len(references) > 1:
        metrics = [metric_of_rows(kind, _of(kind, values), rng) for kind in kinds]
    else:
        repeated: dict[SourceKey, Values] = {"shots_only": drawn[0].scores}
        for source, table in measured.items():
            again = repeats(table, shots, rng, (errors or {}).get(source), most=_REPEATS)
            repeated[source] = scores(again, probabilities[0], signs, exacts[0])
        metrics = [metric_of_one(kind, _of(kind, values), _of(kind, repeated)) for kind in kinds]
    text = _TEXT.format(distinct=len(outcomes), m=m) + ("" if defined else _NO_XEB)
    return Section(key=key, title=title, text=text, metrics=tuple(metrics))


@dataclass(frozen=True, eq=False)
class _Noiseless:
    """Noiseless experiments of one row: their scores ``(R,)``, and all their shots."""

    exact: Exact
    scores: Values
    pool: Outcomes
    weights: FloatArray
    probabilities: FloatArray


def _noiseless(
    reference: ExactReference, shots: int, experiments: int, rng: np.random.Generator
) -> _Noiseless:
    packed = [pack_bits(reference.sample(shots, rng)) for _ in range(experiments)]
    correlations = reference.correlations()
    m = len(correlations)
    pool, counts = count_shots(packed, m)
    p = reference.probabilities(pool)
    weights = counts.sum(axis=0) / counts.sum()
    exact = Exact(reference, correlations, float(weights @ p), 0.5**m)
    found = []
    for row in counts:
        seen = np.flatnonzero(row)
        signs = 1.0 - 2.0 * pool.take(seen).bits().astype(np.float64)
        found.append(scores(row[None, seen] / shots, p[seen], signs, exact))
    return _Noiseless(exact, _stacked(found), pool, weights, p)


def _baselines(rows: Sequence[_Noiseless], m: int, shots: int) -> dict[SourceKey, Values]:
    """The uniform distribution, and of several rows the mean of the others."""
    uniform = [_constant(row, np.full(len(row.pool), 0.5**m), np.zeros((m, m))) for row in rows]
    found: dict[SourceKey, Values] = {"uniform": _stacked(uniform)}
    if len(rows) == 1:
        return found
    most = max(100, min(shots, _POOL // len(rows) ** 2))
    mean = sum(row.exact.correlations for row in rows)
    constant = []
    for row in rows:
        part = np.arange(0, len(row.pool), max(1, len(row.pool) // most))
        thinned = replace(
            row,
            pool=row.pool.take(part),
            weights=row.weights[part] / row.weights[part].sum(),
            probabilities=row.probabilities[part],
        )
        others = [o.exact.reference.probabilities(thinned.pool) for o in rows if o is not row]
        correlations = (mean - row.exact.correlations) / (len(rows) - 1)
        constant.append(_constant(thinned, np.mean(others, axis=0), np.asarray(correlations)))
    found["prior_mean"] = _stacked(constant)
    return found


def _constant(row: _Noiseless, q: FloatArray, correlations: FloatArray) -> Values:
    """Scores of a distribution known by its probabilities ``q`` on a row's noiseless shots."""
    ratio = q / row.probabilities
    overlap = min(float(row.weights @ np.sqrt(ratio)), 1.0)
    above = row.exact.collision - row.exact.uniform
    xeb = np.nan if row.exact.is_uniform else (row.weights @ q - row.exact.uniform) / above
    one, two = _marginals(correlations, row.exact)
    found = {
        XEB: xeb,
        "total_variation": row.weights @ np.maximum(0.0, 1.0 - ratio),
        "hellinger_fidelity": overlap**2,
        "hellinger_distance": np.sqrt(1.0 - overlap),
        "marginal_distance": one,
        "pair_distance": two,
    }
    return {key: np.array([float(value)]) for key, value in found.items()}


def _stacked(rows: Sequence[Values]) -> Values:
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


def _mean(values: Values) -> Values:
    return {key: np.array([value.mean()]) for key, value in values.items()}


def _of(kind: Kind, values: Mapping[SourceKey, Values]) -> dict[SourceKey, FloatArray]:
    return {source: found[kind.key] for source, found in values.items()}

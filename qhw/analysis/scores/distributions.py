"""Sections of a result about distributions and directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.analysis.compare.result import (
    DEVICE_SOURCES,
    Estimate,
    Metric,
    Row,
    Section,
    Skill,
    SourceKey,
)
from qhw.analysis.scores.baselines import prior_mean, shot_floor, uniform
from qhw.analysis.scores.bootstrap import (
    Bounds,
    Interval,
    always_something_to_beat,
    mean_interval,
    skill_interval,
)
from qhw.analysis.scores.metrics import (
    ROUNDING,
    hellinger_distance,
    hellinger_fidelity,
    kl_divergence,
    mean_direction_angle,
    total_variation,
)
from qhw.analysis.scores.repeats import repeats, spread_interval

FloatArray = NDArray[np.float64]
BASELINES: tuple[SourceKey, ...] = ("uniform", "prior_mean")


@dataclass(frozen=True)
class Kind:
    """A metric before it is computed.

    Attributes:
        key: for code.
        label: for people.
        unit: of it.
        better: which direction is good.
        note: its definition.
        of: exact and measured distributions ``(K, D)`` and shots to values ``(K,)``; ``None`` where
            they are computed otherwise.
        as_error: values to what is less for the better, 0 or more.
        bounds: what the values cannot leave, by default 0 and, where more is better, 1.
    """

    key: str
    label: str
    unit: str
    better: Literal["lower", "higher"]
    note: str
    of: Callable[[FloatArray, FloatArray, int], FloatArray] | None
    as_error: Callable[[FloatArray], FloatArray]
    bounds: Bounds | None = None

    @property
    def within(self) -> Bounds:
        """What the values cannot leave."""
        return self.bounds or (0.0, 1.0 if self.better == "higher" else math.inf)


_KINDS = (
    Kind(
        "total_variation",
        "total variation distance",
        "",
        "lower",
        "sum |p - q| / 2",
        lambda p, q, _: total_variation(p, q),
        lambda v: v,
    ),
    Kind(
        "hellinger_fidelity",
        "Hellinger fidelity",
        "",
        "higher",
        "(sum sqrt(p q))^2, which is |<a, b>|^2 of the square-root vectors; its skill is that of "
        "1 - fidelity",
        lambda p, q, _: hellinger_fidelity(p, q),
        lambda v: np.maximum(1.0 - v, 0.0),
    ),
    Kind(
        "hellinger_distance",
        "Hellinger distance",
        "",
        "lower",
        "sqrt(1 - sum sqrt(p q))",
        lambda p, q, _: hellinger_distance(p, q),
        lambda v: v,
    ),
    Kind(
        "kl_divergence",
        "KL divergence",
        "nats",
        "lower",
        "sum p log(p/q), p exact; q smoothed by half a count a bin in every row alike, so that "
        "bins never hit stay finite",
        lambda p, q, shots: kl_divergence(p, q, shots=shots),
        lambda v: v,
    ),
)


def distribution_section(
    key: str,
    title: str,
    text: str,
    exact: FloatArray,
    measured: Mapping[SourceKey, FloatArray],
    shots: int,
    rng: np.random.Generator,
    *,
    errors: Mapping[SourceKey, FloatArray] | None = None,
) -> Section:
    """Score measured distributions against exact ones.

    Of one circuit alone there is no mean of the others, and its intervals are those of repeated
    experiments (:mod:`qhw.analysis.scores.repeats`), not of other circuits.

    Args:
        key: of the section.
        title: of the section.
        text: of the section.
        exact: ``(K, D)``.
        measured: by source ``(K, D)``. Without ``shots_only`` among them, the shot floor is the
            expectation over noiseless experiments.
        shots: behind every measured distribution.
        rng: of the floor and the intervals.
        errors: standard errors ``(1, D)`` of measured distributions, for one circuit alone; those
            of frequencies by default.
    """
    floor: dict[str, FloatArray] = {}
    if "shots_only" not in measured:
        expected = shot_floor(exact, shots, rng)
        floor = {kind.key: getattr(expected, kind.key) for kind in _KINDS}
    compared = {**measured, "uniform": uniform(exact)}
    if len(exact) > 1:
        compared["prior_mean"] = prior_mean(exact)
    metrics = []
    for kind in _KINDS:
        assert kind.of is not None  # all of these are computed from distributions
        values: dict[SourceKey, FloatArray] = {
            source: kind.of(exact, q, shots) for source, q in compared.items()
        }
        if floor:
            values["shots_only"] = floor[kind.key]
        if len(exact) > 1:
            metrics.append(metric_of_rows(kind, values, rng))
            continue
        repeated = {
            source: kind.of(exact, repeats(q, shots, rng, (errors or {}).get(source)), shots)
            for source, q in {**measured, "shots_only": exact}.items()
        }
        metrics.append(metric_of_one(kind, values, repeated))
    return Section(key=key, title=title, text=text, metrics=tuple(metrics))


def direction_section(
    exact: FloatArray,
    estimated: Mapping[SourceKey, FloatArray],
    rng: np.random.Generator,
) -> Section:
    """Angles between exact and estimated mean directions.

    Args:
        exact: unit vectors ``(K, D)``, K >= 2.
        estimated: by source ``(K, D)``.
        rng: of the intervals.
    """
    others = exact.sum(axis=0) - exact
    directions = {
        **estimated,
        "uniform": np.ones_like(exact),
        "prior_mean": others,
    }
    values = {source: mean_direction_angle(exact, d) for source, d in directions.items()}
    kind = Kind(
        "angle",
        "angle of the mean direction",
        "degrees",
        "lower",
        "between mu of the exact encoder and mu-hat",
        lambda p, q, _: mean_direction_angle(p, q),
        lambda v: v,
    )
    return Section(
        key="direction",
        title="Latent mean direction",
        text="How far the direction estimated from shots points from the exact one.",
        metrics=(metric_of_rows(kind, values, rng),),
    )


def make_row(
    source: SourceKey,
    values: ArrayLike,
    rng: np.random.Generator,
    *,
    within: Bounds = (0.0, math.inf),
) -> Row:
    """A row with the interval of its mean; NaN becomes ``None``.

    Args:
        source: of the values.
        values: ``(K,)``.
        rng: of the interval.
        within: what no value can leave.
    """
    v = np.asarray(values, dtype=np.float64)
    known = v[np.isfinite(v)]
    mean = None
    if len(known) >= 2:
        interval = mean_interval(known, rng, within=within)
        mean = _estimate(interval)
    return Row(
        source=source,
        values=tuple(float(x) if np.isfinite(x) else None for x in v),
        mean=mean,
    )


def metric_of_one(
    kind: Kind, values: Mapping[SourceKey, FloatArray], repeated: Mapping[SourceKey, FloatArray]
) -> Metric:
    """A metric of one circuit alone.

    Args:
        kind: of metric.
        values: ``(1,)`` by source, ``uniform`` among them.
        repeated: ``(R,)`` of repeated experiments by source.
    """
    constant = float(kind.as_error(values["uniform"])[0])
    rows, skills = [], []
    order: tuple[SourceKey, ...] = (*DEVICE_SOURCES, "shots_only", "uniform")
    for source in order:
        if source not in values:
            continue
        spread = repeated.get(source)
        found = spread_interval(values[source][0], spread, within=kind.within)
        rows.append(Row(source=source, values=(found.value,), mean=_estimate(found)))
        if spread is None or constant <= ROUNDING:
            continue
        error = kind.as_error(values[source])[0]
        skill = spread_interval(
            1.0 - error / constant, 1.0 - kind.as_error(spread) / constant, within=(-math.inf, 1.0)
        )
        skills.append(Skill(source=source, baseline="uniform", estimate=_estimate(skill)))
    return Metric(
        key=kind.key,
        label=kind.label,
        unit=kind.unit,
        better=kind.better,
        rows=tuple(rows),
        skills=tuple(skills),
        note=kind.note,
    )


def _estimate(found: Interval) -> Estimate:
    return Estimate(value=found.value, low=found.low, high=found.high, level=found.level)


def metric_of_rows(
    kind: Kind, values: Mapping[SourceKey, FloatArray], rng: np.random.Generator
) -> Metric:
    """A metric of several rows.

    Args:
        kind: of metric.
        values: ``(K,)`` by source, the baselines among them.
        rng: of the intervals.
    """
    order: Iterable[SourceKey] = (*DEVICE_SOURCES, "shots_only", "prior_mean", "uniform")
    rows = tuple(
        make_row(source, values[source], rng, within=kind.within)
        for source in order
        if source in values
    )
    return Metric(
        key=kind.key,
        label=kind.label,
        unit=kind.unit,
        better=kind.better,
        rows=rows,
        skills=_skills(kind, values, rng),
        note=kind.note,
    )


def _skills(
    kind: Kind, values: Mapping[SourceKey, FloatArray], rng: np.random.Generator
) -> tuple[Skill, ...]:
    errors = np.stack([kind.as_error(values[baseline]) for baseline in BASELINES])
    best = int(errors.mean(axis=1).argmin())
    if not always_something_to_beat(errors):
        return ()
    skills = []
    judged: tuple[SourceKey, ...] = (*DEVICE_SOURCES, "shots_only")
    for source in judged:
        if source in values:
            found = skill_interval(kind.as_error(values[source]), errors, rng)
            skills.append(
                Skill(
                    source=source,
                    baseline=BASELINES[best],
                    estimate=_estimate(found),
                )
            )
    return tuple(skills)

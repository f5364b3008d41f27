"""How often a conditional model gives what it is asked for, beside a model that is not asked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.model import make_prior
from qhw.analysis.compare.result import Estimate
from qhw.analysis.scores.molecules import Reports, reports, wilson
from qhw.chem.bonds import PROTOCOLS, Protocol
from qhw.chem.gap import GapEstimator
from qhw.chem.properties import PROPERTIES, graph_values
from qhw.chem.validity import ValidityReport
from qhw.latent.asked import AskedPrior
from qhw.models.conditions import (
    ConditionError,
    ConditionScale,
    asked_condition,
    named_condition,
    sample_for,
    scales_of,
)
from qhw.models.exact import ExactModel
from qhw.models.prior_conditions import asked_for, conditional_prior, prior_scales
from qhw.scheduler import Scheduler

FloatArray = NDArray[np.float64]

MAX_CONDITIONS = 50
"""Combinations of values in one question."""


@dataclass(frozen=True)
class Share:
    """Hits among valid molecules.

    Attributes:
        samples: molecules generated.
        valid: valid ones.
        unique: different SMILES among them.
        known: valid ones whose property is known: what hits are a share of.
        hits: of these, within the window.
        rate: with its Wilson interval; ``None`` where none is known.
        median: of the property; ``None`` where none is known.
        rate_of_all: hits over all samples.
    """

    samples: int
    valid: int
    unique: int
    known: int
    hits: int
    rate: Estimate | None
    median: float | None
    rate_of_all: float


@dataclass(frozen=True)
class HitRate:
    """One property asked for under one protocol.

    Attributes:
        condition: all properties asked for at once, by name.
        name: of the property whose hits these are.
        asked: its value.
        half_width: hits are in ``[asked - half_width, asked + half_width)``.
        protocol: of validity and of the graphs that properties are of.
        model: of the conditional model.
        control: of the model without a condition, the same window.
        difference: rate minus the control's, with Newcombe's interval; ``None`` where one is none.
        estimator: where values come from, with its error if they are estimates.
        values: of the model's valid molecules.
        control_values: of the control's.
    """

    condition: Mapping[str, float]
    name: str
    asked: float
    half_width: float
    protocol: Protocol
    model: Share
    control: Share
    difference: Estimate | None
    estimator: str
    values: FloatArray = field(repr=False, compare=False)
    control_values: FloatArray = field(repr=False, compare=False)

    @property
    def margin_is_sure(self) -> bool:
        """Whether the interval of the difference lies above zero."""
        return self.difference is not None and self.difference.low > 0


@dataclass(frozen=True)
class Question:
    """How hits are counted.

    Attributes:
        samples: molecules a condition.
        prior: of the conditional model's latents; where the model itself takes no condition, it
            is this prior that is asked.
        control_prior: of the control's.
        seed: of the latents.
        windows: half widths by property.
        gap: where HOMO-LUMO gaps come from.
        prior_scales: what ``prior`` is asked for, where it is the prior that is.
    """

    samples: int
    prior: str | None
    control_prior: str | None
    seed: int
    windows: Mapping[str, float]
    gap: GapEstimator
    prior_scales: tuple[ConditionScale, ...] = ()

    def prior_at(self, asked: FloatArray) -> str | None:
        """The prior under a condition ``(m,)``."""
        if not self.prior_scales:
            return self.prior
        values = named_condition(self.prior_scales, asked)
        return str(AskedPrior.parse(self.prior or "").having(**values))


def newcombe(first: tuple[int, int], second: tuple[int, int], level: float = 0.95) -> Estimate:
    """The second share minus the first of independent samples, from their Wilson intervals.

    Args:
        first: successes and trials.
        second: likewise.
        level: nominal coverage.

    Source: Newcombe, Statistics in Medicine 17, 873 (1998), method 10.
    """
    a, b = wilson(*first, level), wilson(*second, level)
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return Estimate(value=value, low=low, high=high, level=level)


def asked_conditions(
    texts: Sequence[str], scales: Sequence[ConditionScale], model: str
) -> list[FloatArray]:
    """Every combination of ``PROPERTY=VALUE,VALUE`` texts.

    Raises:
        ConditionError: as :func:`qhw.models.conditions.asked_condition`, or too many.
    """
    found = [asked_condition(one, scales, model) for one in combinations(texts)]
    return [one for one in found if one is not None]


def combinations(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of ``PROPERTY=VALUE,VALUE`` texts, as ``PROPERTY=VALUE`` texts.

    Raises:
        ConditionError: too many.
    """
    choices = []
    for text in texts:
        name, sign, values = text.partition("=")
        choices.append([f"{name}{sign}{value}" for value in values.split(",")] if sign else [text])
    count = math.prod(map(len, choices))
    if count > MAX_CONDITIONS:
        raise ConditionError(
            f"Argument `condition` must give at most {MAX_CONDITIONS} combinations, but gives "
            f"{count}"
        )
    return list(itertools.product(*choices))


def prior_conditions(
    texts: Sequence[str], model: ExactModel, prior: str
) -> tuple[tuple[ConditionScale, ...], str, list[FloatArray]]:
    """What a prior is asked for in every combination of texts.

    Args:
        texts: as :func:`asked_conditions` takes them, of some or all of the prior's properties.
        model: whose latents it draws; takes no condition itself.
        prior: as asked for.

    Returns:
        The scales of what is asked, the same prior without the condition, and ``(m,)`` values of
        each combination.

    Raises:
        ConditionError: the prior takes none, or not these; or too many.
        ValueError: a prior that cannot be used.
    """
    every = combinations(texts)
    asked = AskedPrior.parse(prior)
    card = conditional_prior(every[0], asked, model.model, model.name)
    values = [asked_for(one, model.model, model.name, prior).values for one in every]
    scales = tuple(one for one in prior_scales(card) if one.property in values[0])
    aside = AskedPrior(asked.name if asked.is_folder else card.name, asked.options)
    return scales, str(aside), [np.array([v[s.property] for s in scales]) for v in values]


def hit_rates(
    model: ExactModel,
    control: ExactModel,
    conditions: Sequence[FloatArray],
    question: Question,
    scheduler: Scheduler | None = None,
) -> tuple[HitRate, ...]:
    """Generate exactly under every condition and count hits under both protocols.

    Args:
        model: conditional, or with a prior that is.
        control: generates once, without any condition; of a conditional model with conditions of
            held-out molecules at random.
        conditions: ``(m,)`` each, in the order of the model's scales or the prior's asked for.
        question: how.
        scheduler: where molecules are judged.
    """
    aside = _generated(
        replace(control, condition=None), question, question.control_prior, scheduler
    )
    found = []
    for asked in conditions:
        scales = scales_of(model.model)
        at = replace(model, condition=asked if scales else None)
        own = _generated(at, question, question.prior_at(asked), scheduler)
        found += compared(own, aside, scales or question.prior_scales, asked, question)
    return tuple(found)


def compared(
    own: Reports,
    control: Reports,
    scales: Sequence[ConditionScale],
    asked: FloatArray,
    question: Question,
) -> list[HitRate]:
    """Hits of judged molecules, wherever they were made.

    Args:
        own: made under the condition.
        control: made without.
        scales: of the properties asked for.
        asked: ``(m,)``.
        question: how.
    """
    condition = named_condition(scales, asked)
    found = []
    for protocol in PROTOCOLS:
        for name, value in condition.items():
            values = [_values(name, r[protocol].smiles, question.gap) for r in (own, control)]
            half = question.windows[name]
            mine, other = (
                _share(r, v, value, half)
                for r, v in zip((own[protocol], control[protocol]), values, strict=True)
            )
            both = mine.known > 0 and other.known > 0
            counts = (other.hits, other.known), (mine.hits, mine.known)
            found.append(
                HitRate(
                    condition=condition,
                    name=name,
                    asked=value,
                    half_width=half,
                    protocol=protocol,
                    model=mine,
                    control=other,
                    difference=newcombe(*counts) if both else None,
                    estimator=question.gap.name if name == "gap" else PROPERTIES[name].text,
                    values=values[0],
                    control_values=values[1],
                )
            )
    return found


def _generated(
    model: ExactModel, question: Question, prior: str | None, scheduler: Scheduler | None
) -> Reports:
    sample = sample_for(model.model)
    source = make_prior(prior, model, sample, question.seed)
    latents = source.sample(question.samples, np.random.default_rng(question.seed))
    return reports(model.molecules(model.decoder(latents)), scheduler=scheduler)


def _values(name: str, smiles: Sequence[str | None], gap: GapEstimator) -> FloatArray:
    """Of the valid molecules, NaN where it is not known."""
    valid = [text for text in smiles if text is not None]
    return gap.of_smiles(valid) if PROPERTIES[name].of_graph is None else graph_values(name, valid)


def _share(report: ValidityReport, values: FloatArray, asked: float, half: float) -> Share:
    known = values[np.isfinite(values)]
    hits = int(((known >= asked - half) & (known < asked + half)).sum())
    return Share(
        samples=report.samples,
        valid=report.valid,
        unique=report.unique,
        known=len(known),
        hits=hits,
        rate=wilson(hits, len(known)) if len(known) else None,
        median=float(np.median(known)) if len(known) else None,
        rate_of_all=hits / report.samples if report.samples else 0.0,
    )


def as_json(rate: HitRate) -> dict[str, object]:
    """All of it but the single values."""

    def share(one: Share) -> dict[str, object]:
        rate = None if one.rate is None else one.rate.model_dump()
        return {**one.__dict__, "rate": rate}

    return {
        "condition": dict(rate.condition),
        "property": rate.name,
        "asked": rate.asked,
        "window": [rate.asked - rate.half_width, rate.asked + rate.half_width],
        "protocol": rate.protocol,
        "estimator": rate.estimator,
        "model": share(rate.model),
        "control": share(rate.control),
        "difference": None if rate.difference is None else rate.difference.model_dump(),
        "interval_excludes_zero": rate.margin_is_sure,
    }

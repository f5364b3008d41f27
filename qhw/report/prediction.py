"""Exact, predicted and measured, side by side: what was said before a circuit was sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.predicted import Prediction
from qhw.analysis.compare.stage import Stage
from qhw.analysis.expect.result import ValuePrediction
from qhw.circuits.workload import outcome_name
from qhw.report.format import interval, number

_OUTCOMES = 8
"""Of each circuit's first row, the likeliest."""
NOTHING_TO_JUDGE_BY = "no public results to judge it by"


class ThreeColumns(NamedTuple):
    """One outcome of a circuit's first predicted row.

    Attributes:
        role: which circuit.
        outcome: as Qiskit writes it.
        exact: probability without noise.
        predicted: by the device's model, before the circuit was sent.
        measured: relative frequency of raw counts.
    """

    role: str
    outcome: str
    exact: float
    predicted: float
    measured: float


def three_columns(comparison: Comparison) -> list[ThreeColumns]:
    """The likeliest outcomes of the first row of every circuit that was predicted."""
    return [line for stage in comparison.outcome.stages for line in _of_stage(stage)]


def _of_stage(stage: Stage) -> Iterator[ThreeColumns]:
    told = None if stage.predicted is None else Prediction.from_bytes(stage.predicted)
    if told is None or not told.predicted:
        return
    place = next((i for i, row in enumerate(stage.kept) if row < len(told.predicted)), None)
    if place is None:
        return
    exact, predicted = stage.exact[place], told.predicted[int(stage.kept[place])]
    for k in np.argsort(-exact, kind="stable")[:_OUTCOMES]:
        if exact[k] > 0:
            name = outcome_name(stage.circuit, int(k))
            measured = float(stage.raw[place, k])
            yield ThreeColumns(stage.role, name, float(exact[k]), predicted[k], measured)


def prediction_line(facts: PredictionFacts) -> str:
    """One circuit's three numbers and what they say."""
    made = f"{facts.role}, predicted {facts.made:%Y-%m-%d %H:%M} UTC before it was sent"
    if facts.role == "expectation":  # a bundle has values without what they are compared with
        return f"{made}: {facts.note}"
    if facts.predicted is None:
        return f"{made}: nothing; {facts.note}"
    about = f" ({facts.note})" if facts.note else ""
    return (
        f"{made}{about}: distance to exact {number(facts.floor)} without noise, "
        f"{number(facts.predicted)} predicted, {number(facts.measured)} measured; "
        f"{prediction_words(facts)}"
    )


def prediction_told(told: ValuePrediction) -> str:
    """How many raw values lie where the model and real devices' results put them."""
    about = f" ({told.note})" if told.note else ""
    if not told.values:
        return f"nothing{about}"
    apart = [abs(v.measured - v.predicted) for v in told.values if v.measured is not None]
    noise = [abs(v.predicted - v.exact) for v in told.values]
    said = f"raw values {number(_mean(noise))} from exact on average{about}"
    if not apart:
        return f"{said}; none measured at the device's own noise"
    said += f", {number(_mean(apart))} from those measured"
    judged = [v.inside for v in told.values if v.inside is not None]
    if not judged:
        return f"{said}; {NOTHING_TO_JUDGE_BY}"
    level = f"{100 * (told.level or 0):.0f} % of {told.results} public results, and of shots"
    return f"{said}; {sum(judged)} of {len(judged)} inside their interval ({level})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def prediction_words(facts: PredictionFacts) -> str:
    """Whether the measurement lies where real devices' results lay."""
    if facts.interval is None:
        return NOTHING_TO_JUDGE_BY
    level = f"{100 * facts.interval.level:.0f} %"
    of = f"{interval(facts.interval)} ({level} of {facts.results} public results)"
    if facts.inside is None:
        return f"expected {of}, nothing measured"
    return f"{'inside' if facts.inside else 'OUTSIDE'} {of}"

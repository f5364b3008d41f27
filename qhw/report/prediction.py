"""Exact, predicted and measured, side by side: what was said before a circuit was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.facts import PredictionFacts
from qhw.analysis.compare.predicted import Prediction
from qhw.analysis.compare.stage import Stage
from qhw.circuits.workload import outcome_name
from qhw.report.format import interval, number

_OUTCOMES = 8
"""Of each circuit's first row, the likeliest."""
NOTHING_TO_JUDGE_BY = "no public result of this vendor's devices to judge by"


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
    if facts.predicted is None:
        return f"{made}: nothing; {facts.note}"
    about = f" ({facts.note})" if facts.note else ""
    return (
        f"{made}{about}: distance to exact {number(facts.floor)} without noise, "
        f"{number(facts.predicted)} predicted, {number(facts.measured)} measured; "
        f"{prediction_words(facts)}"
    )


def prediction_words(facts: PredictionFacts) -> str:
    """Whether the measurement lies where real devices' results lay."""
    if facts.interval is None:
        return NOTHING_TO_JUDGE_BY
    level = f"{100 * facts.interval.level:.0f} %"
    of = f"{interval(facts.interval)} ({level} of {facts.results} public results)"
    if facts.inside is None:
        return f"expected {of}, nothing measured"
    return f"{'inside' if facts.inside else 'OUTSIDE'} {of}"

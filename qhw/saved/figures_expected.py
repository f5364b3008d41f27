"""Expectation values taken apart: how far each is from exact, and the first of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri

from qhw.analysis.compare.result import SOURCE_LABELS, Estimate
from qhw.analysis.expect.result import ExpectResult, ObservableValue, mean_distances
from qhw.analysis.scores.bootstrap import mean_interval
from qhw.saved.figures_compared import DEVICE
from qhw.saved.parts import Cell, Figure, FigureKey, Parts, RowKey, settings_of

_FIRST = 12
"""Values laid beside each other one by one; the reports have all."""
_LEVEL = 0.95
_TITLE = "expectation values"
_DISTANCE = "distance to exact"
_HIDDEN = ("workload_sha256", "circuit_sha256", "angles_sha256")


def expectation_parts(result: ExpectResult) -> Parts:
    """Of expectation values, in any version."""
    s = result.settings
    figures = dict(_distances(result)) | dict(_values(result))
    marks = {_key(v): v.exact for v in result.observables if v.exact is not None}
    return Parts(
        settings_of(s.model_dump(mode="json", exclude=set(_HIDDEN))),
        dict(_facts(result)),
        figures,
        ("observables", s.circuit_sha256, s.angles_sha256),
        {_TITLE: {key: round(value, 6) for key, value in marks.items()}},
    )


def _key(value: ObservableValue) -> RowKey:
    return value.row, value.row_name, value.observable


def _distances(result: ExpectResult) -> Iterator[tuple[FigureKey, Figure]]:
    means = mean_distances(result) if result.observables else None
    if means is None:
        return
    exact = {_key(v): v.exact for v in result.observables if v.exact is not None}
    off = {_key(v): abs(v.value - exact[_key(v)]) for v in result.observables}
    if len(off) > 1:
        found = mean_interval(list(off.values()), np.random.default_rng(0), within=(0, np.inf))
        estimate = Estimate(value=found.value, low=found.low, high=found.high, level=found.level)
        figure = Figure(_DISTANCE, "device", "lower", estimate, values=off)
        yield (_TITLE, _DISTANCE, DEVICE), figure
    for key, label in (
        ("shot_floor", SOURCE_LABELS["shots_only"]),
        ("uniform", "baseline: maximally mixed state"),
    ):
        value = means[key]
        point = Estimate(value=value, low=value, high=value)
        yield (_TITLE, _DISTANCE, key), Figure(_DISTANCE, label, "lower", point)


def _values(result: ExpectResult) -> Iterator[tuple[FigureKey, Figure]]:
    half = float(ndtri(0.5 + 0.5 * _LEVEL))
    for v in result.observables[:_FIRST]:
        name = v.observable if result.settings.rows is None else f"{v.observable}, row {v.row_name}"
        wide = half * v.standard_error
        estimate = Estimate(value=v.value, low=v.value - wide, high=v.value + wide, level=_LEVEL)
        yield (_TITLE, name, DEVICE), Figure(name, "device", "", estimate)
        if v.exact is not None:
            point = Estimate(value=v.exact, low=v.exact, high=v.exact)
            yield (_TITLE, name, "exact"), Figure(name, SOURCE_LABELS["exact"], "", point)


def _facts(result: ExpectResult) -> Iterator[tuple[tuple[str, str], Cell]]:
    taken = result.snapshot_taken
    yield ("calibration", "snapshot"), result.snapshot or "none (ideal)"
    yield ("calibration", "taken"), None if taken is None else f"{taken:%Y-%m-%d %H:%M UTC}"
    yield ("calibration", "age, days"), result.snapshot_age_days
    yield ("circuit", "two-qubit gates"), float(result.two_qubit_gates)
    yield ("circuit", "circuits run"), float(result.circuits)
    yield ("circuit", "shots in all"), float(result.total_shots)
    yield ("circuit", "vendor's own mitigation"), result.vendor_mitigation
    yield ("origin", "rehearsal"), "yes" if result.rehearsal else "no"
    yield ("origin", "cost, usd"), result.cost.usd
    if result.measured is not None:
        yield ("origin", "measured"), f"{result.measured:%Y-%m-%d %H:%M:%S UTC}"

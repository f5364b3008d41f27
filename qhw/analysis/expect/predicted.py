"""What a device model says of expectation values before a job is sent, and what it was worth.

Values are raw ones, of the counts at the device's own noise, which every pipeline takes or leaves:
what mitigation makes of them is no prediction of the device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from backends.aer import MAX_EXACT_QUBITS, AerBackend
from backends.base import BackendError
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.noise_interval import NoiseInterval
from qhw.analysis.compare.predicted import (
    IDEAL,
    TEXT_AT_MOST,
    WIDE,
    PredictedValue,
    Prediction,
    begun,
    rows_predicted,
)
from qhw.analysis.expect.result import JudgedValue, ObservableValue, ValuePrediction
from qhw.analysis.validate.interval import interval_of, noise_factors
from qhw.mitigation.expectation import Counts, ExpectationProgram, Expectations

FloatArray = NDArray[np.float64]

EXPECTATION: Literal["expectation"] = "expectation"


def predict_values(
    program: ExpectationProgram,
    texts: Sequence[str],
    device: DeviceSnapshot | None = None,
    factor: float = 1.0,
) -> Prediction:
    """What the model behind a program says of its raw values.

    Args:
        program: compiled for the device.
        texts: of its observables, as asked for.
        device: model to predict with; by default the calibration it was compiled against.
        factor: noise of ``device`` over that calibration's.
    """
    compiled = program.compiled
    base = compiled.snapshot
    model = device or base
    success = compiled.predicted_success
    shown = replace(
        compiled, snapshot=model, predicted_success=None if success is None else success**factor
    )
    shots = sum(batch.shots for p in program.programs for batch in p.unscaled)
    told = begun(EXPECTATION, shown, shots=shots, rows=program.rows)
    if model is None or not program.programs:
        return told.model_copy(update={"note": IDEAL if model is None else "nothing is measured"})
    if compiled.circuit.num_qubits > MAX_EXACT_QUBITS:
        return told.model_copy(update={"note": WIDE})
    kept = min(rows_predicted(p.compiled, program.rows) for p in program.programs)
    note = "" if kept == program.rows else f"of the first {kept} of {program.rows} rows"
    try:
        mean, deviation = _moments(program, AerBackend(model), kept)
    except BackendError as error:
        return told.model_copy(update={"note": str(error)[:TEXT_AT_MOST]})
    exact, _ = program.exact()
    uniform = [o.constant for o in program.observables]
    values = tuple(
        PredictedValue(
            row=row,
            observable=text,
            exact=float(exact[row, k]),
            predicted=float(mean[row, k]),
            shot_error=float(deviation[row, k]),
        )
        for row in range(kept)
        for k, text in enumerate(texts)
    )
    if told.interval is not None:
        spread = zip(values, uniform * kept, strict=True)
        values = tuple(_between(value, constant, told.interval) for value, constant in spread)
    return told.model_copy(update={"values": values, "note": note})


def _moments(
    program: ExpectationProgram, backend: AerBackend, rows: int
) -> tuple[FloatArray, FloatArray]:
    """Values ``(rows, K)`` with the backend's noise, and the standard error of raw shots."""
    mean = np.tile([o.constant for o in program.observables], (rows, 1))
    variance = np.zeros_like(mean)
    for group, one in zip(program.groups, program.programs, strict=True):
        compiled = replace(one.compiled, snapshot=backend.snapshot)
        p = backend.probabilities(compiled, one.angles[:rows])
        own = p @ group.features.T
        mean = mean + own
        shots = sum(batch.shots for batch in one.unscaled)
        if shots:
            variance = variance + (p @ (group.features**2).T - own**2) / shots
    return mean, np.sqrt(np.maximum(variance, 0.0))


def _between(value: PredictedValue, uniform: float, interval: NoiseInterval) -> PredictedValue:
    """With the interval that real devices' noise spans, widened by as much of shot noise."""
    ends = [
        at_noise(value.exact, value.predicted, uniform, factor)
        for factor in (interval.low, interval.high)
    ]
    reach = float(norm.ppf((1 + interval.level) / 2)) * value.shot_error
    return value.model_copy(update={"low": min(ends) - reach, "high": max(ends) + reach})


def at_noise(exact: float, predicted: float, uniform: float, factor: float) -> float:
    """A value where noise is ``factor`` times what made ``predicted`` of ``exact``.

    What is left of its distance from the maximally mixed state's falls as the exponential of
    noise; a value that noise does not bring nearer to that moves in proportion.

    Args:
        exact: without noise.
        predicted: with it.
        uniform: of the maximally mixed state.
        factor: on the noise.
    """
    left = (predicted - uniform) / (exact - uniform) if exact != uniform else -1.0
    if 0 < left <= 1:
        return float(uniform + (exact - uniform) * left**factor)
    return exact + factor * (predicted - exact)


def judge_values(
    frozen: bytes, program: ExpectationProgram, found: Expectations
) -> ValuePrediction:
    """A prediction beside the raw values.

    Args:
        frozen: what was written down before, byte for byte.
        program: what ran.
        found: what came of it.

    Raises:
        ValueError: of a later version.
    """
    told = Prediction.from_bytes(frozen)
    raw = raw_values(program, found.counts)
    kept = set(range(program.rows) if found.kept is None else found.kept.tolist())
    columns = len(program.observables)
    values = []
    for place, value in enumerate(told.values):
        measured = None if raw is None or value.row not in kept else raw[value.row, place % columns]
        inside = None
        if measured is not None and value.low is not None and value.high is not None:
            inside = bool(value.low <= measured <= value.high)
        values.append(
            JudgedValue(
                row=value.row,
                observable=value.observable,
                exact=value.exact,
                predicted=value.predicted,
                low=value.low,
                high=value.high,
                measured=None if measured is None else float(measured),
                inside=inside,
            )
        )
    return ValuePrediction(
        made=told.made,
        device=told.device,
        taken=told.taken,
        snapshot_sha256=told.snapshot_sha256,
        sha256=hashlib.sha256(frozen).hexdigest(),
        level=None if told.interval is None else told.interval.level,
        results=None if told.interval is None else told.interval.results,
        values=tuple(values),
        note=told.note,
    )


def raw_values(program: ExpectationProgram, counts: Counts) -> FloatArray | None:
    """Values ``(B, K)`` at the device's own noise; ``None`` where a basis has no such counts."""
    values = np.tile([o.constant for o in program.observables], (program.rows, 1))
    for group, one in zip(program.groups, program.programs, strict=True):
        if not one.unscaled:
            return None
        summed = np.sum([counts[batch.label] for batch in one.unscaled], axis=0)
        share = summed / np.maximum(summed.sum(axis=1, keepdims=True), 1)
        values = values + share @ group.features.T
    return np.asarray(values, dtype=np.float64)


def beside_hardware(
    values: Sequence[ObservableValue],
    program: ExpectationProgram,
    found: Expectations,
) -> tuple[ObservableValue, ...]:
    """Values on a device model with their raw ones, and where real devices would have those.

    Args:
        values: all observables of a row after another, of rows that have counts.
        program: what ran.
        found: what came of it.
    """
    snapshot = program.compiled.snapshot
    raw = raw_values(program, found.counts)
    if snapshot is None or raw is None:
        return tuple(values)
    factors = noise_factors(snapshot.vendor)
    places = np.arange(program.rows) if found.kept is None else found.kept
    out = []
    for value, one in zip(values, raw[places].ravel().tolist(), strict=True):
        told = None
        if factors is not None and value.exact is not None:
            ends = [
                at_noise(value.exact, one, value.uniform, factor)
                for factor in (factors.low, factors.high)
            ]
            told = interval_of(factors, min(ends), max(ends))
        out.append(value.model_copy(update={"raw": one, "on_hardware": told}))
    return tuple(out)

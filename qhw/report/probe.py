"""The noise of the day, in words: what probes showed and what it predicts."""

from __future__ import annotations

from qhw.analysis.compare.facts import PredictionFacts, ProbeFacts
from qhw.analysis.probe.facts import NoiseOfTheDay
from qhw.report.format import number
from qhw.report.prediction import prediction_words

FITTED_EXPECTATION = "fitted-expectation.json"
"""Name of the fitted calibration of expectation values in a run's folder."""
SCATTERED = 3.0
"""From which on one factor does not hold what probes differ by."""


def fitted_file(told: ProbeFacts) -> str:
    """Name of the fitted calibration in a run's folder; every command takes it as a device."""
    return f"fitted-{told.role}.json"


def probe_lines(told: ProbeFacts) -> list[str]:
    """The factor, then the prediction as reported and with it."""
    lines = [f"{told.role}, {noise_words(told.noise)}"]
    if told.again is None or told.predicted is None or told.again.predicted is None:
        return lines
    return [*lines, f"{told.role}, {again_words(told.predicted, told.again)}"]


def noise_words(noise: NoiseOfTheDay) -> str:
    """What the probes showed."""
    shots = sum(circuit.shots for circuit in noise.circuits)
    many = f"{len(noise.circuits)} probes of {shots:,} shots together"
    if noise.factor is None:
        return f"{many}: too few came back, or no noise is predicted of them, to fit any"
    level = f"{100 * noise.level:.0f} %"
    said = (
        f"{many}: the noise of the day is {number(noise.factor, 3)} times that of {noise.device} "
        f"({level} interval {number(noise.low, 3)} to {number(noise.high, 3)})"
    )
    if noise.scatter is not None and noise.scatter > SCATTERED:
        said += "; the probes differ by far more than their shots explain, so by their qubits"
    return said


def again_words(before: PredictionFacts, again: PredictionFacts) -> str:
    """Distance predicted as reported and with the noise of the day, beside what was measured."""
    return (
        f"distance to exact: {number(before.predicted)} predicted as reported, "
        f"{number(again.predicted)} with the noise of the day, {number(again.measured)} measured; "
        f"{prediction_words(again)}"
    )

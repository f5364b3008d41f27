"""One factor on a device model's noise, from circuits whose right answer is known.

The signal of a circuit is 1 where every shot gives the right answer and 0 where shots are random;
a device model predicts it, and noise ``f`` times as strong leaves ``predicted ** f``. So ``ln``
measured is ``f`` times ``ln`` predicted, and ``f`` is the least-squares slope through the origin,
each circuit weighted by how well its shots tell ``ln`` measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

_FEWEST_SHOTS = 0.5
"""Right and wrong answers added to those seen: no count is certain."""
_NOTHING_LOST = 1 - 1e-9
"""A signal of 1 has no noise to scale."""


@dataclass(frozen=True)
class Probed:
    """A circuit of known answer, as it came back.

    Attributes:
        predicted: signal by the device model, above 0 and below 1.
        floor: share of right answers of a random device.
        right: shots with the right answer.
        shots: of it.
    """

    predicted: float
    floor: float
    right: int
    shots: int

    @property
    def measured(self) -> float:
        """Share of right answers."""
        return self.right / self.shots


@dataclass(frozen=True)
class NoiseFit:
    """A factor on all reported noise.

    Attributes:
        factor: 1 is as the model says.
        low: lower end of its interval.
        high: upper end.
        level: of the interval.
        scatter: what circuits differ by, in units of what their shots explain; 1 or less where
            shots explain all.
    """

    factor: float
    low: float
    high: float
    level: float
    scatter: float


def fit_noise(probed: Sequence[Probed], level: float, at: float = 1.0) -> NoiseFit | None:
    """The factor that fits best, and its interval from shots and from how circuits differ.

    Args:
        probed: two circuits or more.
        level: of the interval.
        at: factor on the model's noise that the signals are predicted with. Where ``ln`` of a
            signal is not in proportion to noise (large readout errors), one near the answer.

    Returns:
        ``None`` where fewer than two have any noise predicted.
    """
    used = [p for p in probed if 0 < p.predicted < _NOTHING_LOST]
    if len(used) < 2:
        return None
    x = np.log([p.predicted for p in used])
    y, error = np.array([_signal(p) for p in used]).T
    weight = error**-2
    whole = float(weight @ x**2)
    factor = max(float(weight @ (x * y)) / whole, 0.0)
    left = len(used) - 1
    scatter = math.sqrt(float(weight @ (y - factor * x) ** 2) / left)
    reach = float(student.ppf((1 + level) / 2, left)) * max(scatter, 1.0) / math.sqrt(whole)
    low, high = max(factor - reach, 0.0), factor + reach
    return NoiseFit(at * factor, at * low, at * high, level, scatter)


def _signal(probed: Probed) -> tuple[float, float]:
    """``ln`` of the measured signal and its standard error; at the floor it says little."""
    n = probed.shots + 2 * _FEWEST_SHOTS
    share = (probed.right + _FEWEST_SHOTS) / n
    error = math.sqrt(share * (1 - share) / n) / (1 - probed.floor)
    signal = min(max((share - probed.floor) / (1 - probed.floor), error), 1.0)
    return math.log(signal), error / signal

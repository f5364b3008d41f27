"""Whether a device is predicted to be closer to exact than a constant that needs no QPU.

Without an error, which has the predicted success ``f`` for its probability, the outcome is exact;
with one it is anything. The distance to exact is therefore at most ``1 - f``. If errors depolarise
globally it is ``(1 - f) s``, with ``s`` that of the uniform distribution; single errors leave more
of the outcome than that, and ``(1 - f)**2 s`` is below what our simulations of them left. Shots add
their noise in quadrature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qhw.analysis.depth.subjects import Subject
from qhw.analysis.precision.shots import OutOfReachError, fewest_shots
from qhw.analysis.scores.baselines import shot_floor_of_seen, shot_floor_total_variation
from qhw.analysis.validate.interval import Interval

_EXACT = 1e-9
"""A constant this close to exact is exact to rounding."""
MOST_SHOTS = 10**9
"""No one takes more."""
_CLOSE = 0.005
"""How far below a wanted distance the planned one may stay: a hundredth of the shots."""


@dataclass(frozen=True)
class Beats:
    """The verdict.

    Attributes:
        yes: ``None`` where it cannot be told.
        reason: why, in words.
    """

    yes: bool | None
    reason: str


def beats_constant(subject: Subject, success: float, shots: int) -> Beats:
    """Judge a predicted success beside the best constant: uniform, or the mean of other rows.

    Args:
        subject: the circuit.
        success: probability that nothing goes wrong.
        shots: measured.
    """
    if subject.spread is None:
        return Beats(None, "the exact outcome is not known, nor what a constant misses of it")
    ensemble = subject.baseline is not None
    constant = subject.spread if subject.baseline is None else subject.baseline
    name = "best constant" if ensemble else "uniform distribution, the constant here,"
    if constant < _EXACT:
        return Beats(False, f"the {name} is the exact outcome: nothing is closer")
    floor = _floor(subject, shots)
    if constant <= floor:
        return Beats(
            False,
            f"the {name} is {constant:.3g} away from exact, a perfect device with {shots:,} shots "
            f"{floor:.3g}",
        )
    predicted = (1 - success) * subject.spread
    least, most = (1 - success) * predicted, math.hypot(1 - success, floor)
    said = f"predicted distance {predicted:.3f}"
    beside = f"against {constant:.3f} of the {name.rstrip(',')}"
    if most < constant:
        return Beats(True, f"{said}, whatever the errors do at most {most:.3f}, {beside}")
    if least >= constant:
        return Beats(False, f"{said}, at least {least:.3f}, {beside}")
    return Beats(None, f"{said}, {least:.3f} to {most:.3f} by what the errors do, {beside}")


def skill_of(subject: Subject, distance: float | None) -> float | None:
    """Skill of a distance to exact against the best constant: 1 is exact, 0 no better than it.

    Returns:
        ``None`` where the distance is not known, or the constant is exact itself.
    """
    constant = _constant(subject)
    if distance is None or constant is None or constant < _EXACT:
        return None
    return 1 - distance / constant


def skill_interval(subject: Subject, away: Interval | None) -> Interval | None:
    """Where the skill of real devices lies whose distance to exact lies in an interval."""
    if away is None:
        return None
    low, high = skill_of(subject, away.high), skill_of(subject, away.low)
    if low is None or high is None:
        return None
    return away.model_copy(update={"low": low, "high": high})


def _constant(subject: Subject) -> float | None:
    """Distance of the best constant."""
    return subject.spread if subject.baseline is None else subject.baseline


def shots_for(subject: Subject, predicted: float, error: float) -> int | None:
    """Fewest shots (to 2 %) whose distance to exact, errors and shots together, is the wanted one.

    Args:
        subject: the circuit.
        predicted: distance that the device's errors alone make.
        error: wanted.

    Returns:
        ``None`` where the device's errors alone are larger, or more than :data:`MOST_SHOTS` are
        needed, or the exact distribution is not at hand.
    """
    if (subject.exact is None and subject.seen is None) or predicted >= error:
        return None
    wanted = math.sqrt(error**2 - predicted**2)
    try:
        return fewest_shots(
            lambda shots: _floor(subject, shots), wanted, least=1, most=MOST_SHOTS, close=_CLOSE
        ).shots
    except OutOfReachError:
        return None


def _floor(subject: Subject, shots: int) -> float:
    """Distance of a perfect device; 0 where the distributions themselves are not at hand."""
    if subject.seen is not None:
        return shot_floor_of_seen(subject.seen, shots)
    if subject.exact is None:
        return 0.0
    return float(shot_floor_total_variation(subject.exact, shots).mean())

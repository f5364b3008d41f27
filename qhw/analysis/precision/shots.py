"""The fewest shots with which an error is as small as wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from qhw.mitigation.words import MitigationError

MOST_SHOTS = 10**12
"""More are a mistake."""
FEWEST_SHOTS = 2
_FIRST = 10_000
CLOSE = 0.03
"""How far below the wanted error the expected one may stay."""
_TRIES = 12
_DIGITS = 3


class OutOfReachError(ValueError):
    """A precision that the most shots there are do not reach; one line names what they do."""

    def __init__(self, wanted: float, reached: float, most: int) -> None:
        self.reached = reached
        super().__init__(
            f"Argument `precision` must be {upwards(reached):g} or more here, which the most shots "
            f"of a row, {most:,}, are expected to reach, but is {wanted:g}"
        )


@dataclass(frozen=True)
class Planned:
    """Shots and what they are expected to reach.

    Attributes:
        shots: of a row, everything counted.
        error: expected with them.
    """

    shots: int
    error: float


def shots_of_error(shots: int, found: float, wanted: float) -> int:
    """Shots for a wanted error, by the error that some shots have: it falls as one by the root.

    Args:
        shots: of a row.
        found: error with them.
        wanted: error, above 0.

    Raises:
        ValueError: so many that they are a mistake.
    """
    planned = math.ceil(shots * (found / wanted) ** 2)
    if planned > MOST_SHOTS:
        raise ValueError(
            f"Argument `precision` must be one that {MOST_SHOTS:.0e} shots reach, but would take "
            f"{planned:.1e}"
        )
    return max(planned, FEWEST_SHOTS)


def fewest_shots(
    error_at: Callable[[int], float],
    wanted: float,
    *,
    least: int = FEWEST_SHOTS,
    most: int = MOST_SHOTS,
    close: float = CLOSE,
) -> Planned:
    """The fewest shots, up to three digits, with which an error is at most the wanted one.

    The error need not fall as one by the root: few shots of many outcomes, fits and projections
    do not. Each try is made from the law between the last two.

    Args:
        error_at: expected error with shots; may refuse too few with a ``MitigationError``.
        wanted: error, above 0.
        least: fewest shots there can be.
        most: shots there can be.
        close: how far below the wanted error the expected one may stay, relative to it.

    Raises:
        OutOfReachError: the most shots there can be do not reach it.
        MitigationError: no number of shots is enough for the pipeline.
    """
    tried: dict[int, float] = {}
    refused: MitigationError | None = None
    shots = min(max(_FIRST, least), most)
    for _ in range(_TRIES):
        try:
            tried[shots] = error = error_at(shots)
        except MitigationError as few:
            refused, least = few, shots + 1
            above = min(tried, default=min(100 * shots, most))
            shots = round_up(math.isqrt(shots * above))
            if shots >= most and not tried:
                raise
            if shots in tried:
                break
            continue
        if error > wanted and shots == most:
            raise OutOfReachError(wanted, error, most)
        enough = wanted * (1 - close) <= error <= wanted
        following = _next(tried, shots, wanted * (1 - close / 2), least, most)
        if enough or following in tried:
            break
        shots = following
    reached = [shots for shots, error in tried.items() if error <= wanted]
    if reached:
        return Planned(min(reached), tried[min(reached)])
    if refused is not None and not tried:
        raise refused
    shots = max(tried)  # the law is none: as by the root, and once more
    shots = min(round_up(shots_of_error(shots, 1.1 * tried[shots], wanted)), most)
    error = error_at(shots)
    if error > wanted:
        raise OutOfReachError(wanted, error, shots)
    return Planned(shots, error)


def _next(tried: dict[int, float], shots: int, aim: float, least: int, most: int) -> int:
    """What to try after ``shots``, by the power law through the two tries next to the aim."""
    error = tried[shots]
    power = 0.5
    others = sorted((abs(math.log(n / shots)), n) for n in tried if n != shots)
    if others and error > 0:
        near = others[0][1]
        if tried[near] > 0 and tried[near] != error:
            power = -math.log(tried[near] / error) / math.log(near / shots)
    power = min(max(power, 0.2), 1.0)
    found = shots * (error / aim) ** (1 / power) if error > 0 else float(least)
    return int(min(max(round_up(math.ceil(min(found, most))), least), most))


def round_up(shots: int) -> int:
    """To three digits."""
    step = int(10 ** max(0, len(str(shots)) - _DIGITS))
    return -(-shots // step) * step


def upwards(value: float) -> float:
    """To two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return math.ceil(round(value / step, 6)) * step

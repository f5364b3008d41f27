"""A wanted precision as people write it: 0.01, or 0.05rad where directions are read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Quantity = Literal["distance", "observable", "angle"]

UNPLANNED = 1
"""Shots in settings of a precision until they are planned: a mistake costs next to nothing."""
WORDS: dict[Quantity, str] = {
    "distance": "total variation distance to what infinitely many shots would give, mean of rows",
    "observable": "standard error of the worst observable",
    "angle": "rms angle of encoders' mean directions, radians",
}
_TEXT = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?\s*(rad)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Precision:
    """What shots are planned for.

    Attributes:
        value: of a distance from 0 to 1, of an observable in its own units, of an angle radians.
        quantity: which of them.
    """

    value: float
    quantity: Quantity

    def __str__(self) -> str:
        return f"{self.value:g}{'rad' if self.quantity == 'angle' else ''}"


def parse_precision(value: str | float, plain: Quantity, *, angles: bool = False) -> Precision:
    """A wanted precision.

    Args:
        value: a number, of ``plain``; or text, with ``rad`` behind it of an angle.
        plain: what a number is of.
        angles: whether directions are read, so that it may be of an angle.

    Raises:
        ValueError: no number, or one that is not above 0; a distance of 1 or more, or an angle of
            which there is none.

    Example:
        >>> str(parse_precision("1e-2", "distance")), str(parse_precision(".05 rad", "angle"))
        ('0.01', '0.05rad')
    """
    found = _TEXT.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    number = float(f"{found[1]}{found[2] or ''}") if found else math.nan
    quantity: Quantity = "angle" if found and found[3] else plain
    most = {"distance": 1.0, "angle": math.pi / 2, "observable": math.inf}[quantity]
    if not 0 < number < most or (quantity == "angle" and not (angles or plain == "angle")):
        allowed = {
            "distance": "a total variation distance above 0 and below 1 such as 0.01",
            "observable": "a standard error above 0, in units of the observable, such as 0.01",
            "angle": "an angle above 0 such as 0.05rad",
        }[plain]
        if angles:
            allowed += ", or an angle below a quarter turn such as 0.05rad"
        said = repr(value)
        raise ValueError(
            f"Argument `precision` must be {allowed}, but is "
            f"{said if len(said) <= 40 else said[:40] + '...'}"
        )
    return Precision(number, quantity)


def one_of(shots: object, precision: object, *, needed: bool = True) -> None:
    """Refuse shots and a precision together, and where either is needed, neither.

    Raises:
        ValueError: as said.
    """
    if shots is not None and precision is not None:
        raise ValueError("Argument `precision` must be left out where `shots` are given")
    if needed and shots is None and precision is None:
        raise ValueError("Argument `shots` must be given, or `precision` in its place")

"""Numbers of shots as people write them: 20000, 100_000, 1e5, 20k, 1.5M."""

from __future__ import annotations

import operator
import re
from contextlib import suppress
from decimal import Decimal

_NUMBER = re.compile(
    r"(\d+(?:_\d+)*(?:\.\d+)?(?:e\+?\d{1,2})?)\s?([km]?)", re.ASCII | re.IGNORECASE
)
_FACTORS = {"": 1, "k": 1000, "m": 1_000_000}


def parse_shots(value: str | int) -> int:
    """A whole number of shots from 1 on.

    Args:
        value: the number, or text: ``k`` stands for a thousand, ``M`` for a million, upper or
            lower case.

    Raises:
        ValueError: anything else.

    Example:
        >>> [parse_shots(text) for text in (20000, "100_000", "1e5", "20k", "1.5M")]
        [20000, 100000, 100000, 20000, 1500000]
    """
    shots = Decimal(0)
    if isinstance(value, str):
        if found := _NUMBER.fullmatch(value.strip()):
            shots = Decimal(found[1]) * _FACTORS[found[2].lower()]
    elif not isinstance(value, bool):
        with suppress(TypeError):
            shots = Decimal(operator.index(value))
    if shots < 1 or shots != int(shots):
        said = repr(value)
        raise ValueError(
            "Argument `shots` must be a whole number >= 1 such as 20000, 1e5, 20k or 1M, but is "
            f"{said if len(said) <= 40 else f'{said[:40]}...'}"
        )
    return int(shots)


def number_of_shots(value: str | int) -> int:
    """:func:`parse_shots` of text; a number is what it is, and judged where it is used."""
    return parse_shots(value) if isinstance(value, str) else value

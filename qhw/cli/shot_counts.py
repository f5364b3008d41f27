"""Numbers of shots as people write them: 20000, 20k, 1M."""

from __future__ import annotations

import typer

_THOUSANDS = {"k": 1000, "m": 1_000_000}


def shot_count(text: str | int) -> int:
    """Shots of one number; ``k`` stands for a thousand, ``M`` for a million, upper or lower case.

    Args:
        text: as typed, or the number itself (a default).

    Raises:
        typer.BadParameter: not a whole number >= 1.
    """
    word = str(text).strip()
    factor = _THOUSANDS.get(word[-1:].lower(), 1)
    digits = word if factor == 1 else word[:-1]
    if not (digits.isascii() and digits.isdecimal()) or int(digits) < 1:
        raise typer.BadParameter(
            f"must be a whole number >= 1 such as 20000, 20k or 1M, but is {word!r}",
            param_hint="'--shots'",
        )
    return int(digits) * factor


def shot_counts(text: str) -> tuple[int, ...]:
    """Shots of several numbers with commas between: ``20k,100000,1M``.

    Raises:
        typer.BadParameter: as :func:`shot_count`.
    """
    return tuple(shot_count(part) for part in text.split(","))

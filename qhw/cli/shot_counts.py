"""Numbers of shots as options."""

from __future__ import annotations

import typer

from qhw.shot_counts import parse_shots


def shot_count(text: str | int) -> int:
    """Shots of one number, see :func:`~qhw.shot_counts.parse_shots`.

    Raises:
        typer.BadParameter: not a whole number >= 1.
    """
    try:
        return parse_shots(text)
    except ValueError as error:
        told = str(error).removeprefix("Argument `shots` ")
        raise typer.BadParameter(told, param_hint="'--shots'") from None


def shot_counts(text: str) -> tuple[int, ...]:
    """Shots of several numbers with commas between: ``20k,100000,1M``.

    Raises:
        typer.BadParameter: as :func:`shot_count`.
    """
    return tuple(shot_count(part) for part in text.split(","))

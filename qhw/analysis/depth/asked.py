"""What a sweep is asked, checked before anything that compiles is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from backends.native.levels import LEVELS


def check_wanted(by: str, error: float | None, observables: Sequence[str]) -> None:
    """Refuse what needs a wanted error where there is none.

    Raises:
        ValueError: observables, or a recommendation by what they cost, without an error.
    """
    if observables and error is None:
        raise ValueError("Argument `observables` must come with an `error`, but does not.")
    if by == "dollars-for-error" and error is None:
        raise ValueError("Argument `by` must come with an `error`, but is 'dollars-for-error'")


def checked_levels(levels: Sequence[int], *, seeds: int, shots: int) -> tuple[int, ...]:
    """Optimisation levels, each once, of a sweep that can be.

    Args:
        levels: as asked for.
        seeds: how many.
        shots: that costs and verdicts are for.

    Raises:
        ValueError: an unknown level or none, no seed, no shot.
    """
    wanted = tuple(dict.fromkeys(levels))
    if not wanted or not set(wanted) <= set(LEVELS):
        raise ValueError(f"Argument `levels` must be among {LEVELS}, but is {tuple(levels)}.")
    if seeds < 1 or shots < 1:
        raise ValueError(
            f"Arguments `seeds` and `shots` must be 1 or more, but are {seeds} and {shots}."
        )
    return wanted

"""Figures of merit that a device is recommended by."""

from __future__ import annotations

from calibration.closest import closest, quoted

MERITS = {
    "success": "highest predicted success",
    "skill": "highest predicted skill against the best constant",
    "dollars": "lowest cost among those not predicted to lose to a constant",
    "dollars-for-error": "lowest cost of the wanted distance to exact",
    "waiting": "fewest jobs waiting among those not predicted to lose to a constant",
    "gates": "fewest two-qubit gates",
    "depth": "least two-qubit depth",
    "duration": "shortest circuit",
}
"""What each means."""


def checked_merit(by: str, *, live: bool = True) -> str:
    """A figure of merit that there is.

    Args:
        by: as asked for.
        live: whether vendors are asked what waits.

    Raises:
        ValueError: it is none (the line has the closest), or needs that vendors are asked.
    """
    if by not in MERITS:
        known = closest(by, tuple(MERITS), "qhw depth-report --help")
        raise ValueError(
            f"Argument `by` must be among {', '.join(MERITS)}, but is {quoted(by)} ({known})"
        )
    if by == "waiting" and not live:
        raise ValueError("Argument `by` must come with --live (`live=True`), but is 'waiting'")
    return by

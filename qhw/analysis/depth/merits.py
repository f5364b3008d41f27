"""Figures of merit that a device is recommended by."""

from __future__ import annotations

from calibration.closest import closest, quoted

MERITS = {
    "success": "highest predicted success",
    "skill": "highest predicted skill against the best constant",
    "dollars": "lowest cost among those not predicted to lose to a constant",
    "dollars-for-error": "lowest cost of the wanted distance to exact",
    "gates": "fewest two-qubit gates",
    "depth": "least two-qubit depth",
    "duration": "shortest circuit",
}
"""What each means."""


def checked_merit(by: str) -> str:
    """A figure of merit that there is.

    Raises:
        ValueError: it is none; the line has the closest.
    """
    if by not in MERITS:
        known = closest(by, tuple(MERITS), "qhw depth-report --help")
        raise ValueError(
            f"Argument `by` must be among {', '.join(MERITS)}, but is {quoted(by)} ({known})"
        )
    return by

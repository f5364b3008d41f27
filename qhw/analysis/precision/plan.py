"""Shots planned for a wanted precision, within what a device takes and a budget allows."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from qhw.analysis.precision.asked import WORDS, Precision
from qhw.analysis.precision.shots import CLOSE, fewest_shots, upwards
from qhw.jobs.errors import BudgetError
from qhw.jobs.intent import Quote
from qhw.jobs.money import parse_money, show_money

_LOG = logging.getLogger(__name__)
_CLOSE = 1.03
"""How close below what a budget allows shots are looked for, as a ratio."""


@dataclass(frozen=True)
class ShotPlan:
    """Shots for a precision.

    Attributes:
        precision: wanted.
        shots: of each row, everything that mitigation runs counted.
        expected: precision expected with them.
        note: what the plan had to leave out, in words; empty for nothing.
    """

    precision: Precision
    shots: int
    expected: float
    note: str = ""

    @property
    def settings(self) -> dict[str, object]:
        """What it changes in settings."""
        return {"shots": self.shots, "precision": str(self.precision)}

    @property
    def words(self) -> str:
        """For people."""
        note = f"; {self.note}" if self.note else ""
        return (
            f"precision {self.precision} ({WORDS[self.precision.quantity]}): {self.shots:,} shots "
            f"of each row, everything counted, expected to reach {self.expected:.2g}{note}"
        )


class Planned(Protocol):
    """Something whose shots can be planned."""

    @property
    def note(self) -> str:
        """What the device's model had to leave out."""

    def bounds(self) -> tuple[int, int]:
        """Fewest and most shots of a row that the device takes."""

    def error(self, shots: int) -> float:
        """Expected with shots of a row."""

    def quotes(self, shots: int) -> Sequence[Quote]:
        """What they cost; none on a simulator."""


def plan_shots(
    what: Planned,
    wanted: Precision,
    notify: Callable[[str], None] = _LOG.info,
    budget: str | None = None,
) -> ShotPlan:
    """The fewest shots that reach a precision.

    Args:
        what: is planned.
        wanted: precision.
        notify: told what is being done.
        budget: the most that they may cost, if there is such a limit.

    Raises:
        OutOfReachError: the device does not take so many shots.
        BudgetError: they cost more; the line has the precision that the budget allows.
        BackendError: the device's model cannot simulate what runs.
    """
    notify(f"planning shots for precision {wanted}")
    least, most = what.bounds()
    found = fewest_shots(what.error, wanted.value, least=least, most=most)
    plan = ShotPlan(wanted, found.shots, found.error, what.note)
    if budget is not None:
        _check_budget(what, plan, budget, least)
    return plan


def _check_budget(what: Planned, plan: ShotPlan, budget: str, least: int) -> None:
    most, price = parse_money(budget), _price(what, plan.shots)
    if price <= most:
        return
    said = (
        f"Submission refused: precision {plan.precision} takes {plan.shots:,} shots of each row "
        f"and up to {show_money(price)}, which would pass the budget, {show_money(most)}"
    )
    if _price(what, least) > most:
        raise BudgetError(f"{said}; it allows no precision at all; nothing was sent")
    low, high = least, plan.shots
    while high > _CLOSE * low + 1:
        middle = math.isqrt(low * high)
        low, high = (middle, high) if _price(what, middle) <= most else (low, middle)
    # a plan stays up to CLOSE below what is asked for: asking for this takes no more than `low`
    offered = upwards(what.error(low) / (1 - CLOSE))
    allowed = Precision(offered, plan.precision.quantity)
    raise BudgetError(
        f"{said}; it allows a precision of {allowed} ({low:,} shots); nothing was sent"
    )


def _price(what: Planned, shots: int) -> int:
    return sum(quote.reserve_micro for quote in what.quotes(shots))

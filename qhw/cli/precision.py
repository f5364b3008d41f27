"""``--precision``: shots planned in place of given, told before anything runs or is spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from qhw.cli.console import err
from qhw.cli.own import given

if TYPE_CHECKING:
    from qhw.analysis.compare.quote import StageQuote
    from qhw.analysis.precision.asked import Precision, Quantity
    from qhw.analysis.precision.plan import ShotPlan
    from qhw.cli.asked import Line


def read_precision(
    ctx: typer.Context, text: str | None, plain: Quantity, *, angles: bool = False
) -> Precision | None:
    """The precision of an option, where it is given.

    Raises:
        ValueError: shots beside it, or no precision.
    """
    if text is None:
        return None
    from qhw.analysis.precision.asked import one_of, parse_precision

    one_of(True if given(ctx, "shots") else None, text)
    return parse_precision(text, plain, angles=angles)


def planned(
    line: Line, tell: Callable[[str], None], budget: str | None = None, *, again: bool = False
) -> tuple[Line, ShotPlan | None, Sequence[StageQuote]]:
    """The line with its shots planned, the plan, and what it costs on a device that takes jobs.

    As it is where shots are given, and where the ledger has a run of the same precision, which
    goes on with its own.

    Raises:
        OutOfReachError: the device does not take so many shots.
        BudgetError: they cost more than the budget; nothing was sent.
    """
    if line.wanted is None or (not again and line.asked.in_ledger()):
        return line, None, ()
    asked, plan, quotes = line.asked.planned(line.wanted, tell, budget)
    return line.having(asked), plan, quotes


def tell_plan(plan: ShotPlan | None) -> None:
    """Say what was planned, where something was."""
    if plan is not None:
        err.print(plan.words, soft_wrap=True)


def plan_document(plan: ShotPlan | None) -> dict[str, object]:
    """Fields of a JSON document; none where nothing was planned."""
    if plan is None:
        return {}
    return {
        "precision": {
            "asked": plan.precision.value,
            "of": plan.precision.quantity,
            "shots": plan.shots,
            "expected": plan.expected,
            "note": plan.note,
        }
    }

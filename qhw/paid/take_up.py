"""A run of the ledger as what it computes."""

from __future__ import annotations

from typing import Any

from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run
from qhw.paid.compare import CompareRun, MeasureRun
from qhw.paid.expect import ExpectRun
from qhw.paid.head import HeadRun
from qhw.paid.run import PaidRun

_KINDS: dict[str, type[PaidRun[Any, Any]]] = {
    "expect": ExpectRun,
    "measure": MeasureRun,
    "head": HeadRun,
}
"""What a run computes, by its task; the others are tasks of a model."""


def taken_up(ledger: Ledger, name: str) -> PaidRun[Any, Any]:
    """The run of that name, ready to go on.

    Raises:
        UnknownRunError: no such run.
    """
    with ledger.read() as connection:
        record = get_run(connection, name)
    return _KINDS.get(record.task, CompareRun).of(ledger, record.id)

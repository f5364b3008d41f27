"""A run of the ledger as what it computes."""

from __future__ import annotations

from typing import Any

from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run
from qhw.paid.compare import CompareRun
from qhw.paid.expect import ExpectRun
from qhw.paid.run import PaidRun


def taken_up(ledger: Ledger, name: str) -> PaidRun[Any, Any]:
    """The run of that name, ready to go on.

    Raises:
        UnknownRunError: no such run.
    """
    with ledger.read() as connection:
        record = get_run(connection, name)
    kind: type[PaidRun[Any, Any]] = ExpectRun if record.task == "expect" else CompareRun
    return kind.of(ledger, record.id)

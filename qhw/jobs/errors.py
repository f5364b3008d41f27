"""What the ledger, the budget and the runs in it can object to."""

from __future__ import annotations


class LedgerError(ValueError):
    """The ledger cannot be opened, read or written; nothing was half-written."""


class BudgetError(ValueError):
    """A submission would pass a spending cap; nothing was written or sent."""


class UnknownRunError(LedgerError):
    """No run or job in the ledger goes by that name."""

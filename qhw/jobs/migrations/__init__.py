"""Schema history of the ledger, for alembic; shipped with the package."""

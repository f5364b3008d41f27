"""What backends raise; light, so that a command line can tell a mistake before Qiskit is loaded."""

from __future__ import annotations


class BackendError(Exception):
    """A backend cannot do what was asked; the message says what and what is allowed."""


class UnknownBackendError(BackendError):
    """No backend has that name; the message lists those that exist."""

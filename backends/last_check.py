"""A last word before the first byte of an order: whether it may still be sent.

Between the decision to post and the post lie a login, serialisation, and questions; each may take
longer than the right to post lasts. So the right is checked once the connection stands and
nothing but the request itself is left to do (:class:`backends.bounded_http.BoundedAdapter`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_CHECK: ContextVar[Callable[[], None] | None] = ContextVar("last_check", default=None)


class _HeldBackError(Exception):
    """Carries what a check raised past clients that would take it for a fault of the network."""


@contextmanager
def checked_last(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, every request is checked just before its first byte.

    Args:
        check: raises what the block shall raise when nothing may be sent any more.
    """
    before = _CHECK.set(check)
    try:
        yield
    except _HeldBackError as held:
        assert held.__cause__ is not None
        raise held.__cause__ from None
    finally:
        _CHECK.reset(before)


def check_last() -> None:
    """Make the check that is asked for, if any; for whoever is about to send.

    Raises:
        _HeldBackError: with the check's own error as cause; :func:`checked_last` unwraps it.
    """
    check = _CHECK.get()
    if check is None:
        return
    try:
        check()
    except Exception as error:
        raise _HeldBackError from error

"""What to say of a name that is not there: the few that look like it, and where all are listed."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_SHOWN, _CUTOFF = 3, 0.5
_FEW = 15
"""So many names are all told where none is like the wrong one."""
_LONGEST = 100
"""Characters of a wrong name that are compared and repeated: it may come out of a file."""


def closest(name: str, known: Collection[str], command: str) -> str:
    """Names like a wrong one, three at most, how many others there are, and what lists them.

    Where none is like it and there are few, all of them.

    Args:
        name: that is not there.
        known: those that are.
        command: that lists them, such as ``qhw devices``.

    Example:
        >>> closest("bostn", ["boston", "garnet", "fez", "manila"], "qhw devices")
        'closest: boston; 3 others: `qhw devices` lists them'
    """
    close = difflib.get_close_matches(name[:_LONGEST], known, n=_SHOWN, cutoff=_CUTOFF)
    if not known:
        return "there is none"
    if len(known) <= (_SHOWN if close else _FEW):
        return f"all: {', '.join([*close, *(n for n in known if n not in close)])}"
    others = len(known) - len(close)
    if not close:
        return f"none of {others} is close: `{command}` lists them"
    plural = "s" * (others != 1)
    return f"closest: {', '.join(close)}; {others} other{plural}: `{command}` lists them"


def quoted(name: str) -> str:
    """A wrong name in quotes, cut where it is far too long, nothing in it that moves a cursor."""
    return repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...")

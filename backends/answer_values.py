"""Single values of a vendor's answer, checked before they are believed.

Every reader raises ``ValueError`` and names what was wrong; nothing is converted silently.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from backends.vendor_text import clean_text

LARGEST = 2**31 - 1
"""Largest whole number that is taken where nothing smaller bounds it; a ledger can hold it."""
_FIRST = datetime(2016, 1, 1, tzinfo=UTC)
"""No vendor's job is older: the first public quantum computer is of that year."""
_SKEW = timedelta(days=2)
_IBM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_TASK_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:braket:[a-z0-9-]{1,40}:[0-9]{12}:quantum-task/[A-Za-z0-9_-]{1,128}"
)


def whole(value: object, name: str, *, least: int = 0, most: int = LARGEST) -> int:
    """A whole number in a range; floats, booleans and texts are none."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be a whole number from {least} to {most}, but is {shown(value)}"
        )
    return value


def amount(value: object, name: str) -> float:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{name}` must be a number, but is {shown(value)}")
    # whole numbers that no float can hold are infinite too
    plain = math.inf if isinstance(value, int) and abs(value) > 10**300 else float(value)
    if not math.isfinite(plain) or plain < 0:
        raise ValueError(f"`{name}` must be finite and not negative, but is {shown(value)}")
    return plain


def moment(value: object, name: str) -> datetime:
    """A moment (UTC) at which a job can have been made: since 2016, and not in the future.

    Args:
        value: ISO text or a ``datetime``; one without a zone is UTC.
        name: for messages.
    """
    found = value
    if isinstance(found, str) and len(found) <= 64:
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            found = value
    if not isinstance(found, datetime):
        raise ValueError(f"`{name}` must be a moment, but is {shown(value)}")
    try:
        plain = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        plain = datetime.min.replace(tzinfo=UTC)
    if not _FIRST <= plain <= datetime.now(UTC) + _SKEW:
        raise ValueError(f"`{name}` must be from 2016 to now, but is {shown(value)}")
    return plain


def ibm_id(value: object) -> str:
    """An id of IBM's; it becomes part of addresses, so nothing else is taken."""
    if not isinstance(value, str) or not _IBM_ID.fullmatch(value):
        raise ValueError(f"`id` must be a job's id, but is {shown(value)}")
    return value


def task_arn(value: object) -> str:
    """The ARN of a Braket quantum task."""
    if not isinstance(value, str) or not _TASK_ARN.fullmatch(value):
        raise ValueError(f"`quantumTaskArn` must be a task's ARN, but is {shown(value)}")
    return value


def place(value: object) -> int | None:
    """A place in a queue, ``None`` where the vendor names none that can be: it only informs."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
        return None
    return value


def shown(value: object) -> str:
    """A wrong value for a message, short and printable."""
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"  # Python refuses to write some of them
    if isinstance(value, str | int | float | datetime) or value is None:
        return clean_text(repr(value), 100)
    return f"of type {type(value).__name__}"

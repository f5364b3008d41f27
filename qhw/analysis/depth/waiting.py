"""How many jobs wait at each device of a report, as the vendors say now: asked only on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from backends.base import BackendError
from backends.live import Standing, ask_devices
from backends.registry import sold_as

if TYPE_CHECKING:
    from qhw.analysis.depth.report import Row

Ask = Callable[[Collection[str]], Sequence[Standing]]
_NOT_SOLD = "unknown: no vendor here sends to it"


class Waiting(BaseModel):
    """What waits at a device.

    Attributes:
        jobs: in its queue, ``None`` where the vendor does not say.
        in_service: whether it takes jobs, ``None`` where that is not known.
        words: the same in words, or why it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: int | None = None
    in_service: bool | None = None
    words: str


def with_waiting(rows: Sequence[Row], ask: Ask = ask_devices) -> list[Row]:
    """Rows with what waits at their devices; where nobody says, the row says so.

    Args:
        rows: of a report.
        ask: answers for backends by name.
    """
    sold = {row.device: _backend(row) for row in rows if row.best is not None}
    names = sorted({name for name in sold.values() if name is not None})
    try:
        found = {one.backend: _waiting(one) for one in (ask(names) if names else ())}
        reason = "the vendor did not answer"
    except BackendError as error:
        found, reason = {}, str(error)
    out = []
    for row in rows:
        name = sold.get(row.device)
        told = None
        if row.best is not None:
            told = Waiting(words=f"unknown: {reason}") if name else Waiting(words=_NOT_SOLD)
            everywhere = f"{(name or '').partition(':')[0]}:*"  # a vendor that could not be asked
            told = found.get(name or "", found.get(everywhere, told))
        out.append(row.model_copy(update={"waiting": told}))
    return out


def _backend(row: Row) -> str | None:
    return sold_as(row.device.partition("@")[0], row.vendor)


def _waiting(one: Standing) -> Waiting:
    if one.error:
        return Waiting(words=f"unknown: {one.error}")
    if one.in_service is False:
        return Waiting(jobs=one.queue, in_service=False, words="out of service")
    words = "unknown" if one.queue is None else f"{one.queue:,} jobs wait"
    return Waiting(jobs=one.queue, in_service=one.in_service, words=words)

"""A page of the list of runs: filtered, sorted, cut to what a page holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from qhw.saved.entry import SavedRun

PAGE = 50
"""Runs on a page."""
MOST_PAGES = 1_000_000
_LONGEST = 200

SORTS: dict[str, Callable[[SavedRun], Any]] = {
    "date": lambda run: run.when,
    "run": lambda run: run.name,
    "task": lambda run: run.task or run.kind,
    "device": lambda run: run.devices,
    "skill": lambda run: -inf if run.skill is None else run.skill.value,
    "valid": lambda run: -1.0 if run.valid is None else run.valid.device / run.valid.samples,
    "cost": lambda run: run.usd or 0.0,
}


@dataclass(frozen=True)
class View:
    """What is asked for in the address.

    Attributes:
        words: of the filter.
        sort: key of :data:`SORTS`.
        rising: smallest first.
        page: from 1.
    """

    words: str = ""
    sort: str = "date"
    rising: bool = False
    page: int = 1

    @classmethod
    def of(cls, query: QueryParams) -> View:
        """From an address; what makes no sense there is the default."""
        sort = query.get("sort", "date")
        return cls(
            query.get("words", "")[:_LONGEST],
            sort if sort in SORTS else "date",
            query.get("order") == "rising",
            page_number(query.get("page", "")),
        )

    def link(self, **changes: Any) -> str:
        """Query of an address like this one."""
        to = replace(self, **changes)
        told = {
            "words": to.words,
            "sort": "" if to.sort == "date" else to.sort,
            "order": "rising" if to.rising else "",
            "page": "" if to.page == 1 else to.page,
        }
        return "?" + urlencode({k: v for k, v in told.items() if v}, errors="replace")

    def sorted_by(self, sort: str) -> str:
        """Query of the same list in another order; of the order it has, turned round."""
        return self.link(sort=sort, rising=self.sort == sort and not self.rising, page=1)

    def cut(self, runs: Sequence[SavedRun]) -> list[SavedRun]:
        """The page's runs, of all that fit the words, newest first."""
        ordered = sorted(runs, key=SORTS[self.sort], reverse=not self.rising)
        return ordered[PAGE * (self.page - 1) : PAGE * self.page]


def page_number(text: str) -> int:
    """A page from an address; the first for anything that is none."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST_PAGES)):
        return 1
    return min(MOST_PAGES, max(1, int(text)))


def pages(found: int, size: int) -> int:
    """How many pages so many lines fill, one at least."""
    return max(1, -(-found // size))

"""The queue and the one worker behind every loopback vendor."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar


class Item(Protocol):
    """What a queue holds; ``status`` in the vendor's own words."""

    status: str


ItemT = TypeVar("ItemT", bound=Item)


class WorkQueue(ABC, Generic[ItemT]):
    """Holds accepted items and runs them one after another, as a device does.

    Every change of an item happens with ``self._changed`` held.

    Args:
        waiting: status of an item that has not been started.
        final: statuses that no longer change.
    """

    def __init__(self, waiting: str, final: tuple[str, ...]) -> None:
        self._waiting, self._final = waiting, final
        self._items: dict[str, ItemT] = {}
        self._changed = threading.Condition()
        self._held = self._stopped = False
        threading.Thread(target=self._work, daemon=True).start()

    @abstractmethod
    def _begin(self, item: ItemT, /) -> None:
        """Mark an item as running; the lock is held."""

    @abstractmethod
    def _run(self, item: ItemT, /) -> None:
        """Run an item and write down what came of it; the lock is not held."""

    def get(self, identifier: str) -> ItemT | None:
        """An item, or ``None``."""
        with self._changed:
            return self._items.get(identifier)

    @property
    def accepted(self) -> int:
        """Items ever accepted."""
        return len(self._all())

    def hold(self) -> None:
        """Start nothing further: a queue that never moves."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        """Go on."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def wait_idle(self, timeout_s: float = 60.0) -> bool:
        """Wait until every item is final; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(item.status in self._final for item in self._items.values()),
                timeout_s,
            )

    def stop(self) -> None:
        """End the worker."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _all(self) -> tuple[ItemT, ...]:
        """Every item ever accepted, oldest first."""
        with self._changed:
            return tuple(self._items.values())

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._next() is not None)
                item = self._next()
                if self._stopped or item is None:
                    return
                self._begin(item)
            self._run(item)
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> ItemT | None:
        if self._held:
            return None
        return next((i for i in self._items.values() if i.status == self._waiting), None)

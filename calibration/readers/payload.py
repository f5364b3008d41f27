"""Reading a vendor's JSON with errors that name the file and the place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from calibration.snapshot import SnapshotError


@dataclass(slots=True)
class Node:
    """A value inside a JSON document that knows where it is.

    Attributes:
        value: the JSON value.
        file: name of the file, for errors.
        path: dotted place in the document.
    """

    value: Any
    file: str
    path: str = ""

    @classmethod
    def parse(cls, text: str | bytes, file: str) -> Node:
        """Parse a document; a document that is itself a JSON string is parsed once more.

        Raises:
            SnapshotError: not JSON (truncated, for example), or not an object.
        """
        try:
            value = json.loads(text)
            value = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError) as error:
            raise SnapshotError(f"{file} must be JSON, but: {error}") from error
        if not isinstance(value, dict):
            raise SnapshotError(f"{file} must be a JSON object, but is a {type(value).__name__}")
        return cls(value, file)

    def __getitem__(self, key: str | int) -> Node:
        """The element below; a missing one raises :class:`SnapshotError`."""
        found = self.get(key)
        if found is None:
            raise SnapshotError(f"{self.file}: `{self._below(key)}` is missing")
        return found

    def get(self, key: str | int) -> Node | None:
        """The element below, ``None`` when missing or null."""
        if isinstance(self.value, dict):
            value = self.value.get(key)
        elif isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            value = self.value[key]
        else:
            value = None
        return None if value is None else Node(value, self.file, self._below(key))

    def find(self, *keys: str) -> Node | None:
        """The element along a path of keys, ``None`` when any of them is missing."""
        node: Node | None = self
        for key in keys:
            node = node.get(key) if node is not None else None
        return node

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and elements of an object."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return ((key, self[key]) for key in self.value)

    def elements(self) -> Iterator[Node]:
        """Elements of a list."""
        return (self[index] for index in range(len(self.entries())))

    def entries(self) -> list[Any]:
        """The value as a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return self.value

    def number(self) -> float:
        """The value as a finite float."""
        value = self._float()
        if not math.isfinite(value):
            raise self.wrong("a number")
        return value

    def figure(self, key: str) -> float | None:
        """A measured number below; ``None`` for null, NaN and infinity: it was not measured.

        A missing key and anything that is no number raise :class:`SnapshotError`.
        """
        found = self.value.get(key, self) if isinstance(self.value, dict) else self
        if found is None:
            return None
        value = found if type(found) is float else self[key]._float()
        return value if math.isfinite(value) else None

    def _float(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.wrong("a number")
        try:
            return float(self.value)
        except OverflowError:  # an integer of hundreds of digits
            return math.inf if self.value > 0 else -math.inf

    def text(self) -> str:
        """The value as a string."""
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def wrong(self, wanted: str) -> SnapshotError:
        """The error to raise when the value is not what was wanted."""
        shown = repr(self.value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return SnapshotError(f"{self.file}: `{self.path}` must be {wanted}, but is {shown}")

    def _below(self, key: str | int) -> str:
        return f"{self.path}.{key}" if self.path else str(key)

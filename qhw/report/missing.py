"""Rows that a report leaves out because their circuits failed, gathered by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qhw.analysis.compare.result import ComparisonResult, MissingRow


@dataclass(frozen=True)
class MissingGroup:
    """Rows that failed in the same circuit with the same words.

    Attributes:
        role: circuit that failed.
        text: the vendor's words.
        rows: of the run, in order.
    """

    role: str
    text: str
    rows: tuple[MissingRow, ...]

    @property
    def numbers(self) -> str:
        """The rows' numbers, neighbours joined: ``3, 7-9``."""
        return row_ranges([row.index for row in self.rows])


def missing_groups(result: ComparisonResult) -> list[MissingGroup]:
    """The missing rows of a result, by circuit and words, in order of the first row."""
    gathered: dict[tuple[str, str], list[MissingRow]] = {}
    for row in result.missing:
        gathered.setdefault((row.role, row.text), []).append(row)
    return [MissingGroup(role, text, tuple(rows)) for (role, text), rows in gathered.items()]


_EACH = {"generate": "latent", "encode": "molecule", "reconstruct": "molecule"}
"""What is compared of a model; circuits of a person's own are circuits."""


def rows_said(result: ComparisonResult) -> str:
    """``20 molecules``, or ``97 of 100 circuits`` where some are missing."""
    asked, each = result.settings.rows, _EACH.get(result.settings.task, "circuit")
    if result.missing:
        return f"{result.rows} of {asked} {each}s"
    return f"{asked} {each}{'s' * (asked != 1)}"


def row_ranges(rows: Sequence[int]) -> str:
    """Row numbers for people, neighbours joined: ``3, 7-9``.

    Args:
        rows: ascending, none twice.
    """
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)

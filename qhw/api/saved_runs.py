"""Finished runs in a folder: listed, and laid side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from rich.console import RenderableType
from rich.text import Text

from qhw.api.shown import Shown
from qhw.models.checkpoint import write_atomically
from qhw.report.runs_terminal import runs_table, side_by_side_lines, unreadable_lines
from qhw.report.side_by_side import PAGE, render_runs
from qhw.saved.entry import SavedRun
from qhw.saved.shelf import Shelf
from qhw.saved.side_by_side import SideBySide, lay_side_by_side

if TYPE_CHECKING:
    import pandas as pd

_RUNS = "runs"


@dataclass(frozen=True, repr=False)
class SavedRuns(Shown, Sequence[SavedRun]):
    """The finished runs of a folder, newest first; of a folder that holds no result, why.

    Attributes:
        folder: where they are.
        runs: one a folder in it.
    """

    folder: Path
    runs: tuple[SavedRun, ...]

    @overload
    def __getitem__(self, place: int) -> SavedRun: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[SavedRun, ...]: ...
    def __getitem__(self, place: int | slice) -> SavedRun | tuple[SavedRun, ...]:
        return self.runs[place]

    def __len__(self) -> int:
        return len(self.runs)

    def to_dataframe(self) -> pd.DataFrame:
        """A line a run, as ``qhw runs --json`` has them; skill's interval as ``skill.low``."""
        import pandas as pd

        return pd.json_normalize([run.document() for run in self.runs])

    def to_json(self) -> str:
        """Every run as JSON text, a list of objects."""
        return json.dumps([run.document() for run in self.runs])

    def _parts(self) -> list[RenderableType]:
        return [runs_table(self.runs), *map(Text, unreadable_lines(self.runs))]


@dataclass(frozen=True, repr=False)
class ComparedRuns(Shown):
    """Finished runs beside each other.

    Attributes:
        result: settings, calibrations and figures of every run.
    """

    result: SideBySide

    def to_json(self) -> str:
        """Everything as JSON text."""
        return self.result.to_json()

    def to_dataframe(self) -> pd.DataFrame:
        """A line for each figure and run; ``change`` is against the first run, by row."""
        import pandas as pd

        return pd.json_normalize(list(self._lines()))

    def save(self, folder: str | Path) -> Path:
        """Write ``runs.html``, one file that opens offline.

        Args:
            folder: made if missing.

        Returns:
            The file.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        page = render_runs(self.result, "qhw.compare_runs")
        write_atomically(place / PAGE, page.encode())
        return place / PAGE

    def _lines(self) -> Iterator[dict[str, object]]:
        for line in self.result.figures:
            for run, cell in zip(self.result.runs, line.cells, strict=True):
                if cell is None:
                    continue
                yield {
                    "run": run.run,
                    "section": line.section,
                    "figure": line.label,
                    "source": line.source,
                    "estimate": cell.estimate and cell.estimate.model_dump(),
                    "change": cell.against and cell.against.change.model_dump(),
                    "rows": cell.against and cell.against.rows,
                }

    def _parts(self) -> Iterable[RenderableType]:
        return side_by_side_lines(self.result)


def runs(folder: str | Path = _RUNS, words: str = "") -> SavedRuns:
    """What is in a folder of runs, newest first, as ``qhw runs`` lists it.

    Runs that were submitted and may still be at a vendor are :func:`qhw.submitted`.

    Args:
        folder: of runs; one that is not there has none.
        words: only runs that have all of these in name, task, subject, device or pipeline.

    Raises:
        ShelfError: it is no folder, or may not be read.
    """
    return SavedRuns(Path(folder), Shelf(Path(folder)).runs(words))


def compare_runs(*runs: str | Path, folder: str | Path = _RUNS) -> ComparedRuns:
    """Lay finished runs side by side: what differs, and figures with paired intervals.

    Args:
        runs: two to twelve names, beginnings or ends of names, or folders; the others are set
            against the first, row by row, where the rows are the same.
        folder: of runs, where names are looked up.

    Raises:
        ShelfError: fewer or more, one twice, none of that name, or no result that can be read.
    """
    return ComparedRuns(lay_side_by_side(Shelf(Path(folder)), [str(run) for run in runs]))

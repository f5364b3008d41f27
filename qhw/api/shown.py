"""What every result can do: print itself, show itself in a notebook, give JSON, be stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from html import escape
from pathlib import Path

from rich.console import RenderableType

from qhw.api.printed import shown
from qhw.report.runfolder import run_folder


class Shown(ABC):
    """A result that prints itself as the command line prints it."""

    @abstractmethod
    def to_json(self) -> str:
        """All numbers as JSON text."""

    @abstractmethod
    def _parts(self) -> Iterable[RenderableType]:
        """What is printed, one below the other."""

    def __repr__(self) -> str:
        return "\n".join(map(shown, self._parts()))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


class Stored(Shown):
    """A result with a folder of its own."""

    @abstractmethod
    def _write(self, folder: Path, run_id: str) -> None:
        """Write everything into an existing folder."""

    def save(self, folder: str | Path) -> Path:
        """Write the folder that the command line writes: ``report.html``, ``result.json`` and what
        they were made of.

        Args:
            folder: to be made; a number is added to its name if it is there already.

        Returns:
            The folder.

        Raises:
            OutputError: it cannot be written.
        """
        target = Path(folder)
        with run_folder(target.parent, target.name) as run:
            self._write(run.staging, run.id)
        return run.final

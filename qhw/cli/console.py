"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from qhw.report.plain import PlainFormatter, plain, plain_json, plain_line

_PIPE_WIDTH = 160
"""Columns when nobody looks at a terminal: tables are not folded for a pipe or a file."""


class PlainConsole(Console):
    """Prints text as it is: no markup, and nothing in it steers the terminal.

    The one place through which words from files, vendors and the ledger reach a terminal.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a string is one line."""
        super().print(
            *(Text(plain_line(o)) if isinstance(o, str) else o for o in objects), **options
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """The segments of anything, also of what was made elsewhere."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)


out = PlainConsole(width=None if sys.stdout and sys.stdout.isatty() else _PIPE_WIDTH)
err = PlainConsole(stderr=True)
_LOG = logging.getLogger("qhw.steps")


def show_what_is_lacking() -> None:
    """Let streams that cannot say ``µ`` or ``Å`` show an escape, not fail after all the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn_plainly() -> None:
    """Let warnings and log records that nobody else handles hold nothing that steers a terminal."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(PlainFormatter())
    logging.lastResort = handler
    written = warnings.formatwarning

    def formatwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        return plain(written(message, category, filename, lineno, line))

    warnings.formatwarning = formatwarning


def emit_json(document: object) -> None:
    """Print one JSON document to stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or ""  # a closed output is None
    ascii_only = not encoding.lower().startswith("utf")
    print(plain_json(json.dumps(document, indent=2, ensure_ascii=ascii_only)))


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function to call with each step's words; shown on stderr and logged.

    On a terminal one line with a clock, elsewhere a line a step.
    """
    if not err.is_terminal:

        def tell(step: str) -> None:
            _LOG.info(step)
            err.print(step, soft_wrap=True)

        yield tell
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("starting", total=None)

        def show(step: str) -> None:
            _LOG.info(step)
            progress.update(bar, description=step)

        yield show

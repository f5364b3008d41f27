"""Where words go: results to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_PIPE_WIDTH = 160
"""Columns when nobody looks at a terminal: tables are not folded for a pipe or a file."""

out = Console(highlight=False, width=None if sys.stdout and sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False)
_LOG = logging.getLogger("qhw.steps")


def show_what_is_lacking() -> None:
    """Let streams that cannot say ``µ`` or ``Å`` show an escape, not fail after all the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit_json(document: object) -> None:
    """Print one JSON document to stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or ""  # a closed output is None
    plain = not encoding.lower().startswith("utf")
    print(json.dumps(document, indent=2, ensure_ascii=plain))


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """A function to call with each step's words; shown on stderr and logged.

    On a terminal one line with a clock, elsewhere a line a step.
    """
    if not err.is_terminal:

        def tell(step: str) -> None:
            _LOG.info(step)
            err.print(step, markup=False, soft_wrap=True)

        yield tell
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("starting", total=None)

        def show(step: str) -> None:
            _LOG.info(step)
            progress.update(bar, description=step)

        yield show

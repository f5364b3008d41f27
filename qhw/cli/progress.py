"""A bar for sweeps of known length, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qhw.cli.console import err

_LINES = 10
"""Lines written over a whole sweep where stderr is no terminal."""


@contextmanager
def bar(what: str, *, silent_s: float = 0.0) -> Iterator[Callable[[int, int], None]]:
    """A function to call with how many of how many are done.

    Args:
        what: words beside the bar.
        silent_s: nothing is told of what is done within so many seconds.
    """
    if not err.is_terminal:
        told, begun = -1, time.monotonic()

        def tell(finished: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - begun < silent_s:
                return
            tenth = _LINES * finished // max(total, 1)
            if tenth > told:
                told = tenth
                err.print(f"{what}: {finished} of {total}", soft_wrap=True)

        yield tell
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda finished, total: progress.update(task, completed=finished, total=total)

"""``qhw dashboard``: runs, jobs and money on a page to keep open."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, err, out
from qhw.cli.options import RUNS, Json


def dashboard(
    folder: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="The folder of runs.")
    ] = RUNS,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Serve runs, jobs and money as a page on this machine, read-only, until interrupted.

    Only whoever has the printed address can read it, and only from this machine.
    """
    from qhw.dashboard.serve import served

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with served(folder, port) as door:
        if as_json:
            emit_json({"url": door.address, "port": door.port, "runs": str(folder)})
        else:
            out.print(door.address, soft_wrap=True)
        out.file.flush()
        err.print(f"serving {folder} and the ledger, read-only, until interrupted", soft_wrap=True)
        with _opened(door.address) if browser else _nothing():
            ended.wait()
    err.print("ended")


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Open the browser by a file that leads there: arguments of programs are for all to see."""
    handle, name = tempfile.mkstemp(prefix="qhw-", suffix=".html")
    file = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as page:
            page.write(
                '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
                f'<meta http-equiv="refresh" content="0; url={escape(address)}">'
            )
        webbrowser.open(file.as_uri())
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _nothing() -> Iterator[None]:
    yield

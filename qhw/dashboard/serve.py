"""The dashboard's server, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from qhw.dashboard.application import make_application
from qhw.dashboard.books import Bookkeeper
from qhw.dashboard.guard import HOST, Door
from qhw.saved.shelf import Shelf, ShelfError

_PATIENCE_S = 1
_STEP_S = 0.02


class DashboardError(ValueError):
    """The dashboard cannot be served; one line says why."""


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[Door]:
    """Serve a folder of runs and the ledger, read-only, while the block runs.

    Args:
        folder: of runs; it may not be there yet.
        port: of 127.0.0.1; a free one by default.

    Yields:
        The way in.

    Raises:
        DashboardError: the port is taken.
    """
    listening = _listen(port)
    door = Door(listening.getsockname()[1])
    bookkeeper, shelf = Bookkeeper(), Shelf(folder.absolute())
    config = uvicorn.Config(
        make_application(shelf, door, bookkeeper),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    server = uvicorn.Server(config)
    # not in the main thread, where it would take the signals
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    # a thousand runs take a second to read, once: while the browser opens
    threading.Thread(target=_read_ahead, args=(shelf,), daemon=True).start()
    try:
        while not server.started and thread.is_alive():
            thread.join(_STEP_S)
        yield door
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        bookkeeper.close()


def _read_ahead(shelf: Shelf) -> None:
    with suppress(ShelfError):  # the page will say so
        shelf.runs()


def _listen(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere this lets two programs share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen()
    except OSError as error:
        made.close()
        said = "is taken" if error.errno == errno.EADDRINUSE else error.strerror
        raise DashboardError(f"Argument `port` must be a free one, but {port} {said}") from error
    return made

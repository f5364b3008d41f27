"""Commands as processes with a limit of time and of memory, forked so that nothing loads twice."""

from __future__ import annotations

import dataclasses
import importlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backends.bounded_http import Patience as HttpPatience
from qhw.cli.app import app
from qhw.jobs.config import Patience

_MEGABYTE = 1 << 20
_HARD_MB = 2500
"""Where the system itself stops a process; far above what is counted as too much."""
_WAITS = {"connect_s": 5.0, "silence_s": 2.0, "request_s": 3.0, "question_s": 2.0, "pause_s": 0.05}
_PATIENT = {"silence_s": 60.0, "request_s": 60.0, "question_s": 60.0}
"""Where the clock must not be what ends it: large answers, and what prepares a case."""
_JOBS = {"visibility_s": 0.3, "backoff_s": 0.05}


@dataclass(frozen=True)
class Done:
    """What a command came to.

    Attributes:
        code: exit code, negative for a signal.
        out: standard output.
        err: standard error.
        seconds: it took.
        grew_mb: peak of memory above what it started with.
    """

    code: int
    out: bytes
    err: bytes
    seconds: float
    grew_mb: float


def load(home: Path) -> None:
    """Import whatever the commands import, so that a forked one has it already.

    What that is, a throw-away process finds out by a run on an emulator.
    """
    listed = home / "modules"
    arguments = ["run", "--device", "emulator:ibm_lagos", "--out", str(home), "--budget", "99usd"]

    def work() -> None:
        with suppress(SystemExit):
            _call([*arguments, "--task", "generate", "--molecules", "2", "--shots", "20"])
        listed.write_text("\n".join(sys.modules))

    _forked(work, {"QHW_DATA": str(home / "data")}, 600.0, patient=False)
    for name in listed.read_text().splitlines():
        with suppress(Exception):
            importlib.import_module(name)


def run(
    arguments: list[str], environment: dict[str, str], limit_s: float, *, patient: bool = False
) -> Done:
    """Run ``qhw`` in a process of its own.

    Args:
        arguments: of the command line.
        environment: added to this process's own.
        limit_s: it is killed after so many seconds.
        patient: wait for large or late answers.
    """
    return _forked(lambda: _call(arguments), environment, limit_s, patient=patient)


def _call(arguments: list[str]) -> None:
    sys.argv = ["qhw", *arguments]
    app()


def _forked(work: object, environment: dict[str, str], limit_s: float, *, patient: bool) -> Done:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _child(work, environment, patient=patient)
        code, peak = _wait(child, begin + limit_s)
        seconds = time.monotonic() - begin
        out.seek(0)
        err.seek(0)
        grew = (peak - _resident()) / _MEGABYTE
        return Done(code, out.read(), err.read(), seconds, grew)


def _child(work: object, environment: dict[str, str], *, patient: bool) -> None:
    code = 1
    try:
        os.environ.update(environment)
        # whoever started us may have put something else in their place, as pytest does
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        limit = _virtual() + _HARD_MB * _MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        _hurry(HttpPatience, _WAITS | (_PATIENT if patient else {}))
        _hurry(Patience, _JOBS)
        assert callable(work)
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # whatever leaves a command is what the table is after
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _hurry(kind: type, seconds: dict[str, float]) -> None:
    """Seconds in place of the minutes that are right for real vendors, in this process only."""
    defaults = [f for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING]
    made = tuple(seconds.get(f.name, f.default) for f in defaults)
    kind.__init__.__defaults__ = made  # type: ignore[misc]
    for name, value in seconds.items():
        setattr(kind, name, value)


def _wait(child: int, until: float) -> tuple[int, int]:
    """Exit code and peak resident bytes; killed where the time is up."""
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        time.sleep(0.01)


def _virtual() -> int:
    return _pages(0)


def _resident() -> int:
    return _pages(1)


def _pages(field: int) -> int:
    sizes = Path("/proc/self/statm").read_text().split()
    return int(sizes[field]) * resource.getpagesize()

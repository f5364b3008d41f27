from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qhw.scheduler import DEATHS, LocalScheduler, Lost, SchedulerError, open_scheduler
from tests.workers import die_on_three, die_once, fail, note_pid_and_wait, square


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalScheduler]:
    before = os.environ.get("OMP_NUM_THREADS")
    made = LocalScheduler(2)
    yield made
    made.close()
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_everything_is_done_once(pool: LocalScheduler) -> None:
    wanted = [(x, x * x) for x in range(5)]
    assert list(LocalScheduler(0).map(square, range(5))) == wanted
    assert sorted(pool.map(square, range(5))) == wanted
    assert list(pool.map(square, [])) == []


def test_faults_of_ours_are_raised(pool: LocalScheduler) -> None:
    with pytest.raises(RuntimeError, match="at 7"):
        list(pool.map(fail, [7]))


def test_a_worker_that_dies_once_costs_nothing(pool: LocalScheduler, tmp_path: Path) -> None:
    items = [tmp_path / name for name in ("a", "b")]
    assert dict(pool.map(die_once, items)) == {item: item.name for item in items}


@pytest.mark.slow
def test_an_item_that_kills_its_workers_is_given_up_and_the_rest_done() -> None:
    pool = LocalScheduler(1)
    found = dict(pool.map(die_on_three, range(5)))
    pool.close()
    assert found == {0: 0, 1: 1, 2: 4, 3: Lost(f"its worker process died {DEATHS} times"), 4: 16}


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from qhw.scheduler import LocalScheduler\n"
        "from tests.workers import note_pid_and_wait\n"
        "if __name__ == '__main__':\n"
        f"    list(LocalScheduler(1).map(note_pid_and_wait, [Path({str(tmp_path)!r})]))\n"
    )
    assert note_pid_and_wait.__module__ in code
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        _wait_for(lambda: any(tmp_path.iterdir()), 60)
        worker = int(next(tmp_path.iterdir()).name)
    finally:
        parent.kill()
        parent.wait()
    _wait_for(lambda: not _runs(worker), 20)


def test_what_cannot_be_used_is_one_line() -> None:
    with pytest.raises(SchedulerError, match="0 or more"):
        LocalScheduler(-1)
    with pytest.raises(SchedulerError, match="together"):
        open_scheduler(2, "tcp://127.0.0.1:1")


def _wait_for(condition: object, seconds: float) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    # a zombie waiting for its foster parent has ended
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"

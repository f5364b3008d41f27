"""A study killed at random moments and started again ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from qhw.scheduler import LocalScheduler
from qhw.study.config import read_config
from qhw.study.run import run_study
from tests.study.tables import alike

CELLS = 12


def _command(config: Path, out: Path) -> list[str]:
    main = "from qhw.cli.app import main; main()"
    options = ["--out", str(out), "--workers", "0"]
    return [sys.executable, "-c", main, "noise-study", str(config), *options]


def _files(study: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each finished cell: a cell done again would get new ones."""
    found = {}
    for file in study.glob("cells/*.parquet"):
        status = file.stat()
        found[file.name] = (status.st_ino, status.st_mtime_ns)
    return found


def _start(config: Path, out: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        _command(config, out),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_after(process: subprocess.Popen[bytes], study: Path, cells: int, delay: float) -> None:
    """SIGKILL a little after that many cells are there, at once if it is done before."""
    while process.poll() is None and len(_files(study)) < cells:
        time.sleep(0.002)
    time.sleep(delay)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="once"), pytest.param(10, id="ten", marks=pytest.mark.slow)]
)
def test_killed_at_random_moments(sweep_file: Path, tmp_path: Path, kills: int) -> None:
    out, whole = tmp_path / "killed", tmp_path / "whole"
    study = out / "tiny"
    moments = random.Random(kills)
    kept: dict[str, tuple[int, int]] = {}
    # ever later, so that every kill finds work under way
    for count in sorted(moments.sample(range(CELLS), kills)):
        process = _start(sweep_file, out)
        _kill_after(process, study, count, moments.uniform(0, 0.15))
        now = _files(study)
        assert {name: now[name] for name in kept} == kept, "a finished cell was done again"
        kept = now
    assert 0 < len(kept) <= CELLS
    last = _start(sweep_file, out)
    assert last.wait(timeout=120) == 0
    end = _files(study)
    assert len(end) == CELLS
    assert {name: end[name] for name in kept} == kept
    config = read_config(sweep_file)
    run_study(config, whole, LocalScheduler(0), done=lambda finished, total: None)
    assert pq.read_table(study / "table.parquet").equals(pq.read_table(whole / "table.parquet"))


def test_second_run_repeats_nothing_and_failures_only_if_asked(
    sweep_file: Path, tmp_path: Path
) -> None:
    config, pool = read_config(sweep_file), LocalScheduler(0)
    steps: list[tuple[int, int]] = []
    first = run_study(config, tmp_path / "s", pool, done=lambda *at: steps.append(at))
    assert (first.cells, first.kept) == (CELLS, 0)
    assert steps[-1] == (CELLS + 2, CELLS + 2)  # cells and compilations
    assert first.failed_rows == CELLS
    before, circuits = _files(tmp_path / "s"), list((tmp_path / "s" / "circuits").iterdir())
    assert len(circuits) == 1
    second = run_study(config, tmp_path / "s", pool, done=lambda *at: None)
    assert second.kept == CELLS
    assert _files(tmp_path / "s") == before
    assert second.table.equals(first.table)
    third = run_study(config, tmp_path / "s", pool, done=lambda *at: None, retry_failed=True)
    assert third.kept == CELLS // 2
    assert third.table.equals(first.table)


@pytest.mark.slow
def test_processes_give_the_same_table_as_one(sweep_file: Path, tmp_path: Path) -> None:
    config, pool = read_config(sweep_file), LocalScheduler(2)
    many = run_study(config, tmp_path / "2", pool, done=lambda *at: None).table
    pool.close()
    one = run_study(config, tmp_path / "0", LocalScheduler(0), done=lambda *at: None).table
    assert alike(many, one)

"""The same study on a real Dask cluster: processes over loopback TCP, one of them killed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qhw.scheduler import DaskScheduler, LocalScheduler, Lost, SchedulerError
from qhw.study.config import read_config
from qhw.study.run import run_study
from tests.dask_cluster import Cluster, wait_for
from tests.study.tables import alike
from tests.workers import die_on_three

pytest.importorskip("distributed", reason="extra dask is not installed")
pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1"])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    try:
        made.add_worker()
        made.add_worker()
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_same_table_although_a_worker_is_killed(
    cluster: Cluster, sweep_file: Path, tmp_path: Path
) -> None:
    config = read_config(sweep_file)
    study = tmp_path / "study"

    def kill_one() -> None:
        wait_for(lambda: len(list(study.glob("cells/*.parquet"))) >= 8)
        cluster.workers[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    pool = DaskScheduler(cluster.address, timeout_s=60)
    found = run_study(config, study, pool, done=lambda *at: None)
    killer.join()
    pool.close()
    assert cluster.workers[0].wait() != 0
    assert cluster.workers[1].poll() is None
    local = run_study(config, tmp_path / "local", LocalScheduler(0), done=lambda *at: None)
    assert alike(found.table, local.table)
    assert (found.cells, found.kept) == (12, 0)


@pytest.mark.slow
def test_work_that_kills_every_worker_is_given_up(cluster: Cluster) -> None:
    for _ in range(4):
        cluster.add_worker()
    pool = DaskScheduler(cluster.address, timeout_s=60)
    found = dict(pool.map(die_on_three, [2, 3]))
    pool.close()
    assert found[2] == 4
    assert isinstance(found[3], Lost)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(SchedulerError, match=r"tcp://127\.0\.0\.1:1"):
        DaskScheduler("tcp://127.0.0.1:1", timeout_s=0.5)

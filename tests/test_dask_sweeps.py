"""Sweeps on a real Dask cluster of two workers: the same figures, whoever dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qiskit import QuantumCircuit

from qhw.analysis.bench_result import BenchSettings
from qhw.analysis.depth_sweep import sweep
from qhw.analysis.mitigation_bench import run_bench
from qhw.analysis.subjects import circuit_subject
from qhw.api.planning import depth_report
from qhw.scheduler import DaskScheduler, LocalScheduler
from tests.dask_cluster import Cluster

pytest.importorskip("distributed", reason="extra dask is not installed")
pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.add_worker()
        made.add_worker()
        yield made
    finally:
        made.close()


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[DaskScheduler]:
    made = DaskScheduler(cluster.address)
    yield made
    made.close()


def chain(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, name=f"chain {n}")
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def test_depth_report_although_a_worker_is_killed(cluster: Cluster, pool: DaskScheduler) -> None:
    subjects = [circuit_subject(chain(n), "x") for n in (2, 4)]
    told: list[tuple[int, int]] = []

    def kill_one(finished: int, total: int) -> None:
        told.append((finished, total))
        if finished == 1:
            cluster.workers[0].kill()
            cluster.add_worker()

    asked: dict[str, Any] = {"levels": (0, 1, 2, 3), "seeds": 2}
    found = sweep(subjects, "iqm_garnet,ibm_lima", scheduler=pool, done=kill_one, **asked)
    assert cluster.workers.pop(0).wait() != 0
    assert found.rows == sweep(subjects, "iqm_garnet,ibm_lima", **asked).rows
    assert told == [(done, 16) for done in range(17)]


def test_the_address_is_enough_in_python(cluster: Cluster) -> None:
    asked: dict[str, Any] = {"levels": (3,), "seeds": 1, "cache": False}
    found = depth_report(chain(3), "iqm_garnet", scheduler=cluster.address, **asked)
    here = depth_report(chain(3), "iqm_garnet", processes=1, **asked)
    assert found.report.rows == here.report.rows
    assert found.report.rows[0].best is not None


@pytest.mark.parametrize("device", ["engine:ibm_fez", "aer:iqm_garnet"])
def test_bench(device: str, pool: DaskScheduler, small_model: Path) -> None:
    settings = BenchSettings.parse(
        model=str(small_model),
        devices=(device,),
        shots=(2000, 4000),
        rows=3,
        repeats=2,
        pipelines=("readout+zne(1,3)", "zne(1,3)"),
    )
    simulated: list[int] = []

    class Noted(LocalScheduler):
        def map(self, function, items):  # type: ignore[no-untyped-def]
            simulated.append(len(items))
            return super().map(function, items)

    here = run_bench(settings, scheduler=Noted(0))
    assert run_bench(settings, scheduler=pool).devices == here.devices
    # the circuit at both scales and the calibration's: once each, whatever asks for them
    assert simulated == [3, 0]

"""Sweeps on a real Dask cluster of two workers: the same figures, whoever dies."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from typer.testing import CliRunner

import qhw
from backends import aer
from calibration.catalog import load_snapshot
from qhw.analysis.advise.advise import advise
from qhw.analysis.bench.pipelines import run_bench
from qhw.analysis.bench.result import BenchSettings
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.simulations import RunOn
from qhw.analysis.depth.report import Row
from qhw.analysis.depth.subjects import circuit_subject
from qhw.analysis.depth.sweep import sweep
from qhw.analysis.scores import molecules as molecule_scores
from qhw.api.planning import depth_report
from qhw.chem.novelty import Known
from qhw.chem.qm9 import sample_molecules
from qhw.cli.app import app
from qhw.mitigation.calibrate import calibrate_readout
from qhw.scheduler import DaskScheduler, SchedulerError
from tests.dask_cluster import Cluster, wait_for
from tests.workers import note_pid_and_wait, square

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
    made = DaskScheduler(cluster.address, timeout_s=60)
    yield made
    made.close()


class Counted:
    """A scheduler that counts what it is asked to do."""

    remote = True

    def __init__(self, pool: DaskScheduler) -> None:
        self._pool, self.items = pool, 0

    def map(
        self, function: Callable[[Any], Any], items: Sequence[Any]
    ) -> Iterator[tuple[Any, Any]]:
        self.items += len(items)
        return self._pool.map(function, items)

    def close(self) -> None:
        self._pool.close()


def chain(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, name=f"chain {n}")
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


@pytest.mark.slow
def test_depth_report_although_a_worker_is_killed(cluster: Cluster, pool: DaskScheduler) -> None:
    subjects = [circuit_subject(chain(n), "x") for n in (2, 4)]
    told: list[tuple[int, int]] = []

    def kill_one(finished: int, total: int) -> None:
        told.append((finished, total))
        if finished == 1:
            cluster.workers[0].kill()
            cluster.add_worker()

    asked: dict[str, Any] = {"levels": (0, 3), "seeds": 1}
    found = sweep(subjects, "iqm_garnet,ibm_lima", scheduler=pool, done=kill_one, **asked)
    assert cluster.workers.pop(0).wait() != 0
    assert timeless(found.rows) == timeless(sweep(subjects, "iqm_garnet,ibm_lima", **asked).rows)
    assert told == [(done, 8) for done in range(9)]


def timeless(rows: Sequence[Row]) -> list[Row]:
    """Without how long compiling took."""
    found = []
    for row in rows:
        figures = {name: of for name, of in row.figures.items() if name != "compile_s"}
        found.append(row.model_copy(update={"figures": figures}))
    return found


@pytest.mark.slow
def test_the_address_is_enough_in_python(cluster: Cluster) -> None:
    asked: dict[str, Any] = {"levels": (3,), "seeds": 1, "cache": False}
    found = depth_report(chain(3), "iqm_garnet", scheduler=cluster.address, **asked)
    here = depth_report(chain(3), "iqm_garnet", processes=1, **asked)
    assert timeless(found.report.rows) == timeless(here.report.rows)
    assert found.report.rows[0].best is not None


@pytest.mark.slow
def test_bench(pool: DaskScheduler, small_model: Path) -> None:
    settings = BenchSettings.parse(
        model=str(small_model),
        devices=("engine:ibm_fez",),
        shots=(2000, 4000),
        rows=3,
        repeats=2,
        pipelines=("readout+zne(1,3)", "zne(1,3)"),
    )
    works = Counted(pool)
    assert run_bench(settings, scheduler=works).devices == run_bench(settings).devices
    assert works.items >= 3  # the circuit at both scales, and the calibration's


@pytest.mark.slow
def test_advise_although_a_worker_is_killed(
    cluster: Cluster, pool: DaskScheduler, small_model: Path
) -> None:
    settings = BenchSettings.parse(
        model=str(small_model),
        devices=("engine:ibm_fez",),
        shots=(2000,),
        rows=3,
        repeats=2,
        pipelines=("readout+zne(1,3)", "zne(1,3)", "none"),
    )
    told: list[tuple[int, int]] = []

    def kill_one(finished: int, total: int) -> None:
        told.append((finished, total))
        if finished == 1:
            cluster.workers[0].kill()
            cluster.add_worker()

    works = Counted(pool)
    asked: dict[str, Any] = {"training": 2, "target": 0.1}
    found = advise(settings, scheduler=works, done=kill_one, **asked)
    assert cluster.workers.pop(0).wait() != 0
    assert found == advise(settings, **asked)
    finished, total = told[-1]  # of both circuits at both scales, the calibration, three pipelines
    assert works.items >= 2 * 2 + 1 and finished == total >= 2 * 2 + 1 + 3


def test_calibrate(cluster: Cluster, pool: DaskScheduler) -> None:
    asked: dict[str, Any] = {"qubits": [3, 4, 5], "shots": 500, "seed": 2}
    for device in ("aer:ibm_fez", "exact"):
        found = qhw.calibrate(None, device, scheduler=cluster.address, **asked)
        here = qhw.calibrate(None, device, **asked)
        assert found.qubits == here.qubits and found.pairs == here.pairs
    backend = aer.AerBackend(load_snapshot("ibm_fez"))
    works = Counted(pool)
    shots: dict[str, Any] = {"shots": 500, "seed": 2, "run": RunOn(works)}
    assert calibrate_readout(backend, [3, 4, 5], **shots).pairs and works.items > 0


def test_judge(cluster: Cluster, pool: DaskScheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molecule_scores, "_JUDGED_TOGETHER", 20)
    sample = sample_molecules()
    molecules = sample.molecules[:50]
    known = Known.of(sample.smiles[:30].tolist(), "some of the sample")
    works = Counted(pool)
    found = molecule_scores.reports(molecules, reference=known, scheduler=works)
    here = molecule_scores.reports(molecules, reference=known)
    assert found == here
    assert here["strict"].novelty is not None
    assert here["strict"].novelty.novel_skeletons > 0
    assert works.items == 6
    assert qhw.judge(molecules, scheduler=cluster.address) == qhw.judge(molecules)
    spoilt = molecules.moved_to(np.where(np.arange(50)[:, None, None] == 33, np.nan, 0.0))
    with pytest.raises(ValueError, match="molecule 33 has not"):
        molecule_scores.reports(spoilt, scheduler=pool)


@pytest.mark.slow
def test_compare(pool: DaskScheduler, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # of the six qubits with the one that routes: a row of angles is a piece
    monkeypatch.setattr(aer, "_MATRIX_WORK", 4**6)
    settings = Settings.parse(
        model=str(small_model),
        task="generate",
        device="aer:iqm_garnet",
        molecules=5,
        shots=1000,
        mitigation="readout+zne(1,3)",
    )
    works = Counted(pool)
    found = compare(settings, scheduler=works).result
    here = compare(settings).result
    assert found.model_dump(exclude={"provenance"}) == here.model_dump(exclude={"provenance"})
    # the circuit with all shots and at both scales; what was decoded, by both protocols
    decoded = [row for row in here.validity if row.source != "qm9"]
    assert works.items == 3 * 5 + len(decoded)


def test_own_wide_circuit(cluster: Cluster) -> None:
    asked: dict[str, Any] = {"device": "aer:ibm_fez", "shots": 50, "mitigation": "none"}
    found = qhw.measure(chain(11), scheduler=cluster.address, **asked)
    assert np.array_equal(found.counts, qhw.measure(chain(11), **asked).counts)


def test_workers_have_nothing_to_do_for_a_device_that_takes_jobs() -> None:
    with pytest.raises(ValueError, match=r"`workers` and `scheduler` must be left out .* emulator"):
        qhw.measure(chain(2), device="emulator:ibm_boston", shots=10, workers=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("judge",),
        ("depth-report", "a.qasm", "--devices", "iqm_garnet", "--levels", "3", "--no-cache"),
        ("drift", "iqm_garnet@2025-07-06", "iqm_garnet@2026-05-05", "--circuit", "a.qasm"),
        ("compare", "a.qasm", "--device", "engine:ibm_fez", "--shots", "100"),
        ("mitigate", "bench", "a.qasm", "b.qasm", "--shots", "400", "--pipelines", "none"),
        ("mitigate", "advise", "a.qasm", "b.qasm", "--shots", "400", "--pipelines", "none"),
        ("calibrate", "a.qasm", "--shots", "100", "--out", "readout.json"),
    ],
)
def test_on_the_command_line(
    words: tuple[str, ...], cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, angle in (("a", 0.3), ("b", 0.4)):
        gates = f"qreg q[2]; creg c[2]; rx({angle}) q[0]; cx q[0],q[1]; measure q -> c;"
        Path(f"{name}.qasm").write_text(f'OPENQASM 2.0; include "qelib1.inc"; {gates}')
    gone = {"run", "provenance", "command", "created", "wall_s", "taken"}
    told = []
    for more in ((), ("--scheduler", cluster.address)):
        done = CliRunner().invoke(app, [*words, "--json", *more])
        assert done.exit_code == 0, done.output
        told.append({k: v for k, v in json.loads(done.stdout).items() if k not in gone})
    assert told[0] == told[1]


def test_workers_with_other_versions_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other" / "rdkit-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: rdkit\nVersion: 1.0\n")
    cluster = Cluster(tmp_path)
    try:
        cluster.add_worker(PYTHONPATH=str(other.parent))
        with (
            closing(DaskScheduler(cluster.address, timeout_s=60)) as pool,
            pytest.raises(SchedulerError, match=r"has rdkit 1\.0, not"),
        ):
            list(pool.map(square, [2]))
    finally:
        cluster.close()


def test_a_cluster_that_ends_is_one_line(tmp_path: Path) -> None:
    at_work, folder = tmp_path / "at_work", tmp_path / "cluster"
    at_work.mkdir()
    folder.mkdir()
    cluster = Cluster(folder)

    def end_it() -> None:
        wait_for(lambda: any(at_work.iterdir()))
        cluster.scheduler.kill()

    ending = threading.Thread(target=end_it)
    try:
        cluster.add_worker()
        ending.start()
        with (
            closing(DaskScheduler(cluster.address, timeout_s=60)) as pool,
            pytest.raises(SchedulerError, match=r"a cluster that lasts, but [^\n]*lost"),
        ):
            list(pool.map(note_pid_and_wait, [at_work]))
    finally:
        ending.join()
        cluster.close()


@pytest.mark.slow
def test_a_cluster_without_the_package_is_one_line(
    pool: DaskScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def same(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("only_here").same
    with pytest.raises(SchedulerError, match="must lead to a cluster that has this package"):
        list(pool.map(function, [1]))

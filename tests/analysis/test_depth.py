"""Depth report: figures of a compilation, cache, parallel runs, failures, ranking."""

import json
from contextlib import closing

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

from backends.aer import AerBackend
from backends.native.compile import compile_native
from backends.native.prediction import predict
from calibration.catalog import load_snapshot
from calibration.noise import Relaxation
from calibration.snapshot import JobLimits, Price
from qhw.analysis.depth import jobs as depth_jobs
from qhw.analysis.depth.jobs import Compiled, Job, circuit_bytes, run_jobs
from qhw.analysis.depth.ranking import rank_devices
from qhw.analysis.depth.report import DepthReport, Device, make_row
from qhw.analysis.depth.subjects import Subject, circuit_subject, file_subjects, model_subjects
from qhw.analysis.depth.sweep import SweepError, sweep
from qhw.scheduler import LocalScheduler, Lost
from tests.backends.native_devices import device
from tests.small_model import save_small_model


def bell(n=2):
    circuit = QuantumCircuit(n, name="bell")
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def test_prediction_is_the_product_over_gates_readout_and_waiting():
    snapshot = device("ibm_cz", ((0, 1),), 2, errors=(0.02,))
    circuit = QuantumCircuit(2, 2)
    circuit.sx(0)
    circuit.sx(1)
    circuit.cz(0, 1)
    circuit.rz(0.3, 0)
    circuit.sx(0)
    circuit.measure([0, 1], [0, 1])
    found = predict(circuit, snapshot, (0, 1))
    wait = 4e-8  # qubit 1 waits while qubit 0 gets its last pulse
    idle = 1 - 2 / 3 * (1 - Relaxation.during(wait, 1e-4, 8e-5).process_fidelity)
    assert found.layout.success == pytest.approx(0.98 * 0.999**3 * 0.985**2 * idle, rel=1e-12)
    assert found.duration_s == pytest.approx(4e-8 + 2e-7 + 4e-8)
    assert found.two_qubit_errors == 0.02


def test_predicted_distance_agrees_with_exact_noisy_simulation():
    # independent: Aer's density matrix with relaxation, depolarising and readout
    snapshot = load_snapshot("ibm_fez")
    rng = np.random.default_rng(5)
    circuit = QuantumCircuit(5)
    for _ in range(6):
        for q in range(5):
            circuit.u(*rng.uniform(-3, 3, 3), q)
        for q in range(4):
            circuit.cz(q, q + 1)
    circuit.measure_all()
    subject = circuit_subject(circuit, "test")
    native = compile_native(circuit, snapshot)
    predicted = (1 - native.prediction.layout.success) * subject.spread
    backend = AerBackend(snapshot)
    noisy = backend.probabilities(backend.compile(circuit), np.empty((1, 0)))[0]
    exact = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    simulated = np.abs(noisy - exact).sum() / 2
    assert predicted == pytest.approx(simulated, rel=0.15)


def test_equal_circuits_have_equal_bytes_whatever_their_names():
    first, second = bell(), bell()
    second.name = "other"
    assert circuit_bytes(first) == circuit_bytes(second)
    assert circuit_bytes(first) != circuit_bytes(bell(3))


def jobs():
    snapshot = device("iqm", ((0, 1), (1, 2), (2, 3)), 4)
    return [Job(circuit_bytes(bell(n)), snapshot, 1, (0, 1)) for n in (2, 3, 5)]


def test_cache_answers_without_compiling_and_adds_seeds(tmp_path, monkeypatch):
    first = run_jobs(jobs(), cache=tmp_path)
    assert [c.reason is None for tries in first for c in tries] == [True] * 4 + [False] * 2
    assert len(list(tmp_path.rglob("*.json"))) == 3
    asked = []
    kept = depth_jobs.compile_job
    monkeypatch.setattr(depth_jobs, "compile_job", lambda job: asked.append(job) or kept(job))
    assert run_jobs(jobs(), cache=tmp_path) == first
    assert asked == []
    more = [Job(j.circuit, j.snapshot, j.level, (0, 1, 2)) for j in jobs()]
    assert [tries[:2] for tries in run_jobs(more, cache=tmp_path)] == first
    assert len(asked) == 3


def test_damaged_cache_entries_are_compiled_again(tmp_path):
    first = run_jobs(jobs(), cache=tmp_path)
    for path, text in zip(tmp_path.rglob("*.json"), ("", "[1]", '[{"seed": "x"}]'), strict=True):
        path.write_text(text)
    assert run_jobs(jobs(), cache=tmp_path) == first


def test_another_calibration_or_level_has_another_cache_entry(tmp_path):
    job = jobs()[0]
    changed = device("iqm", ((0, 1), (1, 2), (2, 3)), 4, errors=(0.02,))
    run_jobs([job], cache=tmp_path)
    run_jobs([Job(job.circuit, changed, 1, (0, 1))], cache=tmp_path)
    run_jobs([Job(job.circuit, job.snapshot, 2, (0, 1))], cache=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 3


@pytest.mark.slow
def test_worker_processes_give_the_same_results():
    seen = []
    with closing(LocalScheduler(2)) as pool:
        parallel = run_jobs(jobs(), cache=None, scheduler=pool, done=lambda *x: seen.append(x))
    assert parallel == run_jobs(jobs(), cache=None)
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


class Deadly:
    """A scheduler whose workers die at five qubits."""

    remote = True

    def map(self, function, items):
        for item in items:
            circuit = depth_jobs.circuit_from(item[1].circuit)
            yield item, Lost("died") if circuit.num_qubits == 5 else function(item)

    def close(self):
        pass


def test_what_kills_its_workers_is_a_reason_and_tried_again_another_time(tmp_path):
    found = run_jobs(jobs(), cache=tmp_path, scheduler=Deadly())
    died = "the process that compiled it died, perhaps for want of memory"
    assert [[c.reason for c in tries] for tries in found] == [[None] * 2, [None] * 2, [died] * 2]
    assert len(list(tmp_path.rglob("*.json"))) == 2


def test_row_summarises_seeds_and_judges_the_best():
    price = Price(as_of="2026-05-05", usd_per_shot=0.01, usd_per_task=0.3)
    limits = JobLimits(min_shots=10, max_shots=1000)
    snapshot = device("iqm", ((0, 1),), 2).model_copy(update={"price": price, "job_limits": limits})
    tries = [
        Compiled(seed=0, two_qubit_gates=7, success=0.5, two_qubit_errors=0.9, qubits=(0, 1)),
        Compiled(seed=1, two_qubit_gates=5, success=0.8, two_qubit_errors=0.4, qubits=(0, 1)),
        Compiled(seed=2, reason="no"),
    ]
    subject = Subject("x", "test", bell(), spread=0.5, baseline=0.2)
    row = make_row(subject, Device("d", snapshot), 2, tries, shots=2500)
    assert row.seeds == 2
    figure = row.figures["two_qubit_gates"]
    assert (figure.median, figure.low, figure.high) == (6, 5, 7)
    assert row.best == tries[1]
    assert row.tvd == pytest.approx(0.1)
    assert row.beats_baseline
    assert row.cost.usd == pytest.approx(25 + 3 * 0.3)
    worse = Subject("x", "test", bell(), spread=0.5, baseline=0.09)
    row = make_row(worse, Device("d", snapshot), 2, tries, shots=1)
    assert (row.beats_baseline, row.verdict) == (None, "cannot tell")
    assert row.rule.startswith("predicted distance 0.100, 0.020 to 0.200 ")
    unknown = Subject("x", "test", bell())
    assert make_row(unknown, Device("d", snapshot), 2, tries, shots=1).verdict == "cannot tell"


def test_sweep_goes_on_over_failures_and_names_each(tmp_path):
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"schema_version": 1, "name": "x"')
    qasm = tmp_path / "broken.qasm"
    qasm.write_text("OPENQASM 2.0;\nqreg q[2]; foo q[0];")
    free = QuantumCircuit(1, name="free")
    free.rx(Parameter("t"), 0)
    subjects = [
        circuit_subject(bell(6), "bell.qasm"),
        circuit_subject(free, "free.qasm"),
        *file_subjects([qasm]),
    ]
    names = f"iqm_garnet,ibm_lima,nowhere,{damaged}"
    report = sweep(subjects, names, levels=(0,), seeds=1)
    reasons = {(r.circuit, r.device): r.reason for r in report.rows}
    assert reasons["bell", "iqm_garnet"] is None
    assert "5 usable qubits and 4 usable couplings, but has 6" in reasons["bell", "ibm_lima"]
    assert "called 'nowhere'" in reasons["bell", "nowhere"]
    assert "damaged.json" in reasons["bell", str(damaged)]
    assert reasons["free", "iqm_garnet"] is None  # counts need no values
    assert "broken.qasm" in reasons["broken", "–"]
    assert DepthReport.model_validate_json(report.to_json()) == report


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": (4,)}, "Argument `levels` must be among"),
        ({"seeds": 0}, "must be 1 or more"),
        ({"shots": 0}, "must be 1 or more"),
    ],
)
def test_bad_sweeps_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sweep([circuit_subject(bell(), "x")], "iqm_garnet", **changes)


def test_sweep_with_only_failures_is_an_error():
    with pytest.raises(SweepError, match="5 usable qubits and 4 usable couplings, but has 6"):
        sweep([circuit_subject(bell(6), "x")], "ibm_lima", levels=(0,), seeds=1)


@pytest.mark.slow
def test_all_devices_are_those_that_the_circuit_fits_on():
    report = sweep([circuit_subject(bell(60), "x")], "all", levels=(0,), seeds=1)
    devices = {row.device for row in report.rows}
    assert {"ibm_boston", "rigetti_cepheus_1_108q@2026-05-05"} <= devices
    assert not any(name.startswith(("iqm", "ionq", "ibm_kyoto")) for name in devices)
    assert report.left_out.startswith(f"{len(devices)} of ")


def test_model_subjects_are_bound_and_measured_with_their_baselines(tmp_path):
    subjects = model_subjects(str(save_small_model(tmp_path)))
    assert [s.name for s in subjects] == [
        "small decoder, exact preparation",
        "small decoder, brickwork preparation",
        "small encoder, exact preparation",
        "small encoder, brickwork preparation",
    ]
    for subject in subjects:
        assert not subject.circuit.parameters
        assert 0 < subject.baseline <= subject.spread < 1
    # 16 CZ load 5 wires, then 2 layers of 3
    assert subjects[1].circuit.num_nonlocal_gates() == 16 + 6


def test_ranking_is_by_predicted_success_with_failures_last():
    good = device("ibm_cz", ((0, 1), (1, 2)), 3, errors=(0.001,))
    poor = device("iqm", ((0, 1), (1, 2)), 3, errors=(0.05,))
    small = device("ionq", ((0, 1),), 2)
    ranked = rank_devices(bell(3), [small, poor, good], seeds=(0,))
    assert [r.snapshot.name for r in ranked] == ["test_ibm_cz", "test_iqm", "test_ionq"]
    assert ranked[0].best.success > ranked[1].best.success
    assert "but has 3" in ranked[2].reason


def test_unmeasured_circuits_are_measured_and_say_so():
    circuit = QuantumCircuit(2, name="bare")
    circuit.h(0)
    subject = circuit_subject(circuit, "bare.qasm")
    assert subject.circuit.count_ops()["measure"] == 2
    assert subject.note.startswith("nothing was measured")
    # uniform against (1/2, 0, 1/2, 0) in some order
    assert subject.spread == pytest.approx(0.5)


def test_report_json_has_no_surprises():
    report = sweep([circuit_subject(bell(), "x")], "iqm_garnet", levels=(1,), seeds=2)
    document = json.loads(report.to_json())
    assert document["schema_version"] == 2
    assert set(document["rows"][0]["figures"]) >= {"two_qubit_gates", "swaps", "success"}

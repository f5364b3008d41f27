"""Pages of depth and drift reports: offline, complete, nothing injected."""

import csv
import html
import io
import json
import re

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from rich.console import Console

from calibration.catalog import load_snapshot
from calibration.drift import drift
from qhw.analysis.depth.jobs import Compiled
from qhw.analysis.depth.report import Row
from qhw.analysis.depth.subjects import Subject, circuit_subject
from qhw.analysis.depth.sweep import sweep
from qhw.analysis.drift.effect import drift_effect
from qhw.report.depth import best_natives, render_depth, to_csv
from qhw.report.depth_files import write_depth_files
from qhw.report.depth_terminal import depth_summary
from qhw.report.drift import Pair, quantities, render_drift
from qhw.report.pareto import pareto_figure, pareto_front


def ghz(name):
    circuit = QuantumCircuit(4, name=name)
    circuit.h(0)
    for q in range(3):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit_subject(circuit, f"{name}.qasm")


@pytest.fixture(scope="module")
def swept():
    subjects = [
        ghz("<script>alert(1)</script>"),
        Subject("broken", "broken.qasm", None, "broken.qasm: bad & ugly"),
    ]
    report = sweep(
        subjects, "iqm_garnet,ibm_boston,ionq_forte_enterprise,nope", levels=(1, 3), seeds=2
    )
    return report, subjects


def assert_offline(page):
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)""", page)
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_a_device_that_is_no_machine_is_marked():
    subjects = [ghz("four")]
    report = sweep(subjects, "ibm_lima,ibm_fractional", levels=(0,), seeds=1)
    page = render_depth(report, subjects, best_natives(report, subjects), "run-1")
    assert re.findall(r'>(\w+) <span class="range">made up<', page) == ["ibm_fractional"]
    console = Console(file=io.StringIO(), width=160)
    console.print(*depth_summary(report))
    assert console.file.getvalue().count("(made up)") == 1
    assert "ibm_fractional (made up)" in console.file.getvalue()


def test_page_is_offline_complete_and_escapes_names(swept):
    report, subjects = swept
    page = render_depth(report, subjects, best_natives(report, subjects), "run-1")
    assert_offline(page)
    assert "<script>alert" not in page
    assert page.count("data-best>") == 3
    for words in ("no device or .json file is called", "bad &amp; ugly", "800.00", "2026-05-03"):
        assert words in page
    best = report.best_row(subjects[0].name)
    assert f"Best: {best.device} at level {best.level}" in page
    assert "q_0" in page  # the circuit is drawn


def test_csv_has_a_line_a_row_with_the_same_figures(swept):
    report, _ = swept
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert len(rows) == len(report.rows) == 3 * 2 + 1 + 1
    for line, row in zip(rows, report.rows, strict=True):
        assert line["device"] == row.device
        assert line["reason"] == (row.reason or "")
        if row.best:
            assert float(line["success_high"]) == row.best.success
            assert int(line["best_seed"]) == row.best.seed


def test_files_of_a_run_are_all_written(swept, tmp_path):
    write_depth_files(tmp_path, "run-1", *swept)
    assert {p.name for p in tmp_path.iterdir()} == {
        "report.html",
        "result.json",
        "rows.csv",
        "circuits",
    }
    assert {p.suffix for p in (tmp_path / "circuits").iterdir()} == {".qpy", ".qasm"}


def test_pareto_front_holds_what_nothing_beats():
    points = [(10, 0.5), (12, 0.7), (11, 0.4), (20, 0.7), (9, 0.1), (12, 0.6)]
    rows = [
        Row(circuit="c", device=str(i), best=Compiled(seed=0, two_qubit_gates=g, success=s))
        for i, (g, s) in enumerate(points)
    ]
    rows.append(Row(circuit="c", device="failed", reason="no"))
    front = [(r.best.two_qubit_gates, r.best.success) for r in pareto_front(rows)]
    assert front == [(9, 0.1), (10, 0.5), (12, 0.7)]


def test_drift_page_and_medians():
    before, after = load_snapshot("iqm_garnet@2025-07-06"), load_snapshot("iqm_garnet")
    subject = ghz("ghz")
    pair = Pair(before, after, drift(before, after), (drift_effect(subject, before, after),))
    page = render_drift([pair], "qhw drift")
    assert_offline(page)
    assert "2025-07-06 to 2026-05-05 (302 days)" in page
    found = {q.name: q for q in quantities(pair.drift)}
    assert found["two-qubit error"].both == 30
    assert found["two-qubit error"].after == pytest.approx(after.median_two_qubit_error())
    t1 = [(c.t1_s.before, c.t1_s.after) for c in pair.drift.qubits if c.t1_s.ratio is not None]
    assert found["T1"].worse == sum(b > a for b, a in t1)


def test_gates_are_whole_numbers_where_all_rows_have_as_many(swept):
    report, _ = swept
    row = next(r for r in report.rows if r.best is not None)
    ticks = re.findall(r'id="\w+-xtick_(\d+)"', pareto_figure([row, row], None))
    assert len(ticks) == 1  # at the number itself, none between


def superposition(n, name):
    circuit = QuantumCircuit(n, name=name)
    circuit.h(range(n))
    circuit.measure_all()
    return circuit_subject(circuit, f"{name}.qasm")


def test_verdict_and_reason_are_in_terminal_page_csv_and_json():
    """Where all outcomes are as likely a constant is exact; those of some are not known."""
    free = QuantumCircuit(2, name="free")
    free.rx(Parameter("t"), 0)
    free.cx(0, 1)
    unknown = circuit_subject(free, "free.qasm")
    subjects = [ghz("ghz"), superposition(15, "uniform"), unknown]
    report = sweep(subjects, "iqm_garnet", levels=(1,), seeds=1)
    verdicts = {"ghz": True, "uniform": False, "free": None}
    assert {r.circuit: r.beats_baseline for r in report.rows} == verdicts
    document = json.loads(report.to_json())
    assert [r["beats_baseline"] for r in document["rows"]] == [True, False, None]
    lines = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [line["beats_baseline"] for line in lines] == ["yes", "no", "cannot tell"]
    page = render_depth(report, subjects, best_natives(report, subjects), "run-1")
    tags = re.findall(r'<span class="tag [\w-]+">([\w ]+)<', page)
    assert tags == 2 * ["yes", "no", "cannot tell"]  # recommended, and in each circuit's table
    assert re.findall(r'<p class="verdict (\w+)"', page) == ["better", "worse", "same"]
    console = Console(file=io.StringIO(), width=300)
    console.print(*depth_summary(report))
    for row in report.rows:
        words = f"beats a constant that needs no QPU on iqm_garnet: {row.verdict}; {row.rule}"
        assert words in console.file.getvalue()
        assert row.rule in html.unescape(page)
    assert report.rows[1].rule.endswith("is the exact outcome: nothing is closer")
    assert "not known" in report.rows[2].rule

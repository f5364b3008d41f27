"""What a depth report recommends, and what it says has changed since an earlier one."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit

from calibration.catalog import load_snapshot
from qhw.analysis.depth.changes import changes, read_report
from qhw.analysis.depth.cost import Cost, cost
from qhw.analysis.depth.jobs import Compiled, Limit
from qhw.analysis.depth.merits import MERITS, checked_merit
from qhw.analysis.depth.recommend import recommend
from qhw.analysis.depth.report import CircuitFacts, Row
from qhw.analysis.depth.subjects import Subject, circuit_subject
from qhw.analysis.depth.sweep import sweep
from qhw.analysis.depth.verdict import shots_for
from qhw.analysis.scores.baselines import shot_floor_total_variation

GOLDEN = Path(__file__).parent / "golden" / "depth-report-v1.json"
FACTS = CircuitFacts(
    name="c", source="my c.qasm", sent_as=("my c.qasm",), reason=None, qubits=2,
    two_qubit_gates=1, spread=0.5, baseline=0.4, note="",
)  # fmt: skip


def row(device: str, level: int, gates: int, success: float, usd: float | None, **more: object):
    best = Compiled(seed=7, two_qubit_gates=gates, two_qubit_depth=gates, success=success)
    price = None if usd is None else Cost(usd=usd, as_of=datetime(2026, 5, 1, tzinfo=UTC).date())
    tvd = (1 - success) * 0.5
    given = {"beats_baseline": True, "vendor": "ibm", "tvd": tvd, "skill": 1 - tvd / 0.4} | more
    return Row(circuit="c", device=device, level=level, best=best, cost=price, **given)


ROWS = (
    row("ibm_a", 1, 9, 0.80, 7.0),
    row("ibm_a", 3, 5, 0.90, 7.5),
    row("iqm_garnet@2026-05-05", 3, 4, 0.85, 3.0, vendor="iqm"),
    row("ionq_forte_1", 3, 4, 0.70, 1.0, vendor="ionq", beats_baseline=False),
    row("ibm_none", 3, 1, 0.99, 0.1, source="x; made up: of nothing"),
    Row(circuit="other", device="ibm_z", level=3, best=Compiled(seed=0, success=1.0)),
)


@pytest.mark.parametrize(
    ("by", "best", "value", "second"),
    [
        ("success", "ibm_a", 0.90, "iqm_garnet@2026-05-05"),
        ("skill", "ibm_a", 1 - 0.05 / 0.4, "iqm_garnet@2026-05-05"),
        ("dollars", "iqm_garnet@2026-05-05", 3.0, "ibm_a"),
        ("gates", "iqm_garnet@2026-05-05", 4, "ionq_forte_1"),
        ("depth", "iqm_garnet@2026-05-05", 4, "ionq_forte_1"),
    ],
)
def test_the_best_by_each_merit_and_the_next_device(by, best, value, second):
    found = recommend(FACTS, ROWS, by, 500)
    assert found.best.device == best
    assert found.best.value == pytest.approx(value)
    assert found.runner_up.device == second
    assert MERITS[by] in found.why


def test_the_line_that_sends_it_names_file_device_shots_and_seed():
    said = recommend(FACTS, ROWS, "success", 500).submit
    assert said == "qhw submit 'my c.qasm' --device ibm:ibm_a --shots 500 --seed 7"
    said = recommend(FACTS, ROWS, "dollars", 500).submit
    assert said == "qhw submit 'my c.qasm' --device braket:iqm_garnet --shots 500 --seed 7"
    live = FACTS.model_copy(update={"sent_as": ()})
    assert recommend(live, ROWS, "success", 500).submit == ""
    elsewhere = (row("helios_1", 3, 4, 0.99, 1.0, vendor="quantinuum"),)
    assert recommend(FACTS, elsewhere, "success", 500).submit == ""  # nobody here sells it
    lower = recommend(FACTS, ROWS[:1], "success", 500)
    assert lower.submit == ""  # `qhw submit` would send what level 3 gives


def test_why_nothing_is_recommended_tells_losers_from_what_has_no_figure() -> None:
    losing = row("ibm_a", 3, 5, 0.90, 7.5, beats_baseline=False)
    assert "predicted to lose to a constant" in recommend(FACTS, (losing,), "dollars", 500).why
    free = row("ibm_a", 3, 5, 0.90, None)
    assert "no device of the report has a figure" in recommend(FACTS, (free,), "dollars", 500).why


def test_dollars_for_a_distance_are_of_its_own_shots():
    price = Cost(usd=0.5, as_of=datetime(2026, 5, 1, tzinfo=UTC).date())
    dear = row("ibm_a", 3, 5, 0.9, 1.0)
    cheap = row(
        "ionq_forte_1", 3, 5, 0.8, 9.0, vendor="ionq", shots_for_error=40, cost_for_error=price
    )
    found = recommend(FACTS, (dear, cheap), "dollars-for-error", 500)
    assert (found.best.device, found.best.usd, found.best.shots) == ("ionq_forte_1", 0.5, 40)
    assert "--shots 40" in found.submit


def test_nothing_is_recommended_without_a_figure():
    found = recommend(FACTS, ROWS, "duration", 500)
    assert found.best is None
    assert "no device" in found.why
    with pytest.raises(ValueError, match="Argument `by` must be among success, skill"):
        checked_merit("sucess")


def test_a_report_of_the_first_version_is_read_and_compared():
    before = read_report(GOLDEN)
    assert before.schema_version == 1
    assert before.recommendations == ()
    first = before.rows[0]
    moved = first.model_copy(
        update={
            "device": f"{first.device}@2030-01-01",
            "best": first.best.model_copy(update={"two_qubit_gates": 3, "success": 0.5}),
        }
    )
    now = before.model_copy(update={"rows": (moved, *before.rows[2:])})
    found = changes(before, now)
    assert (len(found.rows), found.same, found.added, found.gone) == (1, 2, 0, 1)
    assert found.rows[0].gates == (1, 3)
    assert found.rows[0].success == (first.best.success, 0.5)
    assert found.advice == {"bell": ("ibm_fez", "ionq_forte_enterprise")}
    assert changes(before, before).rows == ()


@pytest.mark.parametrize("text", ["{}", "no", json.dumps({"schema_version": 1})])
def test_what_is_no_report_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"result\.json must be a depth report, but") as told:
        read_report(path)
    assert "\n" not in str(told.value)


def test_changes_keep_compilers_apart():
    report = read_report(GOLDEN)
    ours = next(r for r in report.rows if r.best is not None)
    theirs = ours.model_copy(update={"compiler": "pytket"})
    before = report.model_copy(update={"rows": (ours, theirs)})
    better = theirs.best.model_copy(update={"success": theirs.best.success / 2})
    now = before.model_copy(update={"rows": (ours, theirs.model_copy(update={"best": better}))})
    found = changes(before, now)
    assert found.same == 1
    (changed,) = found.rows
    assert changed.compiler == "pytket"
    assert changed.success == (theirs.best.success, theirs.best.success / 2)


def test_seconds_of_an_ibm_device_cost_what_its_plan_says(monkeypatch, tmp_path):
    table = {"backend": "ibm:ibm_fez", "as_of": "2030-01-02", "usd_per_second": 2.0, "source": "me"}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"schema_version": 1, "entries": [table]}))
    monkeypatch.setenv("QHW_PRICES", str(path))
    device = load_snapshot("ibm_fez")
    best = Compiled(seed=0, duration_s=1e-5, qubits=(0, 1))
    readout = max(device.qubits[q].readout_s for q in (0, 1))
    seconds = 2 + 10_000 * (1e-5 + readout + 250e-6)
    found = cost(best, device, 10_000)
    assert found.qpu_seconds == pytest.approx(seconds)
    assert found.usd == pytest.approx(2 * seconds)
    assert "2030-01-02" in found.basis


def coin(name: str = "coin") -> Subject:
    circuit = QuantumCircuit(1, name=name)
    circuit.h(0)
    circuit.measure_all()
    return circuit_subject(circuit, f"{name}.qasm")


def test_shots_for_a_distance_are_the_fewest_that_reach_it():
    subject = coin()
    found = shots_for(subject, 0.03, 0.05)
    assert found is not None
    # of a fair coin the mean distance of n shots is sqrt(1 / (2 pi n)) for many
    assert found == pytest.approx(1 / (2 * np.pi * (0.05**2 - 0.03**2)), rel=0.03)
    left, many = 0.04, shot_floor_total_variation(np.array([0.5, 0.5]), found)
    fewer = shot_floor_total_variation(np.array([0.5, 0.5]), int(0.97 * found))
    assert many <= left < fewer
    assert shots_for(subject, 0.05, 0.05) is None  # errors alone are as large
    assert shots_for(subject, 0.0, 1e-7) is None  # more than anyone takes


def test_a_sweep_stops_at_its_limit_and_goes_on_from_there(tmp_path):
    subjects = [coin(f"c{i}") for i in range(3)]
    subjects = [replace(s, circuit=_turned(s.circuit, i)) for i, s in enumerate(subjects)]
    told: list[float] = []
    stopped = Limit(0.0, told.append)
    report = sweep(subjects, "iqm_garnet", levels=(1,), seeds=1, cache=tmp_path, limit=stopped)
    assert [row.reason is None for row in report.rows] == [True, False, False]
    assert "time limit of 0 min" in report.rows[1].reason
    told.clear()
    asked = Limit(math.inf, told.append)
    steps: list[tuple[int, int]] = []
    whole = sweep(
        subjects,
        "iqm_garnet",
        levels=(1,),
        seeds=1,
        cache=tmp_path,
        limit=asked,
        done=lambda *step: steps.append(step),
    )
    assert all(row.reason is None for row in whole.rows)
    assert steps[0] == (1, 3)  # one was there already
    assert len(told) == 1
    assert told[0] > 0


def _turned(circuit: QuantumCircuit, place: int) -> QuantumCircuit:
    found = QuantumCircuit(1, name=circuit.name)
    found.rx(0.1 + place, 0)
    found.measure_all()
    return found


def test_compilations_are_equal_whatever_time_they_took():
    assert Compiled(seed=1, compile_s=1.0) == Compiled(seed=1, compile_s=2.0)
    assert Compiled(seed=1) != Compiled(seed=2)


def test_mapping_overhead_is_beside_an_all_to_all_circuit():
    circuit = QuantumCircuit(4, name="k4")
    for a in range(4):
        for b in range(a):
            circuit.cz(a, b)
        circuit.h(a)
    circuit.measure_all()
    report = sweep([circuit_subject(circuit, "x")], "iqm_garnet", levels=(1,), seeds=1)
    assert report.circuits[0].unmapped_two_qubit_gates == 6
    assert report.rows[0].best.two_qubit_gates > 6
    assert report.rows[0].best.compile_s > 0

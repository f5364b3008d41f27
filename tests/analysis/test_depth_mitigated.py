"""What mitigation is expected to leave of a row, beside what a comparison measures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from calibration.catalog import load_snapshot
from qhw.analysis.compare.measure import measure, settings_of
from qhw.analysis.depth.jobs import Limit
from qhw.analysis.depth.mitigated import DYNAMIC, WIDE, mitigated_report
from qhw.analysis.depth.subjects import circuit_subject
from qhw.analysis.depth.sweep import sweep
from qhw.circuits.workload import Workload
from qhw.report.depth import mitigated_cell, to_csv
from qhw.report.depth_terminal import depth_summary

SHOTS = 4_000
DEVICE = "iqm_garnet"


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(3, name="turned")
    circuit.ry(0.8, 0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


@pytest.fixture(scope="module")
def told():
    """A report of one row, expected after twirled readout correction."""
    subject = circuit_subject(turned(), "x")
    found = sweep([subject], DEVICE, levels=(0, 3), seeds=1, shots=SHOTS, error=0.03)
    return mitigated_report(found, [subject], "twirl(2)+readout")


def test_the_column_is_what_a_comparison_measures(told) -> None:
    (row,) = [row for row in told.rows if row.mitigated]
    one = row.mitigated
    assert (one.pipeline, one.circuits, one.reason) == ("twirl(2)+readout", 2, None)
    backend, work = AerBackend(load_snapshot(row.device)), Workload.of(turned())
    # the row's own seed compiles the same circuit; what differs is the shots
    settings = settings_of(
        work, device=f"aer:{DEVICE}", shots=SHOTS, seed=row.best.seed, mitigation=one.pipeline
    )
    metric = measure(settings, work, backend).result.section("circuit").metric("total_variation")
    mitigated, raw = (metric.row(key).mean.value for key in ("device_mitigated", "device_raw"))
    assert mitigated == pytest.approx(one.distance, abs=4 * one.strays)
    assert raw == pytest.approx(one.raw, abs=4 * one.strays)
    assert one.bias < one.distance < one.raw  # readout errors are what is corrected
    assert one.success == pytest.approx(1 - one.distance / told.circuits[0].spread)


def test_endless_shots_of_counts_leave_what_the_model_says() -> None:
    subject = circuit_subject(turned(), "x")
    report = sweep([subject], DEVICE, levels=(3,), seeds=1, shots=SHOTS)
    (row,) = mitigated_report(report, [subject], "none").rows
    backend = AerBackend(load_snapshot(DEVICE))
    noisy = backend.probabilities(backend.compile(turned()), np.empty((1, 0)))[0]
    away = np.abs(noisy / noisy.sum() - subject.exact[0]).sum() / 2
    assert row.mitigated.bias == pytest.approx(away, rel=1e-6)
    assert row.mitigated.distance == pytest.approx(row.mitigated.raw, rel=0.1)  # nothing is done


def test_shots_for_an_error_reach_it_and_are_priced(told) -> None:
    (row,) = [row for row in told.rows if row.mitigated]
    one = row.mitigated
    assert one.shots_for_error < SHOTS  # 0.03 is more than SHOTS leave
    subject = circuit_subject(turned(), "x")
    again = sweep([subject], DEVICE, levels=(3,), seeds=1, shots=one.shots_for_error)
    (same,) = mitigated_report(again, [subject], one.pipeline).rows
    assert same.mitigated.distance == pytest.approx(0.03, rel=0.06)
    assert one.cost_for_error.usd == pytest.approx(same.mitigated.cost.usd, rel=0.01)


def test_observables_are_read_as_expectation_values_are() -> None:
    subject = circuit_subject(turned(), "x")
    asked = {"error": 0.05, "observables": ["Z0"], "shots": SHOTS}
    report = sweep([subject], DEVICE, levels=(3,), seeds=1, **asked)
    (row,) = mitigated_report(report, [subject], "readout").rows
    one, z = row.mitigated, math.cos(0.8)
    shot_noise = math.sqrt((1 - z**2) / SHOTS)
    assert shot_noise < one.value_error < 3 * shot_noise  # a few per cent of errors beside it
    assert 2 < one.shots_for_error < SHOTS


def test_what_cannot_be_simulated_says_why() -> None:
    wide = QuantumCircuit(11, name="wide")
    wide.h(range(11))
    wide.measure_all()
    dynamic = QuantumCircuit(2, 2, name="dynamic")
    dynamic.h(0)
    dynamic.measure(0, 0)
    dynamic.reset(0)
    dynamic.measure([0, 1], [0, 1])
    subjects = [circuit_subject(c, "x") for c in (wide, dynamic)]
    report = sweep(subjects, "ibm_fez", levels=(0,), seeds=1, shots=SHOTS)
    found = mitigated_report(report, subjects, "readout")
    assert [row.mitigated.reason for row in found.rows] == [WIDE, DYNAMIC]
    over = mitigated_report(report, subjects, "readout", limit=Limit(0.0))
    assert {row.mitigated.reason for row in over.rows} == {
        "not simulated within the time limit of 0 min"
    }


def test_it_is_shown_where_it_was_asked_for_and_nowhere_else(told) -> None:
    (row,) = [row for row in told.rows if row.mitigated]
    header, *lines = to_csv(told).splitlines()
    assert header.endswith("mitigated_usd_for_error,not_simulated")
    assert sum(row.mitigated.pipeline in line for line in lines) == 1
    assert "raw" in mitigated_cell(row)
    said = "\n".join(map(str, depth_summary(told)))
    assert f"after twirl(2)+readout on {row.device}: distance" in said
    assert f"{row.mitigated.shots_for_error:,} shots for an error of 0.03" in said
    plain = told.model_copy(update={"mitigation": None})
    assert "mitigated" not in to_csv(plain)

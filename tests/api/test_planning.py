from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qhw
from qhw.analysis.depth.observed import observed

QUICK = {"levels": [3], "seeds": 1, "processes": 1, "cache": False}


def test_depth_report_of_live_circuits_and_workloads(tmp_path: Path) -> None:
    ghz = QuantumCircuit(3, name="ghz")
    ghz.h(0)
    ghz.cx(0, 1)
    ghz.cx(1, 2)
    turned = QuantumCircuit(2, name="turned")
    turned.ry(Parameter("a"), 0)
    turned.cx(0, 1)
    work = qhw.Workload.of(turned, np.array([[0.3]]))
    found = qhw.depth_report([ghz, work], "ibm_fez,iqm_garnet", **QUICK)
    gates = {(r.circuit, r.device): r.best.two_qubit_gates for r in found.report.rows if r.best}
    assert gates == {
        ("ghz", "ibm_fez"): 2,
        ("ghz", "iqm_garnet"): 2,
        ("turned", "ibm_fez"): 1,
        ("turned", "iqm_garnet"): 1,
    }
    assert "ghz" in repr(found) and "iqm_garnet" in repr(found)
    assert found.to_dataframe()["best.two_qubit_gates"].tolist() == [2, 2, 1, 1]
    folder = found.save(tmp_path / "depths")
    assert {"report.html", "result.json", "rows.csv"} <= {path.name for path in folder.iterdir()}


def test_depth_report_takes_values_errors_and_observables_as_the_command_does(
    tmp_path: Path,
) -> None:
    file = tmp_path / "turned.qasm"
    file.write_text('OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[2] q; ry(t) q[0];')
    live = QuantumCircuit(2, name="live")
    live.ry(Parameter("t"), 0)
    live.cx(0, 1)
    asked = {"error": 0.05, "observables": ["Z0"], "by": "dollars-for-error"}
    found = qhw.depth_report([live, file], "iqm_garnet", bind={"t": 0.8}, **asked, **QUICK)
    by_name = {row.circuit: row for row in found.report.rows}
    assert list(by_name) == ["live", "turned"]
    for subject in found.subjects:
        (z,) = observed(subject.circuit, ["Z0"])
        assert z.value == pytest.approx(np.cos(0.8))
        row = by_name[subject.name]
        assert row.shots_for_error == z.shots(row.best.success, 0.05) > 0
    assert [one.by for one in found.report.recommendations] == ["dollars-for-error"] * 2
    with pytest.raises(ValueError, match="no circuit has 'other'"):
        qhw.depth_report([live, file], "iqm_garnet", bind={"other": 1.0}, **QUICK)
    with pytest.raises(ValueError, match="`bind` must be left out"):
        qhw.depth_report("qvae-l10", "iqm_garnet", bind={"t": 1.0}, **QUICK)


def test_every_function_that_takes_a_circuit_file_takes_values(tmp_path: Path) -> None:
    names = ("measure", "expect", "submit", "estimate", "bench", "advise", "noise_study")
    for name in (*names, "calibrate", "depth_report"):
        assert "bind" in inspect.signature(getattr(qhw, name)).parameters, name
    file = tmp_path / "turned.qasm"
    file.write_text('OPENQASM 3.0; include "stdgates.inc"; input float t; qubit q; rx(t) q;')
    values = {"t": 0.8}
    found = qhw.measure(file, None, "exact", bind=values, shots=100, mitigation="none")
    assert found.exact[0] == pytest.approx([np.cos(0.4) ** 2, np.sin(0.4) ** 2])
    z = qhw.expect(file, None, "Z0", "exact", bind=values, shots=100, mitigation="none")
    assert z.exact[0] == pytest.approx([np.cos(0.8)])
    price = {"shots": 100, "mitigation": "none"}
    assert qhw.estimate(file, None, "emulator:iqm_garnet", bind=values, **price).jobs
    work = qhw.Workload.of(file, bind=values)
    for given in (qhw.measure, qhw.estimate):
        with pytest.raises(ValueError, match="`bind` must be None for a workload"):
            given(work, None, bind=values, shots=100)
    with pytest.raises(ValueError, match="`bind` must be None for a workload"):
        qhw.expect(work, None, "Z0", "exact", bind=values, shots=100)

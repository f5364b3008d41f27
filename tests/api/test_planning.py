from __future__ import annotations

from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qhw

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

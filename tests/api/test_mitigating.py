"""Bench and advice of a person's own circuit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qhw
from qhw.analysis.bench.result import BenchResult

ANGLES = np.random.default_rng(8).uniform(0.3, 2.0, (3, 2))
PIPELINES = ("none", "readout", "zne(1,3)")


def chain() -> QuantumCircuit:
    t = ParameterVector("t", 2)
    circuit = QuantumCircuit(2, name="chain")
    circuit.ry(t[0], 0)
    for _ in range(3):
        circuit.cx(0, 1)
        circuit.ry(t[1], 1)
    return circuit


def test_bench_measures_own_circuits(tmp_path: Path) -> None:
    found = qhw.bench(
        chain(), ANGLES, "engine:iqm_garnet", shots=10**6, pipelines=PIPELINES, repeats=2
    )
    (device,) = found.result.devices
    cells = {cell.asked: cell for cell in device.budgets[0].cells}
    # raw counts of so many shots are the noisy distribution, as `measure` finds it too
    same = qhw.measure(chain(), ANGLES, "engine:iqm_garnet", shots=10**6, mitigation="none")
    distance = np.abs(same.raw - same.exact).sum(axis=1).mean() / 2
    assert cells["none"].tvd is not None and cells["readout"].tvd is not None
    assert cells["none"].tvd.value == pytest.approx(distance, rel=0.05)
    assert cells["readout"].tvd.value < cells["none"].tvd.value
    assert device.loading == 0.0
    assert "circuit: chain, 3 circuits, 2 repeats" in repr(found)
    folder = found.save(tmp_path / "bench")
    assert BenchResult.from_json((folder / "result.json").read_text()) == found.result
    assert "3 circuits, 2 repeats" in (folder / "report.html").read_text()


def test_advice_ranks_pipelines_for_own_circuits() -> None:
    found = qhw.advise(chain(), ANGLES, "engine:iqm_garnet", shots=20_000, pipelines=PIPELINES)
    assert found.best in ("readout", "zne(1,3)")
    assert json.loads(found.to_json())["model"] == "chain"
    assert "chain" in repr(found)


def test_one_row_has_no_mean_of_the_others() -> None:
    for verb in (qhw.bench, qhw.advise):
        with pytest.raises(ValueError, match="two rows or more"):
            verb(chain(), ANGLES[:1], shots=100)

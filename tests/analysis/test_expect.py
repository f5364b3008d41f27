"""Results of `qhw expect`: kept files, and circuits too wide."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from rich.console import Console

from backends.base import CompiledTemplate
from backends.exact import ExactBackend
from calibration.catalog import load_snapshot
from qhw.analysis.compare.result import ResultError
from qhw.analysis.expect.result import ExpectCost, ExpectResult, ExpectSettings
from qhw.analysis.expect.values import compile_circuit, plan, result_of
from qhw.circuits.workload import Workload
from qhw.mitigation.expectation import build_expectation
from qhw.report.expectation import expectation_table

GOLDEN = Path(__file__).parent / "golden" / "expect-v1.json"
OLD: dict[int, dict[str, object]] = {
    1: {"synthesis": None, "row": 0, "row_name": "0"},
    2: {"row": 0, "row_name": "0"},
}
"""What each version had not yet of a value, and how it is read."""
FREE = ExpectCost(usd=0.0, qpu_seconds=None, basis="free")


def asked(**values: object) -> ExpectSettings:
    given = {
        "circuit": "c.qasm",
        "circuit_sha256": "0" * 64,
        "observables": ("ZZ", "3*XI - 2*II"),
        "device": "ibm:ibm_boston",
        "mitigation": "none",
        "shots": 1000,
    }
    return ExpectSettings.model_validate(given | values)


def bell() -> CompiledTemplate:
    """Two qubits that agree, their bases free."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    compiled = compile_circuit(asked(), ExactBackend(), Workload.of(circuit))
    return replace(compiled, snapshot=load_snapshot("ibm_boston"))


def among(compiled: CompiledTemplate, width: int) -> CompiledTemplate:
    """The same with idle qubits beside, as a circuit's own may be."""
    wide = QuantumCircuit(width, compiled.n_measured)
    wide.compose(compiled.circuit, [0, 1], [0, 1], inplace=True)
    return replace(compiled, circuit=wide, physical_qubits=tuple(range(width)))


def test_a_circuit_too_wide_for_a_statevector_has_no_exact_value() -> None:
    narrow = bell()
    for compiled, exact in ((narrow, [1.0, -2.0]), (among(narrow, 21), None)):
        program = plan(asked(), ExactBackend(), compiled)
        even = {b.label: np.array([[b.shots // 2, 0, 0, b.shots // 2]]) for b in program.batches}
        finished = load_snapshot("ibm_boston").taken + timedelta(days=3)
        found = program.combine(even, finished=finished)
        result = result_of(asked(), program, found, cost=FREE, command="qhw expect").result
        assert [row.value for row in result.observables] == pytest.approx([1.0, -2.0])
        assert [row.uniform for row in result.observables] == [0.0, -2.0]
        if exact is None:
            assert {(row.exact, row.shot_floor) for row in result.observables} == {(None, None)}
            assert "too wide" in shown(result)
        else:
            assert [row.exact for row in result.observables] == pytest.approx(exact)
            assert result.observables[0].shot_floor == pytest.approx(0, abs=1e-6)
            assert "too wide" not in shown(result)
        assert result.snapshot_age_days == 3.0
        assert ExpectResult.from_json(result.to_json()) == result


def shown(result: ExpectResult) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(expectation_table(result))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_more_wires_than_can_be_counted_are_refused() -> None:
    wide = QuantumCircuit(25)
    with pytest.raises(ValueError, match=r"at most 24 measured wires .* measures 25"):
        build_expectation(ExactBackend(), wide, np.empty((1, 0)), ["Z" * 25], shots=100, seed=0)


@pytest.mark.parametrize("version", OLD)
def test_golden_result_still_loads(version: int) -> None:
    text = GOLDEN.with_name(f"expect-v{version}.json").read_text(encoding="utf-8")
    result = ExpectResult.from_json(text, "golden")
    assert (result.schema_version, result.settings.task) == (version, "expect")
    assert result.observables[0].exact == pytest.approx(1.0)
    document = json.loads(result.to_json())
    assert document.pop("missing") == []
    for row in document["observables"]:
        assert {name: row.pop(name) for name in OLD[version]} == OLD[version]
    assert document == json.loads(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 99}, "schema_version 1 to 3, but has 99"),
        ({"cost": {}}, "`cost.usd`: Field required"),
        ({"surprise": 1}, "`surprise`: Extra inputs"),
    ],
)
def test_damaged_results_are_one_line(change: dict[str, object], words: str) -> None:
    document = json.loads(GOLDEN.read_text(encoding="utf-8")) | change
    with pytest.raises(ResultError, match=words):
        ExpectResult.from_json(json.dumps(document))
    with pytest.raises(ResultError, match="must be JSON"):
        ExpectResult.from_json("{")

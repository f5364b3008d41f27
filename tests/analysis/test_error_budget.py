from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.exact import ExactBackend
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.analysis.compare.error_budget import SOURCES, ErrorBudget, error_budget
from qhw.analysis.scores.metrics import total_variation
from tests.backends.circuits import staircase_circuit
from tests.calibration.factory import TAKEN, line_device

ANGLES = np.random.default_rng(0).uniform(0.3, 2.8, (6, 4))


@pytest.fixture(scope="module")
def compiled() -> CompiledTemplate:
    return AerBackend(load_snapshot("ibm_fez")).compile(staircase_circuit(4))


def test_every_row_is_what_aer_says(compiled: CompiledTemplate) -> None:
    budget = error_budget(compiled, ANGLES, np.random.default_rng(1))
    assert {row.source for row in budget.sources} == set(SOURCES[:4])
    saved = [row.saved.value for row in budget.sources]
    assert saved == sorted(saved, reverse=True)
    device = load_snapshot("ibm_fez")

    def distance(options: NoiseOptions) -> float:
        aer = AerBackend(device, noise=options).probabilities(compiled, ANGLES)
        off = AerBackend(device, noise=NoiseOptions(0, 0, 0)).probabilities(compiled, ANGLES)
        return float(total_variation(off, aer).mean())

    total = distance(NoiseOptions())
    assert budget.total.value == pytest.approx(total, abs=1e-9)
    assert budget.total.low < budget.total.value < budget.total.high
    none = NoiseOptions(idle=0, readout=0, depolarising=0, gate_relaxation=0)
    for row in budget.sources:
        only = replace(none, **{row.source: 1.0})
        assert row.only.value == pytest.approx(distance(only), abs=1e-9)
        rest = distance(replace(NoiseOptions(), **{row.source: 0.0}))
        assert row.all_but.value == pytest.approx(rest, abs=1e-9)
        assert row.saved.value == pytest.approx(total - rest, abs=1e-9)


def waiting_template() -> CompiledTemplate:
    """A qubit turned by its angle waits 20 us and is read: every source has a closed form."""
    circuit = QuantumCircuit(1, 1)
    circuit.ry(Parameter("a"), 0)
    circuit.append(Delay(20e-6, "s"), [0])
    circuit.measure(0, 0)
    ideal = ExactBackend().compile(circuit)
    return replace(ideal, circuit=circuit, snapshot=line_device(1), physical_qubits=(0,))


def test_idle_and_readout_have_their_closed_forms() -> None:
    angles = np.array([[math.pi], [math.pi / 2], [1.0]])
    budget = error_budget(waiting_template(), angles, np.random.default_rng(0))
    rows = {row.source: row for row in budget.sources}
    one = np.sin(angles[:, 0] / 2) ** 2
    left = one * math.exp(-20 / 100)
    read = left * (1 - 0.04) + (1 - left) * 0.01
    assert rows["idle"].only.value == pytest.approx((one - left).mean(), abs=1e-12)
    alone = np.abs(one * (1 - 0.04) + (1 - one) * 0.01 - one)
    assert rows["readout"].only.value == pytest.approx(alone.mean(), abs=1e-12)
    assert rows["idle"].all_but.value == pytest.approx(alone.mean(), abs=1e-12)
    assert budget.total.value == pytest.approx(np.abs(read - one).mean(), abs=1e-12)
    assert rows["depolarising"].only.value == pytest.approx(0.0, abs=1e-12)


def test_sources_that_are_off_have_no_row_and_coherent_ones_have(
    compiled: CompiledTemplate,
) -> None:
    options = NoiseOptions(gates=0, zz_rad=0.1, t2_star_s=1e-5, idle=0)
    budget = error_budget(
        compiled, ANGLES[:3], np.random.default_rng(1), options=options, detuning_level=1
    )
    assert {row.source for row in budget.sources} == {"readout", "coherent_zz", "detuning"}
    assert all(row.only.value > 1e-5 for row in budget.sources)


def test_json_round_trip_and_what_is_refused(compiled: CompiledTemplate) -> None:
    budget = error_budget(waiting_template(), np.array([[1.0], [2.0]]), np.random.default_rng(0))
    again = error_budget(waiting_template(), np.array([[1.0], [2.0]]), np.random.default_rng(0))
    assert budget == again
    assert ErrorBudget.from_json(budget.to_json()) == budget
    assert budget.taken == TAKEN
    newer = json.loads(budget.to_json()) | {"schema_version": 99}
    with pytest.raises(ValueError, match=r"mine.json must have schema_version 1 to 1, but has 99"):
        ErrorBudget.from_json(json.dumps(newer), "mine.json")
    broken = json.loads(budget.to_json()) | {"latents": "many"}
    with pytest.raises(ValueError, match=r"mine.json: `latents`"):
        ErrorBudget.from_json(json.dumps(broken), "mine.json")
    for text, said in (("[", "must be JSON, but"), ("3", "schema_version 1 to 1, but has none")):
        with pytest.raises(ValueError, match=said):
            ErrorBudget.from_json(text)
    with pytest.raises(ValueError, match="must have 2 rows or more, but has 1"):
        error_budget(compiled, ANGLES[:1], np.random.default_rng(0))
    ideal = ExactBackend().compile(staircase_circuit(4))
    with pytest.raises(ValueError, match="must be compiled for a device"):
        error_budget(ideal, ANGLES, np.random.default_rng(0))


def test_golden_file_still_loads() -> None:
    text = (Path(__file__).parent / "golden" / "error_budget_v1.json").read_text()
    found = ErrorBudget.from_json(text)
    assert (found.device, found.taken, found.latents) == ("test_line", TAKEN, 2)
    fresh = error_budget(waiting_template(), np.array([[1.0], [2.0]]), np.random.default_rng(0))
    assert found.total.value == pytest.approx(fresh.total.value, abs=1e-12)
    assert found.sources[0].source == fresh.sources[0].source

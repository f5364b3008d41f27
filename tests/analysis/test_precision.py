"""Shots planned for a precision: closed forms, and experiments that reach what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import CircuitBatch, DistributionBackend
from backends.registry import get_backend
from qhw.analysis.compare.measure import settings_of
from qhw.analysis.compare.model import given_molecules
from qhw.analysis.compare.settings import Settings
from qhw.analysis.expect.values import compile_circuit, plan, prepare
from qhw.analysis.force.shot_plan import shots_of_errors
from qhw.analysis.precision.asked import Precision, one_of, parse_precision
from qhw.analysis.precision.distances import Distances
from qhw.analysis.precision.models import distances_of_model
from qhw.analysis.precision.plan import ShotPlan, plan_shots
from qhw.analysis.precision.shots import (
    MOST_SHOTS,
    OutOfReachError,
    fewest_shots,
    shots_of_error,
)
from qhw.analysis.precision.values import planned_values
from qhw.analysis.scores.baselines import shot_floor_total_variation
from qhw.analysis.scores.metrics import total_variation
from qhw.circuits.workload import Workload
from qhw.latent.from_shots import expected_squared_angle
from qhw.mitigation.program import run_program
from qhw.mitigation.words import MitigationError
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.models.registry import build

DEVICE = "engine:ibm_fez"
PIPELINES = ("none", "readout", "readout+zne(1,3)")
SHARED = pytest.param("readout(share=0.1)", marks=pytest.mark.slow)
OBSERVABLES = ["XX", "0.5*ZZ + 0.7*XI"]
EXPERIMENTS = 250
DISTANCE = Precision(0.02, "distance")
VALUE = Precision(0.03, "observable")


def _quiet(_: str) -> None:
    pass


def turned(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    return circuit


def entangled() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.ry(1.1, 0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 1)
    return circuit


def experiments(batches: Sequence[CircuitBatch]) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Counts of all circuits on the simulated device, drawn again and again."""
    device = get_backend(DEVICE)
    assert isinstance(device, DistributionBackend)
    rng = np.random.default_rng(8)
    exact = {b.label: device.probabilities(b.compiled, b.angles) for b in batches}
    for _ in range(EXPERIMENTS):
        yield {b.label: rng.multinomial(b.shots, exact[b.label]) for b in batches}


def distances(circuit: QuantumCircuit, device: str, mitigation: str) -> Distances:
    work = Workload.of(circuit, None)
    settings = settings_of(work, device=device, shots=1, mitigation=mitigation)
    return Distances.of_workload(settings, work, get_backend(device), _quiet)


def planned(circuit: QuantumCircuit, device: str, mitigation: str, wanted: Precision) -> ShotPlan:
    return plan_shots(distances(circuit, device, mitigation), wanted, _quiet)


@pytest.mark.parametrize("angle", [1.3])
@pytest.mark.parametrize("wanted", [0.1, 0.004])
def test_a_single_qubit_takes_the_shots_of_the_closed_forms(angle: float, wanted: float) -> None:
    """``(1 - z^2) / X^2`` of an expectation value; mean size of a normal deviation of a TVD."""
    spread = math.sin(angle) ** 2  # 1 - cos^2
    settings, work = prepare(
        turned(angle), None, "2*Z", device="exact", mitigation="none", shots=1, seed=0
    )
    backend = get_backend("exact")
    wanted_value = Precision(2 * wanted, "observable")
    found, plan_ = planned_values(settings, work, backend, wanted_value, _quiet)
    fewest = spread / wanted**2
    assert 0.97 * fewest <= found.shots <= 1.1 * fewest + 3
    assert plan_.expected <= 2 * wanted and found.precision == str(wanted_value)
    # TVD is |x / N - p|, whose mean is sqrt(2 p (1 - p) / (pi N)), and 4 p (1 - p) the spread
    fewest = spread / (2 * math.pi * wanted**2)
    told = planned(turned(angle), "exact", "none", Precision(wanted, "distance"))
    assert 0.9 * fewest - 1 <= told.shots <= 1.1 * fewest + 3
    assert told.expected <= wanted


@pytest.mark.parametrize("mitigation", [*PIPELINES, SHARED])
def test_distances_are_as_small_as_asked(mitigation: str) -> None:
    what = distances(entangled(), DEVICE, mitigation)
    shots = plan_shots(what, DISTANCE, _quiet).shots
    (placed,) = what.placed
    program = replace(what.runner, shots=shots).plan(placed).program
    many = replace(what.runner, shots=5_000_000).plan(placed).program
    reference = run_program(many, seed=99).probabilities
    assert reference is not None
    found = []
    for counts in experiments(program.batches):
        one = program.combine(counts).probabilities
        assert one is not None
        found.append(float(total_variation(one, reference)[0]))
    assert np.mean(found) == pytest.approx(DISTANCE.value, rel=0.1)


@pytest.mark.parametrize("mitigation", PIPELINES)
def test_values_deviate_as_little_as_asked(mitigation: str) -> None:
    device = get_backend(DEVICE)
    settings, work = prepare(
        entangled(), None, OBSERVABLES, device=DEVICE, mitigation=mitigation, shots=1, seed=0
    )
    asked, _ = planned_values(settings, work, device, VALUE, _quiet)
    program = plan(asked, device, compile_circuit(asked, device, work), work)
    found = [program.combine(counts) for counts in experiments(program.batches)]
    deviation = np.std([one.values for one in found], axis=0)
    assert deviation.max() == pytest.approx(VALUE.value, rel=0.12)
    bars = np.mean([one.standard_error for one in found], axis=0)
    assert bars.max() == pytest.approx(VALUE.value, rel=0.06)


def test_mitigation_takes_the_shots_that_it_costs() -> None:
    """Extrapolation from noise 1 and 3 has coefficients 3/2 and -1/2: four times the variance."""
    plain = planned(entangled(), "exact", "none", DISTANCE).shots
    costly = planned(entangled(), "exact", "zne(1,3)", DISTANCE).shots
    assert costly == pytest.approx(4 * plain, rel=0.15)


def test_angles_of_a_model_are_as_small_as_asked() -> None:
    device = get_backend("exact")
    model = build(
        "nisq",
        {"encoder_layers": 1, "decoder_layers": 2, "kappa": 500.0},
        torch.Generator().manual_seed(1),
    )
    settings = Settings.parse(
        model="live", device="exact", molecules=3, task="encode", shots=1, mitigation="none"
    )
    wanted = Precision(0.1, "angle")
    told = plan_shots(distances_of_model(settings, device, wanted, _quiet, model), wanted, _quiet)
    exact = ExactModel(model.double(), "live", "a test")
    p = _encoded(exact, settings)
    rms = math.sqrt(float(np.mean(expected_squared_angle(p, told.shots))))
    assert rms == pytest.approx(0.1, rel=0.1)


@pytest.mark.slow
def test_the_worst_circuit_of_a_model_decides() -> None:
    device = get_backend("exact")
    config = {"encoder_layers": 1, "decoder_layers": 2, "kappa": 500.0}
    model = build("nisq", config, torch.Generator().manual_seed(1))
    whole = Settings.parse(
        model="live", device="exact", molecules=3, task="reconstruct", shots=1, mitigation="none"
    )
    both = distances_of_model(whole, device, DISTANCE, _quiet, model)
    # of both circuits; the decoder's many outcomes take the more
    shots = plan_shots(both, DISTANCE, _quiet).shots
    each = [shot_floor_total_variation(placed.exact, shots).mean() for placed in both.placed]
    assert len(each) == 2 and max(each) == pytest.approx(DISTANCE.value, rel=0.05)


def test_shots_follow_the_law_of_the_error_whatever_it_is() -> None:
    for power in (0.3, 0.5, 0.8):
        found = fewest_shots(lambda n, p=power: 3.0 * n**-p, 0.01)  # type: ignore[misc]
        assert found.shots == pytest.approx(300 ** (1 / power), rel=0.12)
        assert found.error <= 0.01
    assert fewest_shots(lambda _: 0.0, 0.01).shots == 2
    with pytest.raises(OutOfReachError, match=r"must be 0\.03[0-9]* or more .* is 0\.001$"):
        fewest_shots(lambda n: n**-0.5, 0.001, most=1000)


def test_a_pipeline_that_refuses_few_shots_gets_enough() -> None:
    def error(shots: int) -> float:
        if shots < 700:
            raise MitigationError("too few")
        return 1 / math.sqrt(shots)

    found = fewest_shots(error, 0.5)
    assert 700 <= found.shots < 3000

    def never(_: int) -> float:
        raise MitigationError("no such circuit")

    with pytest.raises(MitigationError, match="no such circuit"):
        fewest_shots(never, 0.5, most=10**6)


def test_one_law_serves_force_fields_too() -> None:
    assert shots_of_error(1000, 0.02, 0.01) == 4000
    assert shots_of_error(1000, 0.0, 0.01) == 2
    with pytest.raises(ValueError, match=r"Argument `precision` must be one that 1e\+12 shots"):
        shots_of_error(MOST_SHOTS, 1.0, 0.5)
    assert shots_of_errors.__module__ == "qhw.analysis.force.shot_plan"


def test_wide_values_are_planned_for_the_mixed_state() -> None:
    circuit = QuantumCircuit(12)
    circuit.h(0)
    for qubit in range(11):
        circuit.cx(qubit, qubit + 1)
    device = get_backend("engine:ibm_fez")
    settings, work = prepare(
        circuit, None, "Z" * 12, device=device.name, mitigation="none", shots=1, seed=0
    )
    asked, told = planned_values(settings, work, device, Precision(0.05, "observable"), _quiet)
    assert asked.shots == pytest.approx(400, rel=0.1) and "mixed" in told.note


@pytest.mark.parametrize(
    "value", [0, -0.1, "nan", "inf", float("nan"), True, "1e-2rad", "", "1%", 1.0, "9" * 50]
)
def test_what_is_no_precision_is_one_line(value: str | float) -> None:
    with pytest.raises(ValueError, match=r"^Argument `precision` must be [^\n]{,150}$"):
        parse_precision(value, "distance")


def test_shots_and_a_precision_exclude_each_other() -> None:
    one_of(None, 0.1)
    one_of(100, None)
    with pytest.raises(ValueError, match="`precision` must be left out where `shots`"):
        one_of(100, 0.1)
    with pytest.raises(ValueError, match="`shots` must be given, or `precision`"):
        one_of(None, None)


def _encoded(exact: ExactModel, settings: Settings) -> NDArray[np.float64]:
    given = given_molecules(settings, sample_for(exact.model))
    return exact.encoder(exact.inputs(given.molecules))

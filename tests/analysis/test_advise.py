"""Advice: training circuits like the circuit, predictions, refusals, shots for a target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.rewrite import two_qubit_gates
from backends.statevector import measured_probabilities
from calibration.noise import NoiseOptions
from qhw.analysis.advise.advise import Predictor, advise, crossing, simulator_of
from qhw.analysis.advise.training import spread, training_subjects
from qhw.analysis.bench.pipelines import bench_device
from qhw.analysis.bench.result import BenchSettings
from qhw.analysis.bench.subject import model_workload, noisy_backend
from qhw.mitigation.placed import Placed
from tests.small_model import save_small_model

ASKED = ("none", "readout", "readout+zne(1,3,exp)", "readout+zne(1,2,3,richardson)")
SHOTS = 20_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def subject(model: Path) -> Placed:
    work = model_workload(str(model), "generate", 4, "brickwork", seed=0)
    return Placed.on(noisy_backend("engine:iqm_garnet", NoiseOptions()), work, seed=0)


def settings(model: Path, **changes: object) -> BenchSettings:
    values: dict[str, object] = {
        "model": str(model),
        "devices": ("engine:iqm_garnet",),
        "shots": (SHOTS,),
        "rows": 4,
        "repeats": 3,
        "pipelines": ASKED,
    }
    return BenchSettings.parse(**{**values, **changes})


def test_training_circuits_keep_the_gates_and_are_spread_alike(subject: Placed) -> None:
    found = training_subjects(subject, 3, 0.3, np.random.default_rng(0))
    wanted = spread(subject.exact).mean(axis=0)
    gates = [(gate.name, pair) for gate, pair in two_qubit_gates(subject.compiled)]
    for circuit in found:
        assert [(gate.name, pair) for gate, pair in two_qubit_gates(circuit.compiled)] == gates
        exact = measured_probabilities(circuit.compiled, circuit.angles)
        np.testing.assert_allclose(circuit.exact, exact, atol=1e-9)
        assert np.abs(spread(circuit.exact)[0] / wanted - 1).max() < 0.25


def test_spread_of_known_distributions() -> None:
    certain, flat = np.eye(4)[:1], np.full((1, 4), 0.25)
    np.testing.assert_allclose(spread(certain), [[0.75, 0.0]])
    np.testing.assert_allclose(spread(flat), [[0.0, 4 * np.sqrt(3) / 4]])


def test_prediction_is_near_the_measured_distance_and_ranks_alike(
    model: Path, subject: Placed
) -> None:
    asked = settings(model)
    predicted = Predictor(subject, asked, training=3).ranked(SHOTS)
    budget = bench_device(subject, ASKED, asked).budgets[0]
    measured = {c.asked: c.tvd.value for c in budget.cells if c.tvd is not None}
    for prediction in predicted:
        assert prediction.tvd is not None
        assert prediction.tvd.value == pytest.approx(measured[prediction.asked], rel=0.4)
    assert predicted[0].asked == min(measured, key=lambda text: measured[text])
    assert predicted[-1].asked == max(measured, key=lambda text: measured[text])


def test_a_paid_device_is_predicted_on_its_calibration(model: Path) -> None:
    assert simulator_of("braket:iqm_garnet") == "engine:iqm_garnet"
    asked = settings(model, devices=("braket:iqm_garnet",), pipelines=("none", "readout"))
    advice = advise(asked, training=2)
    assert advice.predicted_on == "engine:iqm_garnet"
    assert advice.device == "braket:iqm_garnet"
    assert advice.floor < advice.predictions[0].tvd.value  # type: ignore[union-attr]


def test_hopeless_noise_is_said(model: Path) -> None:
    loud = settings(model, noise={"gates": 60.0}, pipelines=("none", "readout"), shots=(500,))
    advice = advise(loud, training=2)
    assert advice.hopeless is not None
    assert "constant that needs no QPU" in advice.hopeless
    assert "\n" not in advice.hopeless


@pytest.mark.slow
def test_target_is_reached_where_it_says(model: Path) -> None:
    quiet = settings(model, noise={"gates": 0.0, "idle": 0.0, "readout": 0.0}, pipelines=("none",))
    advice = advise(quiet, target=0.02, training=2)
    assert advice.target is not None and advice.target.shots is not None
    # without noise the floor falls as one over the root of the shots
    expected = SHOTS * (advice.predictions[0].tvd.value / 0.02) ** 2  # type: ignore[union-attr]
    assert advice.target.shots == pytest.approx(expected, rel=0.2)
    loud = advise(settings(model, pipelines=("none",)), target=0.001, training=2)
    assert loud.target is not None and loud.target.shots is None
    assert loud.target.reached > 0.001


@pytest.mark.parametrize(
    ("curve", "shots"),
    [
        ([(100, 0.1), (10_000, 0.01)], 1600.0),
        ([(100, 0.02), (200, 0.01)], 100.0),
        ([(100, 0.1), (200, 0.09)], None),
        ([], None),
    ],
)
def test_crossing_of_a_power_law(curve: list[tuple[int, float]], shots: float | None) -> None:
    found = crossing(curve, 0.025)
    assert found == (None if shots is None else pytest.approx(shots))


@pytest.mark.parametrize(
    ("changes", "target", "said"),
    [
        ({"shots": (10, 20)}, None, "one each"),
        ({"devices": ("engine:ibm_fez", "engine:iqm_garnet")}, None, "one each"),
        ({}, 1.5, "`target` must be between 0 and 1"),
        ({"devices": ("engine:nothing",)}, None, "`name` must be a backend"),
    ],
)
def test_bad_input(
    model: Path, changes: dict[str, object], target: float | None, said: str
) -> None:
    with pytest.raises(Exception, match=said) as error:
        advise(settings(model, **changes), target=target)
    assert "\n" not in str(error.value)

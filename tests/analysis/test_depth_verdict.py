"""The depth report's verdict beside what an exact noisy simulation measures."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from calibration.catalog import load_snapshot
from qhw.analysis.depth.subjects import Subject, circuit_subject
from qhw.analysis.depth.verdict import beats_constant
from qhw.analysis.scores.baselines import prior_mean, uniform
from qhw.analysis.scores.metrics import total_variation

SHOTS = 10_000
DEVICES = ("ibm_boston", "ibm_yorktown", "iqm_garnet", "rigetti_cepheus_1_108q")


def circuit(name: str, n: int = 4) -> QuantumCircuit:
    return QuantumCircuit(n, name=name)


def measured(found: QuantumCircuit) -> QuantumCircuit:
    found.measure_all()
    return found


def uniform_outcome() -> QuantumCircuit:
    found = circuit("uniform")
    found.h(range(4))
    return measured(found)


def entangled_uniform() -> QuantumCircuit:
    """Many gates whose every outcome is as likely: nothing but noise can be measured."""
    found = uniform_outcome().remove_final_measurements(inplace=False)
    found.name = "entangled uniform"
    for _ in range(3):
        for q in range(3):
            found.cz(q, q + 1)
        found.x(range(4))
    return measured(found)


def near_uniform(off: float) -> QuantumCircuit:
    found = circuit(f"near uniform {off}")
    for q in range(4):
        found.ry(np.pi / 2 + off, q)
    return measured(found)


def ghz(n: int) -> QuantumCircuit:
    found = circuit(f"ghz {n}", n)
    found.h(0)
    for q in range(n - 1):
        found.cx(q, q + 1)
    return measured(found)


def excited() -> QuantumCircuit:
    found = circuit("excited")
    found.x(range(4))
    return measured(found)


def random(layers: int) -> QuantumCircuit:
    rng = np.random.default_rng(layers)
    found = circuit(f"random {layers}")
    for _ in range(layers):
        for q in range(4):
            found.u(*rng.uniform(-3, 3, 3), q)
        for q in range(3):
            found.cz(q, q + 1)
    return measured(found)


def weak_ising() -> QuantumCircuit:
    """Nearly uniform, and on a bad device further from that than from nothing."""
    found = circuit("weak ising")
    found.h(range(4))
    for q in range(3):
        found.rzz(0.2, q, q + 1)
    found.rx(0.2, range(4))
    return measured(found)


CIRCUITS = [
    uniform_outcome(),
    entangled_uniform(),
    *map(near_uniform, (0.005, 0.02, 0.1, 0.3)),
    *map(ghz, (2, 5)),
    excited(),
    *map(random, (2, 10, 40)),
    weak_ising(),
]


def counted(noisy: np.ndarray, exact: np.ndarray) -> float:
    """Mean distance of counts, rows and draws."""
    rng = np.random.default_rng(0)
    draws = [rng.multinomial(SHOTS, noisy) / SHOTS for _ in range(20)]
    return float(np.mean([total_variation(exact, drawn).mean() for drawn in draws]))


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], tuple[bool | None, float, float]]:
    """Verdict, measured distance and the constant's, by circuit and device."""
    table = {}
    for device in DEVICES:
        backend = EngineBackend(load_snapshot(device))
        for one in CIRCUITS:
            subject = circuit_subject(one, "file")
            compiled = backend.compile(one)
            noisy = backend.probabilities(compiled, np.empty((1, 0)))
            said = beats_constant(subject, compiled.predicted_success, SHOTS)
            distance = counted(noisy, subject.exact)
            table[one.name, device] = said.yes, distance, subject.spread
    return table


@pytest.mark.slow
def test_what_is_told_is_what_a_simulation_measures(found):
    for place, (yes, distance, constant) in found.items():
        if yes is not None:
            assert (distance < constant) == yes, place


def test_most_is_told(found):
    told = [yes is not None for yes, _, _ in found.values()]
    assert sum(told) > 0.75 * len(told)
    for device in DEVICES:
        assert {found[name, device][0] for name in ("uniform", "entangled uniform")} == {False}
        assert {found[name, device][0] for name in ("ghz 2", "ghz 5", "excited")} == {True}


@pytest.mark.parametrize("device", ["ibm_boston", "ibm_yorktown", "rigetti_cepheus_1_108q"])
def test_rows_of_one_template_agree_with_a_simulation(device):
    rng = np.random.default_rng(1)
    free = ParameterVector("a", 12)
    template = circuit("rows")
    for layer in range(3):
        for q in range(4):
            template.ry(free[4 * layer + q], q)
        for q in range(3):
            template.cz(q, q + 1)
    template.measure_all()
    backend = EngineBackend(load_snapshot(device))
    compiled, ideal = backend.compile(template), ExactBackend()
    told = set()
    for width in (0.0, 0.01, 0.1, 0.3, 1.0):
        angles = rng.uniform(-2, 2, 12) + width * rng.normal(size=(16, 12))
        exact = ideal.probabilities(ideal.compile(template), angles)
        spread = float(total_variation(exact, uniform(exact)).mean())
        others = float(total_variation(exact, prior_mean(exact)).mean())
        constant = min(spread, others)
        subject = Subject("x", "model", template, spread=spread, baseline=constant, exact=exact)
        said = beats_constant(subject, compiled.predicted_success, SHOTS)
        distance = counted(backend.probabilities(compiled, angles), exact)
        if said.yes is not None:
            assert (distance < constant) == said.yes, (width, said.reason)
        told.add(said.yes)
    assert False in told  # equal rows: the mean of the others is exact


def test_reasons_name_the_numbers():
    uniform_said = beats_constant(circuit_subject(uniform_outcome(), "f"), 0.99, SHOTS)
    assert uniform_said.reason.endswith("is the exact outcome: nothing is closer")
    near = circuit_subject(near_uniform(0.005), "f")
    assert "a perfect device with 10,000 shots 0.0155" in beats_constant(near, 1, SHOTS).reason
    assert beats_constant(near, 0.9999, 10**9).yes  # more shots see it
    bell = circuit_subject(ghz(2), "f")
    assert beats_constant(bell, 0.8, SHOTS).yes
    unsure = beats_constant(bell, 0.4, SHOTS)
    assert unsure.yes is None
    assert "0.180 to 0.600 by what the errors do, against 0.500 of the uniform" in unsure.reason
    rows = Subject("x", "m", ghz(2), spread=0.5, baseline=0.1, exact=bell.exact)
    assert beats_constant(rows, 0.3, SHOTS).yes is False  # 0.7 * 0.7 * 0.5
    large = Subject("x", "f", ghz(2), note="20 qubits: exact output not computed")
    assert beats_constant(large, 0.999, SHOTS).yes is None

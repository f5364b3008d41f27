"""Our techniques beside mitiq's, on the expectation value of one parity, shots infinite."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate, CZGate

from backends.exact import ExactBackend
from calibration.noise import apply_confusion
from qhw.mitigation.pauli_noise import PauliNoise, inverted
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program
from qhw.mitigation.readout import inverse
from qhw.mitigation.twirl import allowed_twirls
from tests.mitigation.misread import SINGLES
from tests.mitigation.mitiq_circuits import (
    SIGN,
    combined,
    measured,
    native_circuit,
    probabilities,
)

pytest.importorskip("mitiq", reason="comparisons with mitiq need the extra qhw[mitiq]")
pytest.importorskip("ply", reason="mitiq converts circuits with ply, which it does not install")

NOISY = partial(probabilities, depolarising=0.03)


def value(circuit: QuantumCircuit) -> float:
    return float(NOISY(circuit) @ SIGN)


def ours(text: str, read=NOISY) -> float:
    program = build_program(
        Pipeline.parse(text), ExactBackend(), measured(native_circuit()), np.zeros((1, 0)),
        shots=1_000_000, seed=0, features=SIGN[None],
    )  # fmt: skip
    return float(combined(program, read).values[0, 0])


@pytest.mark.parametrize(
    ("text", "factory"),
    [
        ("zne(1,3)", "linear"),
        ("zne(1,3,5)", "linear"),
        ("zne(1,3,5,richardson)", "richardson"),
        ("zne(1,3,exp)", "exp"),
    ],
)
def test_extrapolation(text: str, factory: str) -> None:
    from mitiq import zne

    scales = [1.0, 3.0, 5.0] if "5" in text else [1.0, 3.0]
    factories = {
        "linear": zne.LinearFactory(scales),
        "richardson": zne.RichardsonFactory(scales),
        # the mixed state's parity is 0
        "exp": zne.ExpFactory(scales, asymptote=0.0),
    }
    theirs = zne.execute_with_zne(
        native_circuit(),
        value,
        factory=factories[factory],
        scale_noise=partial(zne.scaling.fold_gates_at_random, fidelities={"single": 1.0}),
    )
    assert ours(text) == pytest.approx(theirs, abs=1e-6)
    exact = probabilities(native_circuit()) @ SIGN
    assert abs(theirs - exact) < 0.6 * abs(value(native_circuit()) - exact)


def test_tensored_readout() -> None:
    from mitiq.rem import generate_tensored_inverse_confusion_matrix

    theirs = generate_tensored_inverse_confusion_matrix(3, list(SINGLES))
    undo = inverse({(w,): matrix for w, matrix in enumerate(SINGLES)})
    np.testing.assert_allclose(undo, theirs, atol=1e-12)
    read = apply_confusion(probabilities(native_circuit()), list(SINGLES))
    assert undo @ read @ SIGN == pytest.approx(probabilities(native_circuit()) @ SIGN)


@pytest.mark.parametrize("gate", [CZGate(), CXGate()])
def test_twirls(gate: CZGate | CXGate) -> None:
    from mitiq.pt import pt

    table = pt.CZ_twirling_gates if gate.name == "cz" else pt.CNOT_twirling_gates
    theirs = {tuple(str(p) for p in row) for row in table}
    names = "IXYZ"
    found = {(names[a], names[b], names[c], names[d]) for (a, b), (c, d) in allowed_twirls(gate)}
    assert len(found) == 16
    assert found == theirs


@pytest.mark.slow  # mitiq takes a fifth of a second a variant
def test_twirled_values_under_a_coherent_error() -> None:
    from mitiq.pt import generate_pauli_twirl_variants

    read = partial(probabilities, depolarising=0.01, zz_rad=0.2)
    variants = generate_pauli_twirl_variants(native_circuit(), num_circuits=60, random_state=0)
    theirs = [float(read(v) @ SIGN) for v in variants]
    program = build_program(
        Pipeline.parse("twirl(200)"), ExactBackend(), measured(native_circuit()), np.zeros((1, 0)),
        shots=200, seed=0, features=SIGN[None],
    )  # fmt: skip
    mine = [float(read(b.compiled.circuit) @ SIGN) for b in program.batches]
    error = np.hypot(np.std(theirs) / np.sqrt(60), np.std(mine) / np.sqrt(200))
    assert abs(np.mean(theirs) - np.mean(mine)) < 3 * error
    assert abs(np.mean(mine) - float(read(native_circuit()) @ SIGN)) > 6 * error


def test_clifford_regression_of_a_global_depolarising_channel_is_exact() -> None:
    from mitiq.cdr import execute_with_cdr

    def mixed(circuit: QuantumCircuit) -> np.ndarray:
        return 0.7 * probabilities(circuit) + 0.3 / 8

    exact = float(probabilities(native_circuit()) @ SIGN)
    theirs = execute_with_cdr(
        native_circuit(),
        lambda circuit: float(mixed(circuit) @ SIGN),
        simulator=lambda circuit: float(probabilities(circuit) @ SIGN),
        num_training_circuits=8,
        fraction_non_clifford=0.6,
        random_state=1,
    )
    assert theirs == pytest.approx(exact, abs=1e-6)
    assert ours("cdr(16,slope,non_clifford=0.6)", mixed) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("level", [0.003, 0.05])
def test_inverse_of_a_depolarised_gate(level: float) -> None:
    from mitiq.pec.representations import represent_operation_with_global_depolarizing_noise

    gate = QuantumCircuit(2)
    gate.cz(0, 1)
    theirs = represent_operation_with_global_depolarizing_noise(gate, level)
    # mitiq's level is the chance of any of the fifteen Paulis
    eigenvalues = np.full((4, 4), 1 - 16 / 15 * level)
    eigenvalues[0, 0] = 1.0
    mine = inverted(PauliNoise(0, True, eigenvalues))
    assert mine.gamma == pytest.approx(theirs.norm)
    assert sorted(mine.weights.ravel()) == pytest.approx(sorted(theirs.coeffs))

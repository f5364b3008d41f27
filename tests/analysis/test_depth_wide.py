"""What a depth report knows of circuits too wide for a vector of all outcomes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qhw.analysis.depth import wide
from qhw.analysis.depth.subjects import circuit_subject
from qhw.analysis.depth.verdict import beats_constant, shots_for
from qhw.analysis.depth.wide import WideExact, wide_exact
from qhw.analysis.scores.baselines import shot_floor_of_seen, shot_floor_total_variation


def ghz(n: int) -> QuantumCircuit:
    circuit = QuantumCircuit(n, name=f"ghz{n}")
    circuit.h(0)
    for q in range(n - 1):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


def turned(n: int, angles: list[float]) -> QuantumCircuit:
    """All outcomes as likely but for as many qubits as there are angles."""
    circuit = QuantumCircuit(n, name="turned")
    for q in range(n):
        circuit.ry(angles[q] if q < len(angles) else math.pi / 2, q)
    circuit.cz(0, 1)
    circuit.measure_all()
    return circuit


def test_a_wide_stabilizer_state_is_judged_exactly() -> None:
    subject = circuit_subject(ghz(40), "x")
    assert subject.spread == pytest.approx(1 - 2.0**-39, abs=1e-12)
    assert subject.note.startswith("exact by stabilizer: Clifford circuit")
    assert beats_constant(subject, 0.8, 1000).yes is True
    needed = shots_for(subject, 0.03, 0.05)  # two outcomes of a half each, as of a coin
    assert needed == pytest.approx(1 / (2 * np.pi * (0.05**2 - 0.03**2)), rel=0.03)
    even = QuantumCircuit(16, name="even")
    even.h(range(16))
    even.measure_all()
    assert beats_constant(circuit_subject(even, "x"), 0.99, 1000).yes is False


def test_a_wide_product_state_is_judged_within_its_error() -> None:
    angles = [0.4, 1.0]
    found = wide_exact(turned(30, angles))
    assert isinstance(found, WideExact)
    p = np.ones(1)
    for angle in angles:
        p = np.kron(p, [math.cos(angle / 2) ** 2, math.sin(angle / 2) ** 2])
    spread = np.abs(p - 1 / len(p)).sum() / 2
    assert found.spread == pytest.approx(spread, abs=0.03)
    assert "matrix product state" in found.note
    assert "discarded weight" in found.note
    assert "± 0." in found.note


def test_what_is_seen_says_what_the_vector_says() -> None:
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.ry(0.5 + 0.3 * q, q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    p = Statevector(circuit).probabilities()
    rng = np.random.default_rng(3)
    seen = p[rng.choice(len(p), 20_000, p=p)]
    for shots in (1, 30, 5000):
        whole = float(shot_floor_total_variation(p, shots))
        assert shot_floor_of_seen(seen, shots) == pytest.approx(whole, rel=0.03)


def test_what_would_take_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "MOST_WORK", 1e5)
    said = wide_exact(turned(18, [0.3]))
    assert isinstance(said, str)
    assert said.startswith("18 qubits: exact output not computed: a statevector of 18 qubits")
    assert "multiplications" in said
    assert circuit_subject(turned(18, [0.3]), "x").spread is None
    monkeypatch.setattr(wide, "MOST_GATES", 5)
    assert "more than 5 gates" in str(wide_exact(turned(18, [0.3])))

"""Shots for a wanted error of an observable, of a device by its predicted success."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qhw.analysis.depth.observed import observed
from qhw.analysis.depth.subjects import circuit_subject
from qhw.analysis.depth.sweep import sweep


def turned(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="turned")
    circuit.ry(angle, 0)
    circuit.measure_all()
    return circuit


def test_shots_are_those_of_a_coin_with_the_devices_bias() -> None:
    (z,) = observed(turned(0.8), ["0.5 * IZ + 2 * II"])
    assert z.value == pytest.approx(2 + 0.5 * math.cos(0.8))
    f, error = 0.95, 0.05
    value = 0.5 * f * math.cos(0.8)
    bias = 0.5 * (1 - f) * math.cos(0.8)
    assert z.shots(f, error) == math.ceil((0.25 - value**2) / (error**2 - bias**2))
    assert z.shots(0.5, error) is None  # its bias alone is larger
    (both,) = observed(turned(0.8), ["XZ + ZX"])  # two bases, half the shots each
    n = both.shots(1.0, 0.1)
    spread = (1 - 0.0) + (1 - math.sin(0.8) ** 2)
    assert n == pytest.approx(2 * spread / 0.1**2, abs=2)


def test_predicted_errors_are_those_of_shots_drawn() -> None:
    (z,) = observed(turned(0.8), ["IZ"])
    f, error = 0.9, 0.1
    n = z.shots(f, error)
    one = (1 - f * math.cos(0.8)) / 2
    draws = 1 - 2 * np.random.default_rng(2).binomial(n, one, 20_000) / n
    assert np.sqrt(((draws - math.cos(0.8)) ** 2).mean()) == pytest.approx(error, rel=0.02)


def test_a_report_prices_the_error_of_an_observable() -> None:
    subject = circuit_subject(turned(0.8), "x")
    found = sweep([subject], "iqm_garnet", levels=(1,), seeds=1, error=0.02, observables=["Z0"])
    (row,) = found.rows
    (z,) = observed(subject.circuit, ["Z0"])
    assert row.shots_for_error == z.shots(row.best.success, 0.02)
    assert row.cost_for_error.usd > 0
    assert found.observables == ("Z0",)
    with pytest.raises(ValueError, match="must come with"):
        sweep([subject], "iqm_garnet", levels=(1,), seeds=1, observables=["Z0"])
    with pytest.raises(ValueError, match="turned: Argument `observables` must name bits below"):
        sweep([subject], "iqm_garnet", levels=(1,), seeds=1, error=0.1, observables=["Z5"])

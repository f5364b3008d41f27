"""A calibration with its noise scaled is the same model as the noise options make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from calibration.catalog import load_snapshot
from calibration.fitted import FITTED, fitted_to_counts, is_fitted, scaled
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize("device", ["ibm_lagos", "iqm_garnet"])
@pytest.mark.parametrize("factor", [0.0, 0.5, 2.5])
def test_scaled_calibration_and_scaled_options_give_the_same(device, factor):
    snapshot = load_snapshot(device)
    qc = QuantumCircuit(3, 3)
    qc.h(0)
    qc.cx(0, 1)
    qc.cx(1, 2)
    qc.x(0)
    qc.measure(range(3), range(3))
    compiled = AerBackend(snapshot).compile(qc)
    wanted = AerBackend(snapshot, noise=NoiseOptions().scaled(factor))
    found = AerBackend(scaled(snapshot, factor))
    fitted = replace(compiled, snapshot=scaled(snapshot, factor))
    x = np.empty((1, 0))
    assert found.probabilities(fitted, x) == pytest.approx(
        wanted.probabilities(compiled, x), abs=1e-12
    )


def test_it_says_that_it_is_fitted_and_reads_back():
    base = load_snapshot("ibm_lagos")
    fitted = fitted_to_counts(base, 1.7, taken=NOW, counts="probes of today")
    assert fitted.source.startswith(f"{FITTED} of probes of today: 1.7 times the noise of")
    assert (fitted.name, fitted.taken) == ("ibm_lagos_fitted", NOW)
    assert is_fitted(fitted) and not is_fitted(base)
    assert DeviceSnapshot.from_json(fitted.to_json()) == fitted
    assert fitted.median_two_qubit_error() == pytest.approx(1.7 * base.median_two_qubit_error())
    again = fitted_to_counts(fitted, 1.1, taken=NOW, counts="probes of tomorrow")
    assert again.name == "ibm_lagos_fitted"


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_no_such_factor(factor):
    with pytest.raises(ValueError, match="Argument `factor` must be 0 or more"):
        scaled(load_snapshot("ibm_lagos"), factor)

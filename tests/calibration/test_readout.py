from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backends.aer import AerBackend
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from calibration.catalog import load_snapshot
from calibration.noise import DeviceNoise
from calibration.readout import (
    ReadoutCalibration,
    calibration_states,
    fit_readout,
)
from qhw.mitigation.calibrate import calibrate_readout, calibration_template, measured_device_qubits
from qhw.mitigation.readout import confusion_factors, inverse
from tests.backends.circuits import staircase_circuit, staircase_distribution
from tests.calibration.factory import line_device

TAKEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOTS = 40_000
SINGLES = np.array([[[0.97, 0.06], [0.03, 0.94]], [[0.99, 0.04], [0.01, 0.96]]])
PAIR = np.array(
    [
        [0.95, 0.05, 0.03, 0.02],
        [0.02, 0.91, 0.01, 0.04],
        [0.02, 0.01, 0.93, 0.06],
        [0.01, 0.03, 0.03, 0.88],
    ]
)


def sampled(matrix: np.ndarray, m: int, seed: int = 0) -> ReadoutCalibration:
    """Calibration from shots of a known joint confusion matrix."""
    states = calibration_states(m)
    prepared = states @ (1 << np.arange(m)[::-1])
    counts = np.random.default_rng(seed).multinomial(SHOTS, matrix[:, prepared].T)
    qubits = list(range(20, 20 + m))
    return fit_readout(states, counts, qubits, device="test", taken=TAKEN)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 7, 8, 10])
def test_any_three_qubits_see_all_eight_states_equally_often(m: int) -> None:
    states = calibration_states(m)
    assert len(states) == 2 * 2 ** math.ceil(math.log2(m))
    for k in range(1, min(m, 3) + 1):
        for where in itertools.combinations(range(m), k):
            seen, often = np.unique(states[:, list(where)], axis=0, return_counts=True)
            assert len(seen) == 2**k
            assert len(set(often.tolist())) == 1


def test_fit_finds_independent_errors_within_error_bars() -> None:
    third = np.array([[0.9, 0.2], [0.1, 0.8]])
    found = sampled(np.kron(np.kron(SINGLES[0], SINGLES[1]), third), 3)
    for qubit, truth in zip(found.qubits, [*SINGLES, third], strict=True):
        assert abs(qubit.p10 - truth[1, 0]) < 4 * qubit.p10_error
        assert abs(qubit.p01 - truth[0, 1]) < 4 * qubit.p01_error
        # each value is prepared in four of the eight states
        spread = math.sqrt(truth[1, 0] * truth[0, 0] / (4 * SHOTS))
        assert qubit.p10_error == pytest.approx(spread, rel=0.05)
    assert [p.qubits for p in found.pairs] == [(20, 21), (20, 22), (21, 22)]
    assert found.correlated_pairs([20, 21, 22], least=4.0) == []


def test_fit_finds_correlated_errors() -> None:
    found = sampled(np.kron(PAIR, SINGLES[0]), 3)
    [pair] = found.correlated_pairs([22, 21, 20], least=4.0)
    assert pair.qubits == (20, 21)
    assert (np.abs(np.array(pair.matrix) - PAIR) < 4.5 * np.array(pair.errors)).all()
    apart = np.kron(found.qubits[0].matrix(), found.qubits[1].matrix())
    assert pair.correlation == pytest.approx(np.abs(np.array(pair.matrix) - apart).max())
    assert found.correlated_pairs([20, 22], least=4.0) == []


def test_fitted_pairs_recover_what_single_qubits_cannot() -> None:
    calibration = sampled(np.kron(PAIR, SINGLES[0]), 3)
    truth = np.random.default_rng(4).dirichlet(np.ones(8))
    # qubits named in another order than they were calibrated in
    compiled = calibration_template(None, [22, 20, 21])
    turned = (np.kron(PAIR, SINGLES[0]) @ truth).reshape(2, 2, 2).transpose(2, 0, 1).reshape(-1)
    wanted = truth.reshape(2, 2, 2).transpose(2, 0, 1).reshape(-1)
    paired = inverse(confusion_factors(compiled, calibration)) @ turned
    tensored = inverse(confusion_factors(compiled, calibration, pairs=False)) @ turned
    assert np.abs(paired - wanted).sum() / 2 < 0.005
    assert np.abs(tensored - wanted).sum() / 2 > 2 * np.abs(paired - wanted).sum() / 2


@pytest.mark.parametrize("name", ["ibm_fez", "iqm_garnet"])
def test_calibration_through_a_backend_finds_the_devices_errors(name: str) -> None:
    device = load_snapshot(name)
    backend = AerBackend(device)
    qubits = [5, 3, 4]
    found = calibrate_readout(backend, qubits, shots=SHOTS, seed=1)
    assert [q.qubit for q in found.qubits] == qubits
    assert (found.device, found.shots, found.states) == (f"aer:{name}", SHOTS, 8)
    noise = DeviceNoise(device)
    for fit in found.qubits:
        truth = noise.confusion(fit.qubit)
        # preparing takes up to two pulses; a depolarised qubit flips at most 3/2 of their error
        pulse = max(g.error or 0.0 for g in device.gates if g.qubits == (fit.qubit,))
        assert abs(fit.p10 - truth[1, 0]) < 4 * fit.p10_error + 3 * pulse
        assert abs(fit.p01 - truth[0, 1]) < 4 * fit.p01_error + 3 * pulse
    assert found.correlated_pairs(qubits, least=4.5) == []
    assert calibrate_readout(backend, qubits, shots=SHOTS, seed=1).qubits == found.qubits


def test_corrected_counts_are_nearer_to_exact() -> None:
    backend = EngineBackend(load_snapshot("ibm_torino"))
    compiled = backend.compile(staircase_circuit(4, (3, 0, 1)))
    qubits = measured_device_qubits(compiled)
    calibration = calibrate_readout(backend, qubits, shots=SHOTS, seed=2)
    angles = np.random.default_rng(0).uniform(0.3, 2.8, (5, 4))
    counts = backend.run(compiled, angles, shots=100_000, seed=3).counts
    exact = np.stack([staircase_distribution(row, (3, 0, 1)) for row in angles])
    fixed = counts / 100_000 @ inverse(confusion_factors(compiled, calibration)).T
    raw = np.abs(counts / 100_000 - exact).sum(axis=1)
    assert (np.abs(fixed - exact).sum(axis=1) < raw).all()


def test_json_and_what_is_refused() -> None:
    calibration = sampled(np.kron(*SINGLES), 2)
    assert ReadoutCalibration.from_json(calibration.to_json()) == calibration
    newer = json.loads(calibration.to_json()) | {"schema_version": 7}
    for text, message in (
        ("{", "mine.json must be JSON"),
        (json.dumps(newer), "schema_version 1 to 1, but has 7"),
        (json.dumps({"schema_version": 1}), "mine.json: `device`"),
    ):
        with pytest.raises(ValueError, match=message):
            ReadoutCalibration.from_json(text, "mine.json")
    with pytest.raises(ValueError, match=r"among the calibrated \[20, 21\], but holds \[3\]"):
        calibration.matrices([20, 3])
    backend = ExactBackend()
    for qubits in ([], [1, 1], list(range(11))):
        with pytest.raises(ValueError, match="must be 1 to 10 distinct"):
            calibrate_readout(backend, qubits, shots=10, seed=0)
    with pytest.raises(ValueError, match="distinct numbers below 2"):
        calibrate_readout(AerBackend(line_device(2)), [0, 5], shots=10, seed=0)
    with pytest.raises(ValueError, match="must prepare all 4 states"):
        fit_readout([[0, 0], [1, 1]], np.eye(2, 4) * 9, [0, 1], device="d", taken=TAKEN)
    with pytest.raises(ValueError, match="must have equal shots"):
        fit_readout([[0], [1]], [[5, 1], [1, 4]], [0], device="d", taken=TAKEN)
    ideal = calibrate_readout(backend, [0, 1], shots=100, seed=0)
    assert all((q.p10, q.p01) == (0, 0) and q.p10_error > 0 for q in ideal.qubits)


def test_golden_file_still_loads() -> None:
    text = (Path(__file__).parent / "golden" / "readout_v1.json").read_text()
    found = ReadoutCalibration.from_json(text)
    assert (found.device, found.taken, found.shots, found.states) == ("test", TAKEN, SHOTS, 4)
    assert found.pairs[0].qubits == (20, 21)
    np.testing.assert_allclose(np.array(found.pairs[0].matrix), PAIR, atol=0.01)

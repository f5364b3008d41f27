"""IBM's local mode behind the protocol of a paid device."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from backends.aer import AerBackend
from backends.base import BackendError, UnknownBackendError
from backends.ibm.emulator import IBMEmulator
from backends.ibm.program import IBMOptions
from backends.registry import get_backend, get_vendor
from backends.vendor import JobState, Submission, SubmissionRefused, VendorBackend
from tests.backends.circuits import staircase_circuit, staircase_distribution

ANGLES = np.array([[0.3, 1.0, 2.0, 0.5], [2.8, 0.1, 0.7, 1.9]])
SHOTS = 20_000


@pytest.mark.parametrize("device", ["ibm_torino", "ibm_sherbrooke"])
def test_equals_the_simulator(device: str) -> None:
    emulator, simulator = get_vendor(f"emulator:{device}"), get_backend(f"aer:{device}")
    assert isinstance(emulator, VendorBackend) and isinstance(simulator, AerBackend)
    measured = (2, 0, 3)
    submission = Submission(emulator.compile(staircase_circuit(4, measured)), ANGLES, SHOTS)
    handle = emulator.submit(submission, "key")
    assert emulator.status(handle).state is JobState.DONE
    counts = emulator.fetch(handle, submission).counts
    noisy = simulator.probabilities(simulator.compile(staircase_circuit(4, measured)), ANGLES)
    ideal = np.array([staircase_distribution(row, measured) for row in ANGLES])
    spread = np.sqrt(noisy * (1 - noisy) / SHOTS)
    assert (np.abs(counts / SHOTS - noisy) < 5 * spread + 1e-4).all()
    assert not (np.abs(counts / SHOTS - ideal) < 5 * spread + 1e-4).all()


def test_same_key_same_counts_after_a_restart() -> None:
    first = IBMEmulator("ibm_boston")
    submission = Submission(first.compile(staircase_circuit(4)), ANGLES, 500)
    counts = first.fetch(first.submit(submission, "key"), submission).counts
    again = IBMEmulator("ibm_boston")
    (handle,) = again.find("key", datetime.now(UTC))
    assert np.array_equal(again.fetch(handle, submission).counts, counts)
    other = again.fetch(again.submit(submission, "other"), submission).counts
    assert not np.array_equal(other, counts)
    assert again.usage(handle).usd == again.estimate(submission).usd == 0.0


def test_twirling_keeps_the_distribution() -> None:
    emulator = IBMEmulator("ibm_boston", options=IBMOptions(twirl_gates=True, twirl_readout=True))
    submission = Submission(emulator.compile(staircase_circuit(4)), ANGLES, 4096)
    counts = emulator.fetch(emulator.submit(submission, "key"), submission).counts
    ideal = np.array([staircase_distribution(row, (0, 1, 2, 3)) for row in ANGLES])
    assert (np.abs(counts / 4096 - ideal).sum(axis=1) / 2 < 0.06).all()


def test_refuses_what_the_device_refuses() -> None:
    emulator = IBMEmulator("ibm_boston")
    submission = Submission(emulator.compile(staircase_circuit(4)), ANGLES, 0)
    with pytest.raises(SubmissionRefused, match="shots"):
        emulator.submit(submission, "key")
    with pytest.raises(BackendError, match="decoupling"):
        IBMEmulator("ibm_boston", options=IBMOptions(decoupling="XX"))
    with pytest.raises(UnknownBackendError, match="ibm_boston"):
        get_vendor("emulator:ibm_bostn")

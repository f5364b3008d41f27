"""Circuits as rows of equal shots: as many jobs as the device needs, never more shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from backends.base import CircuitBatch, ShotResult
from backends.exact import ExactBackend
from backends.registry import get_vendor
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from calibration.parts import JobLimits
from qhw.jobs.intent import group_batches
from qhw.mitigation.equal_shots import equal_shots, folded


def one_qubit(*gates: str) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    for gate in gates:
        getattr(circuit, gate)(0)
    circuit.measure(0, 0)
    return circuit


COMPILED = ExactBackend().compile(one_qubit("h"))
OTHER = replace(COMPILED, physical_qubits=(5,))


def batches(shots: list[int], rows: int = 1) -> list[CircuitBatch]:
    return [CircuitBatch(f"b{i}", COMPILED, np.empty((rows, 0)), n) for i, n in enumerate(shots)]


def total(sent: tuple[CircuitBatch, ...] | list[CircuitBatch]) -> int:
    return sum(len(b.angles) * b.shots for b in sent)


def jobs(sent: Sequence[CircuitBatch], limits: JobLimits) -> int:
    """Vendor jobs, as the clients cut them."""
    groups = group_batches(sent, join=True).values()
    rows = [sum(len(b.angles) for b in members) for members in groups]
    return sum(math.ceil(count / (limits.max_circuits or 1)) for count in rows)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=40),
    st.integers(1, 3),
    st.integers(1, 200),
    st.none() | st.integers(1, 300),
)
def test_never_more_shots_nor_more_jobs(
    shots: list[int], rows: int, least: int, most: int | None
) -> None:
    limits = JobLimits(min_shots=least, max_circuits=most)
    asked = batches(shots, rows)
    sent = equal_shots(asked, limits)
    assert [b.label for b in sent] == [b.label for b in asked]
    assert total(sent) <= total(asked)
    changed = [b for a, b in zip(asked, sent, strict=True) if a is not b]
    if not changed:
        return
    assert jobs(sent, limits) < jobs(asked, limits)
    assert min(b.shots for b in changed) >= least
    # what is left over is less than a shot a row
    assert total(asked) - total(sent) < sum(len(b.angles) for b in sent)
    if len({b.shots for b in sent}) == 1:
        copies = np.array([len(b.angles) / rows for b in sent])
        aim = min(max(32, 2 * len(shots)), (most or 1) // rows, sum(shots) // least)
        assert (np.abs(copies - np.array(shots) * aim / sum(shots)) <= 1).all()


def test_many_bases_take_few_jobs() -> None:
    """A chemist's observable: a hundred bases, two folds each, shots falling off slowly."""
    shots = [n for i in range(100) for n in (3000 - 20 * i, 1000 - 7 * i)]
    for device, most in (("ibm_boston", 2), ("iqm_garnet", 6)):
        limits = load_snapshot(device).job_limits
        asked = batches(shots)
        sent = equal_shots(asked, limits)
        assert jobs(asked, limits) > 190 and jobs(sent, limits) <= most
        got = np.array([len(b.angles) * b.shots for b in sent])
        assert sum(np.array(shots) ** 2 / got) < 1.1 * sum(shots)


def test_shares_of_a_usual_run_are_kept() -> None:
    """Six circuits of three bases and two folds, as `qhw expect` makes them of 20,000 shots."""
    shots = [8978, 2992, 4015, 1338, 2008, 669]
    sent = equal_shots(batches(shots), JobLimits(max_circuits=300))
    got = np.array([len(b.angles) * b.shots for b in sent])
    assert total(sent) > 0.99 * sum(shots)
    # the variance of an optimum grows by the square of what shares are off
    assert sum(np.array(shots) ** 2 / got) < 1.01 * sum(shots)


@pytest.mark.parametrize(
    ("shots", "limits"),
    [
        ([500, 500, 500], JobLimits(max_circuits=300)),  # they share a job already
        ([9000, 1000], JobLimits()),  # one circuit a task
        ([9000, 1000], JobLimits(max_circuits=3)),  # too few to keep the shares
        ([300, 30], JobLimits(min_shots=100, max_circuits=300)),  # too few shots
    ],
)
def test_what_gains_nothing_stays(shots: list[int], limits: JobLimits) -> None:
    asked = batches(shots)
    assert list(equal_shots(asked, limits)) == asked


@pytest.mark.parametrize("circuits", [None, 300])
def test_no_row_has_more_shots_than_the_device_takes(circuits: int | None) -> None:
    limits = JobLimits(max_shots=5000, max_circuits=circuits)
    for shots in ([12_001], [400_000, 100_000, 7], [12_000, 12_000]):
        asked = batches(shots)
        sent = equal_shots(asked, limits)
        assert max(b.shots for b in sent) <= 5000
        assert 0.98 * total(asked) < total(sent) <= total(asked)


def test_other_places_are_other_jobs() -> None:
    asked = [*batches([4000, 1000]), CircuitBatch("c", OTHER, np.empty((4, 0)), 77)]
    sent = equal_shots(asked, JobLimits(max_circuits=300))
    assert sent[2] is asked[2] and sent[0].shots == sent[1].shots
    assert len(group_batches(sent, join=True)) == 2


def test_copies_are_added_up_row_by_row() -> None:
    counts = np.arange(12).reshape(6, 2)
    errors = {0: "first", 2: "again", 4: "thrice", 3: "one of three"}
    result = ShotResult(counts, 7, "x", None, datetime.now(UTC), errors)
    batch = replace(batches([21], rows=2)[0])
    added, failed = folded(batch, result)
    # copies hold rows 0 and 1 in turn
    assert added.tolist() == [[0 + 4 + 8, 1 + 5 + 9], [2 + 6 + 10, 3 + 7 + 11]]
    assert failed == {0: "first"}


def test_real_devices_take_many_circuits_or_one() -> None:
    sizes = {
        name: len(group_batches(equal_shots(batches([9000, 1000]), limits), join=True))
        for name in ("ibm_boston", "iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise")
        for limits in [load_snapshot(name).job_limits]
    }
    assert sizes == {
        "ibm_boston": 1,
        "iqm_garnet": 1,
        "rigetti_cepheus_1_108q": 1,
        "ionq_forte_enterprise": 2,
    }


@pytest.mark.parametrize("device", ["emulator:ibm_fez", "emulator:iqm_garnet"])
def test_rows_of_one_job_have_shots_of_their_own(device: str) -> None:
    """Their counts are added: were they equal, every error bar would be too small."""
    vendor = get_vendor(device)
    compiled = vendor.compile(one_qubit("h"))
    submission = Submission(compiled, np.empty((24, 0)), 500)
    handle = vendor.submit(submission, "qhw-rows")
    counts = vendor.fetch(handle, submission).counts
    assert (counts.sum(axis=1) == 500).all()
    # about the binomial's variance: a chi-square of 23 degrees of freedom
    spread = ((counts[:, 0] - counts[:, 0].mean()) ** 2).sum() / (500 * 0.25)
    assert 23 / 4 < spread < 23 * 3

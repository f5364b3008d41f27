"""Payloads and results on their own, for every width."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult

from backends.base import CompiledTemplate
from backends.ibm.program import longest_seconds
from backends.ibm.results import check_counts, counts_of
from backends.vendor import Submission, VendorError
from tests.vendors.ibm.conftest import ANGLES


@settings(max_examples=50)
@given(
    bits=st.integers(1, 12),
    rows=st.integers(1, 4),
    shots=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_outcomes_are_counted_as_integers(bits: int, rows: int, shots: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, 2**bits, (rows, shots))
    array = BitArray.from_bool_array(
        (drawn[..., None] >> np.arange(bits) & 1).astype(bool), order="little"
    )
    values, times = np.unique(drawn[0], return_counts=True)
    assert array.get_int_counts((0,)) == dict(zip(values, times, strict=True))
    pub = SamplerPubResult(DataBin(c=array, shape=(rows,)))
    counts, outcomes = counts_of(PrimitiveResult([pub, pub]))
    assert outcomes is None
    expected = np.stack([np.bincount(row, minlength=2**bits) for row in drawn])
    assert np.array_equal(counts, np.concatenate([expected, expected]))


def test_counts_of_another_job_are_refused(compiled: CompiledTemplate) -> None:
    submission = Submission(compiled, ANGLES, 10)
    good = np.zeros((2, 8), dtype=np.int64)
    good[:, 3] = 10
    check_counts(good, None, submission)
    for bad in (good[:1], good[:, :4], good + 1):
        with pytest.raises(VendorError, match="2 rows of 10 shots"):
            check_counts(bad, None, submission)


@pytest.mark.parametrize("seconds", [2.0, 60.0, 5000.0, 1e6])
def test_longest_time_leaves_room_and_ends(seconds: float) -> None:
    longest = longest_seconds(seconds)
    assert longest <= 10_800
    assert longest > seconds or longest == 10_800
    assert json.dumps(longest) == str(longest)

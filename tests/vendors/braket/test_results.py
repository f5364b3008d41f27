"""Result files read by hand-made answers: bit columns, probabilities, damage."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.braket.results import Asked, Rows, read_rows
from backends.vendor import VendorError


def task(**parts: Any) -> dict[str, Any]:
    header = {"name": "braket.task_result.gate_model_task_result", "version": "1"}
    return {"braketSchemaHeader": header, **parts}


def read(document: dict[str, Any], wires: tuple[int, ...], shots: int, rows: int = 1) -> Rows:
    data = json.dumps(document).encode()
    asked = Asked(rows, shots, wires)
    return read_rows("bucket", "folder/results.json", lambda *_: (data, document), asked)


def test_columns_are_found_by_their_qubit() -> None:
    """Qubit 7 always reads 1, qubit 3 never; one more qubit was measured than asked for."""
    document = task(measurements=[[0, 1, 1], [0, 0, 1]], measuredQubits=[3, 5, 7])
    assert read(document, (7, 3), 2).counts.tolist() == [[0, 0, 2, 0]]
    assert read(document, (3, 7), 2).counts.tolist() == [[0, 2, 0, 0]]
    assert read(document, (5,), 2).counts.tolist() == [[1, 1]]


@given(
    counts=st.lists(st.integers(0, 500), min_size=8, max_size=8).filter(any),
    order=st.permutations([0, 1, 2]),
)
def test_exact_shares_give_their_counts_back(counts: list[int], order: list[int]) -> None:
    shots = sum(counts)
    shares = {f"{i:03b}": c / shots for i, c in enumerate(counts) if c}
    document = task(measurementProbabilities=shares, measuredQubits=[4, 5, 6])
    wires = tuple(4 + place for place in order)
    found = read(document, wires, shots).counts
    expected = np.array(counts).reshape(2, 2, 2).transpose(order).ravel()
    assert found.tolist() == [expected.tolist()]


def test_rounded_shares_still_sum_to_the_shots() -> None:
    shares = {"0": 0.33333, "1": 0.66666}
    document = task(measurementProbabilities=shares, measuredQubits=[0])
    assert read(document, (0,), 1000).counts.tolist() == [[333, 667]]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (task(measurements=[[0]], measuredQubits=[1]), r"lacks \[0\]"),
        (task(measuredQubits=[0]), "must hold `measurements`"),
        (task(measurements=[[2]], measuredQubits=[0]), "one bit a qubit"),
        (task(measurements=[[0, 1]], measuredQubits=[0]), "one bit a qubit"),
        (task(measurements=[[0]] * 11, measuredQubits=[0]), "must hold 10 shots, but holds 11"),
        (task(measurementProbabilities={"x": 1.0}, measuredQubits=[0]), "malformed"),
        (task(measurements=[[0], [0, 1]], measuredQubits=[0]), "malformed"),
        (task(measurements=3, measuredQubits=[0]), "one bit a qubit"),
        ({}, "without schema header"),
        ({"braketSchemaHeader": {"name": "braket.task_result.jobs"}}, r"jobs\."),
    ],
)
def test_damaged_results_are_named(document: dict[str, Any], text: str) -> None:
    with pytest.raises(VendorError, match=text):
        read(document, (0,), 10)


def test_rows_of_another_submission() -> None:
    with pytest.raises(VendorError, match="must have 2 rows, but has 1"):
        read(task(measurements=[[0]], measuredQubits=[0]), (0,), 1, rows=2)

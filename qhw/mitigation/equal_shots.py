"""Circuits of different shots as rows of equal shots, so that one vendor job holds them all.

A job holds rows of equal shots, and every job has a price of its own: two seconds of IBM's device,
Braket's fee for a task. A circuit of many shots is therefore several rows, whose counts are added;
so is one of more shots than the device takes of a circuit.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch, ShotResult
from backends.checks import measured_qubits
from calibration.parts import JobLimits

_ROWS = 32
"""Rows that all circuits together become: shots go by parts of 3 %."""


def equal_shots(batches: Sequence[CircuitBatch], limits: JobLimits) -> tuple[CircuitBatch, ...]:
    """The same circuits with about the same shots, never more in all.

    Circuits that cannot share a job, or share one already, or would get too few shots for the
    device, keep their own shots. Otherwise those of one job that had equal shots keep them equal.

    Args:
        batches: labels must differ.
        limits: of one job of the device.
    """
    groups: dict[object, list[CircuitBatch]] = {}
    for batch in batches:
        compiled = batch.compiled
        places = (compiled.physical_qubits, measured_qubits(compiled.circuit))
        alike = (compiled.parameter_names, places, len(batch.angles))
        groups.setdefault(alike, []).append(batch)
    level = [b for group in groups.values() for b in _fewest_jobs(group, limits)]
    sent = {batch.label: _cut(batch, limits.max_shots) for batch in level}
    return tuple(sent[batch.label] for batch in batches)


def _fewest_jobs(group: list[CircuitBatch], limits: JobLimits) -> list[CircuitBatch]:
    """As they are, or some in one job, more in the next, if those are fewer jobs."""
    room = limits.max_circuits or 1
    # two rows a circuit on average, and some room for rounding up
    most = max(1, int(0.4 * room / max(1, len(group[0].angles))))
    count = math.ceil(len(group) / most)
    cuts = [len(group) * part // count for part in range(count + 1)]
    parts = [group[start:end] for start, end in itertools.pairwise(cuts)]
    level = [batch for part in parts for batch in _levelled(part, room, limits.min_shots)]
    return level if _jobs(level, room) < _jobs(group, room) else group


def _jobs(group: Sequence[CircuitBatch], room: int) -> int:
    """Vendor jobs of up to ``room`` rows that they take: one for each number of shots, or more."""
    rows: Counter[int] = Counter()
    for batch in group:
        rows[batch.shots] += len(batch.angles)
    return sum(math.ceil(count / room) for count in rows.values())


def _levelled(group: list[CircuitBatch], room: int, least: int) -> list[CircuitBatch]:
    """Rows of equal shots, two or more for each circuit on average; as they are if that cannot be.

    Args:
        group: circuits with as many rows of angles each.
        room: rows of a job.
        least: shots of a row.
    """
    shots = np.array([batch.shots for batch in group])
    total = int(shots.sum())
    rows = min(max(_ROWS, 2 * len(group)), room // max(1, len(group[0].angles)), total // least)
    if rows < 2 * len(group):
        return group
    copies = np.maximum(1, np.rint(shots * rows / total)).astype(int)
    each = total // int(copies.sum())
    if each < least:
        return group
    return [_copies(b, count, each) for b, count in zip(group, copies.tolist(), strict=True)]


def _cut(batch: CircuitBatch, most: int | None) -> CircuitBatch:
    count = 1 if most is None else math.ceil(batch.shots / most)
    return batch if count == 1 else _copies(batch, count, batch.shots // count)


def _copies(batch: CircuitBatch, count: int, shots: int) -> CircuitBatch:
    return replace(batch, angles=np.tile(batch.angles, (count, 1)), shots=shots)


def folded(batch: CircuitBatch, result: ShotResult) -> tuple[NDArray[np.int64], Mapping[int, str]]:
    """Counts of a batch from what was sent in its place, and why rows have none.

    Args:
        batch: of B rows, before :func:`equal_shots`.
        result: of its rows, all B of them as often as they were sent.

    Returns:
        ``(B, 2**m)``, and the vendor's words for rows of which no copy has counts.
    """
    rows = len(batch.angles)
    counts = result.counts.reshape(-1, rows, result.counts.shape[1]).sum(axis=0)
    copies = len(result.counts) // rows
    failed = {
        row: result.row_errors[row]
        for row in range(rows)
        if all(copy * rows + row in result.row_errors for copy in range(copies))
    }
    return counts, failed

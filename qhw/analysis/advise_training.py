"""Near-Clifford circuits that stand for a model's circuit when pipelines are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backends.statevector import measured_probabilities
from qhw.analysis.bench_subject import BenchSubject
from qhw.mitigation.clifford import near_clifford

FloatArray = NDArray[np.float64]

_CANDIDATES = 12
"""Circuits looked at for each one taken."""


def training_subjects(
    subject: BenchSubject, count: int, keep: float, rng: np.random.Generator
) -> tuple[BenchSubject, ...]:
    """Circuits with the noise of the subject's, known exactly, their outputs spread like its own.

    A depolarised circuit is the further from exact the further its output is from uniform, and
    shots cost the more the more outcomes there are. Of many random candidates those are taken
    whose two figures are nearest to the subject's means.

    Args:
        subject: the model's circuit; its rows lend their angles.
        count: circuits wanted.
        keep: chance of a one-qubit gate that is not Clifford to keep its angles.
        rng: of the choice.

    Returns:
        Each a circuit of its own in as many equal rows as the subject has, so that what rows share
        (calibration, fits) is shared by as many.
    """
    wanted = spread(subject.exact).mean(axis=0)
    scale = np.maximum(wanted, 1e-9)
    found = []
    for i in range(count * _CANDIDATES):
        row = subject.angles[i % len(subject.angles)]
        compiled = near_clifford(subject.compiled, row, keep, rng)
        exact = measured_probabilities(compiled, row[None])
        exact /= exact.sum()
        off = float(np.linalg.norm((spread(exact)[0] - wanted) / scale))
        found.append((off, i, compiled, exact))
    found.sort(key=lambda item: item[:2])
    rows = len(subject.angles)
    return tuple(
        replace(
            subject,
            compiled=compiled,
            angles=np.tile(subject.angles[i % rows], (rows, 1)),
            exact=np.tile(exact, (rows, 1)),
        )
        for _, i, compiled, exact in found[:count]
    )


def spread(p: FloatArray) -> FloatArray:
    """``(K, 2)``: distance to uniform, and shot noise at one shot (both per distribution).

    Args:
        p: distributions ``(K, D)``.
    """
    distance = 0.5 * np.abs(p - 1 / p.shape[1]).sum(axis=1)
    noise = np.sqrt(p * np.maximum(1 - p, 0.0)).sum(axis=1)
    return np.stack([distance, noise], axis=1)

"""Distributions as parities: ``c_S = sum_j (-1)^(S.j) p_j``, one a set ``S`` of measured wires.

Depolarising, dephasing and misread bits each shrink a parity by a factor of its own. The transform
is the Walsh-Hadamard one, its own inverse up to the number of outcomes; a set is numbered like an
outcome, first wire most significant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhw.mitigation.base import FloatArray


def parities(values: FloatArray) -> FloatArray:
    """Parities ``(..., 2**m)`` of (quasi-)distributions ``(..., 2**m)``."""
    m = values.shape[-1].bit_length() - 1
    table = values.reshape(-1, *(2,) * m)
    for wire in range(1, m + 1):
        zero, one = np.take(table, 0, axis=wire), np.take(table, 1, axis=wire)
        table = np.stack([zero + one, zero - one], axis=wire)
    return np.asarray(table.reshape(values.shape), dtype=np.float64)


def from_parities(values: FloatArray) -> FloatArray:
    """The inverse of :func:`parities`."""
    return parities(values) / values.shape[-1]


def wires_in(outcomes: int) -> NDArray[np.int64]:
    """Number of wires in each set ``(outcomes,)``."""
    return np.array([i.bit_count() for i in range(outcomes)], dtype=np.int64)


def leading_wires(features: FloatArray) -> NDArray[np.int64]:
    """How many wires the parities have that make up most of each functional ``(K, 2**m)``.

    Returns:
        ``(K,)``, 1 to m: a product of Z on ``k`` wires has ``k``.
    """
    power = parities(features) ** 2
    sizes = wires_in(features.shape[1])
    totals = np.stack([power[:, sizes == k].sum(axis=1) for k in range(1, sizes.max() + 1)])
    return np.asarray(totals.argmax(axis=0) + 1, dtype=np.int64)

"""Near-Clifford circuits that stand for a model's circuit when pipelines are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from qhw.mitigation.clifford import near_clifford
from qhw.mitigation.placed import Placed

FloatArray = NDArray[np.float64]

_CANDIDATES = 12
"""Circuits looked at for each one taken."""


def training_subjects(
    subject: Placed, count: int, keep: float, rng: np.random.Generator
) -> tuple[Placed, ...]:
    """Circuits with the noise of the subject's, known exactly, their outputs spread like its own.

    A depolarised circuit is the further from exact the further its output is from uniform, and
    shots cost the more the more outcomes there are. Of many random candidates those are taken
    whose two figures are nearest to the subject's. Fixed angles are snapped, data angles stay.

    Args:
        subject: the model's circuit; its rows lend their angles.
        count: circuits wanted.
        keep: chance of a one-qubit gate that is not Clifford to keep its angles.
        rng: of the choice.

    Returns:
        Each with the subject's rows of data, so that what rows share (calibration, fits) is shared
        by as many.
    """
    wanted = spread(subject.exact).mean(axis=0)
    scale = np.maximum(wanted, 1e-9)
    found = []
    for i in range(count * _CANDIDATES):
        compiled = _snapped(subject.compiled, subject.angles[0], keep, rng)
        circuit = replace(subject, compiled=compiled)
        off = float(np.linalg.norm((spread(circuit.exact).mean(axis=0) - wanted) / scale))
        found.append((off, i, circuit))
    found.sort(key=lambda item: item[:2])
    return tuple(circuit for _, _, circuit in found[:count])


def _snapped(
    compiled: CompiledTemplate, row: FloatArray, keep: float, rng: np.random.Generator
) -> CompiledTemplate:
    """Fixed angles snapped, free ones free.

    A free angle keeps its gate from being merged with its neighbours when the circuit is twirled
    or folded; bound ones would merge, and the circuit would have fewer pulses than its model.
    """
    bound = near_clifford(compiled, row, keep, rng).circuit
    circuit = compiled.circuit.copy_empty_like()
    for own, snapped in zip(compiled.circuit.data, bound.data, strict=True):
        circuit.append(own if own.operation.is_parameterized() else snapped)
    return replace(compiled, circuit=circuit)


def spread(p: FloatArray) -> FloatArray:
    """``(K, 2)``: distance to uniform, and shot noise at one shot (both per distribution).

    Args:
        p: distributions ``(K, D)``.
    """
    distance = 0.5 * np.abs(p - 1 / p.shape[1]).sum(axis=1)
    noise = np.sqrt(p * np.maximum(1 - p, 0.0)).sum(axis=1)
    return np.stack([distance, noise], axis=1)

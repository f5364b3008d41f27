"""Detunings of one shot that an average runs over, and whether they are enough of them.

The average of ``cos(s x)`` over few nodes is right while the phase spread ``s`` of a qubit is
small, and wrong without a trace beyond: three nodes can give a whole fringe where none is left.
Whether a circuit feels it (an echo does not) shows when two more nodes are taken on every axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from backends.engine.quadrature import gaussian_nodes, gaussian_rule
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, NoiseOptions
from calibration.snapshot import DeviceSnapshot

FloatArray = NDArray[np.float64]
Realisation = tuple[float, DeviceNoise | None]
"""Weight and noise of a node."""

_DOUBTFUL = 0.01
"""Largest error of a fringe for which nothing is compared."""
LARGEST_GAP = 0.02
"""Total variation distance to a finer average beyond which one is refused."""


def realisations(part: DeviceSnapshot, options: NoiseOptions, level: int) -> list[Realisation]:
    """Weight and noise of every node of the average over detunings (one where there is none).

    Args:
        part: the device cut to a circuit's qubits.
        options: strength of each source.
        level: see :func:`backends.engine.quadrature.gaussian_nodes`.
    """
    spread = _spreads(part, options)
    loose = np.flatnonzero(spread)
    if not len(loose):
        return [(1.0, DeviceNoise(part, options))]
    nodes, weights = gaussian_nodes(len(loose), level)
    offsets = np.zeros((len(nodes), part.n_qubits))
    offsets[:, loose] = nodes * spread[loose]
    return _weighted(part, options, offsets, weights)


def finer_minus_this(
    compiled: CompiledTemplate, part: DeviceSnapshot, options: NoiseOptions, level: int
) -> list[Realisation]:
    """What two more nodes on every axis change; none where the phases are surely small enough.

    Weights add up to 0. The sum of distributions so weighted is the change of the average to first
    order in the number of qubits that a finer rule would treat otherwise.

    Args:
        compiled: the circuit.
        part: the device cut to its qubits.
        options: strength of each source.
        level: of the average.
    """
    spread = _spreads(part, options)
    if _fringe_error(float((spread * _exposure(compiled, part)).max(initial=0.0)), level) <= (
        _DOUBTFUL
    ):
        return []
    points = len(gaussian_rule(level))
    fine = gaussian_rule(points + 1)
    signed = [*fine, *((x, -weight) for x, weight in gaussian_rule(level))]
    offsets, weights = [], []
    for qubit in np.flatnonzero(spread):
        for x, weight in signed:
            row = np.zeros(part.n_qubits)
            row[qubit] = x * spread[qubit]
            offsets.append(row)
            weights.append(weight)
    return _weighted(part, options, np.array(offsets), np.array(weights))


def _weighted(
    part: DeviceSnapshot, options: NoiseOptions, offsets: FloatArray, weights: FloatArray
) -> list[Realisation]:
    return [
        (float(weight), DeviceNoise(part, options, tuple(row.tolist())))
        for weight, row in zip(weights, offsets, strict=True)
    ]


def _spreads(part: DeviceSnapshot, options: NoiseOptions) -> FloatArray:
    return np.array([options.detuning_rad_s(label) for label in part.labels])


def _exposure(compiled: CompiledTemplate, part: DeviceSnapshot) -> FloatArray:
    """Seconds in which each qubit's frequency offset turns it: gates and waits."""
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    seconds = np.zeros(part.n_qubits)
    for item in compiled.circuit.data:
        qubits = [index[q] for q in item.qubits]
        if item.operation.name == "delay":
            seconds[qubits] += delay_seconds(item.operation, part.dt_s)
        elif item.operation.name not in (*part.virtual_gates, "barrier", "measure"):
            gate = part.gate(item.operation.name, qubits)
            seconds[qubits] += (gate.duration_s if gate else None) or 0.0
    return seconds


def _fringe_error(spread: float, level: int) -> float:
    """Largest error of ``<cos(s x)> = exp(-s**2 / 2)`` for ``s`` up to a phase spread, radians."""
    s = np.linspace(0.0, spread, 201)
    found = sum(weight * np.cos(s * x) for x, weight in gaussian_rule(level))
    return float(np.abs(found - np.exp(-(s**2) / 2)).max())

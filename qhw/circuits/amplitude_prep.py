"""Exact preparation of real signed amplitudes: a tree of multiplexed RY gates.

Level ``k`` turns wire ``k`` by an angle chosen by the wires above it; the choice is a Gray-code
sequence of RY and CX, so the structure is the same for every vector and only angles are data.

Source: Mottonen, Vartiainen, Bergholm, Salomaa, "Transformation of quantum states using uniformly
controlled rotations" (2005), theorem 8 and equation (3) for real vectors.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qhw.circuits.amplitudes import check_amplitudes

FloatArray = NDArray[np.float64]


def tree_angle_count(n_wires: int) -> int:
    """Number of rotations of the tree on ``n_wires`` wires: ``2**n_wires - 1``."""
    return int(2**n_wires - 1)


def tree_angles(amplitudes: FloatArray) -> FloatArray:
    """Rotation angles that prepare each row, whatever its scale and signs.

    Args:
        amplitudes: real ``(B, 2**m)``, index most significant bit = first wire; each row is
            prepared as ``row / |row|``.

    Returns:
        ``(B, 2**m - 1)`` radians, level by level, in the order of ``tree_circuit``.

    Raises:
        ValueError: not a matrix of width a power of two >= 2, or a row is not finite or is zero.
    """
    a = check_amplitudes(amplitudes)
    m = a.shape[1].bit_length() - 1
    # The last level carries the signs; every level above it only sees subtree norms.
    levels = [2.0 * np.arctan2(a[:, 1::2], a[:, ::2])]
    norms = np.hypot(a[:, ::2], a[:, 1::2])
    for _ in range(m - 1):
        levels.append(2.0 * np.arctan2(norms[:, 1::2], norms[:, ::2]))
        norms = np.hypot(norms[:, ::2], norms[:, 1::2])
    rotations = [level @ _gray_transform(level.shape[1]) for level in reversed(levels)]
    return np.concatenate(rotations, axis=1)


def tree_circuit(n_wires: int, parameters: list[Parameter]) -> QuantumCircuit:
    """The tree as a Qiskit circuit on ``n_wires`` qubits, ``2**n_wires - 2`` CX.

    Args:
        n_wires: m; wire ``w`` is qubit ``m - 1 - w``.
        parameters: ``2**m - 1`` parameters, the columns of ``tree_angles``.

    Raises:
        ValueError: wrong number of parameters.
    """
    if len(parameters) != tree_angle_count(n_wires):
        raise ValueError(
            f"Argument `parameters` must have {tree_angle_count(n_wires)} entries for "
            f"{n_wires} wires, but has {len(parameters)}."
        )
    circuit = QuantumCircuit(n_wires)
    angle = iter(parameters)
    for level in range(n_wires):
        target = n_wires - 1 - level
        size = 2**level
        for i in range(size):
            circuit.ry(next(angle), target)
            if size > 1:
                # Bit j of the control pattern is wire level-1-j, which is qubit target+1+j.
                changed = _gray(i) ^ _gray((i + 1) % size)
                circuit.cx(target + changed.bit_length(), target)
    return circuit


def _gray(i: int) -> int:
    return i ^ (i >> 1)


@cache
def _gray_transform(size: int) -> FloatArray:
    """Matrix ``T`` with ``rotations = thetas @ T`` for one multiplexer of ``size`` patterns.

    Rotation i acts under the CX pattern gray(i), so pattern b turns by
    ``theta_b = sum_i (-1)^(b . gray(i)) t_i``; the sign matrix is orthogonal up to 1/size.
    """
    pattern = np.arange(size)[:, None]
    gray = pattern.T ^ (pattern.T >> 1)
    return np.where(np.bitwise_count(pattern & gray) % 2, -1.0, 1.0) / size

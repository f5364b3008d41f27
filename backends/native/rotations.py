"""Rotations of one qubit as 2 x 2 matrices, global phase ignored throughout."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

TOLERANCE = 1e-9
"""Angles closer than this (radians) are equal: far below what any device resolves."""

IDENTITY: Matrix = np.eye(2, dtype=complex)
HADAMARD: Matrix = np.array([[1, 1], [1, -1]], dtype=np.complex128) * math.sqrt(0.5)
PAULI_X: Matrix = np.array([[0, 1], [1, 0]], dtype=complex)
PAULI_Z: Matrix = np.array([[1, 0], [0, -1]], dtype=complex)


def rz(angle: float) -> Matrix:
    """Rotation about z, radians."""
    return np.array([[cmath.exp(-0.5j * angle), 0], [0, cmath.exp(0.5j * angle)]])


def rx(angle: float) -> Matrix:
    """Rotation about x, radians."""
    cos, sin = math.cos(angle / 2), -1j * math.sin(angle / 2)
    return np.array([[cos, sin], [sin, cos]])


def pulse(turn: float, phase: float) -> Matrix:
    """Rotation by ``turn`` about the equatorial axis at ``phase`` from x: Qiskit's ``r``."""
    cos, sin = math.cos(turn / 2), -1j * math.sin(turn / 2)
    return np.array([[cos, sin * cmath.exp(-1j * phase)], [sin * cmath.exp(1j * phase), cos]])


def euler_zxz(unitary: Matrix) -> tuple[float, float, float]:
    """``(a, b, c)`` with ``unitary = rz(a) rx(b) rz(c)`` up to phase and ``0 <= b <= pi``."""
    u00, _, u10, _ = special(unitary)
    half_sum = -cmath.phase(u00) if abs(u00) > 1e-12 else 0.0
    half_difference = cmath.phase(u10) + math.pi / 2 if abs(u10) > 1e-12 else 0.0
    turn = 2 * math.atan2(abs(u10), abs(u00))
    return half_sum + half_difference, turn, half_sum - half_difference


def quaternion(unitary: Matrix) -> tuple[float, float, float, float]:
    """``(w, x, y, z)`` with ``unitary = w - i (x X + y Y + z Z)`` up to phase."""
    u00, u01, u10, _ = special(unitary)
    return u00.real, -u10.imag, (u10.real - u01.real) / 2, -u00.imag


def special(unitary: Matrix) -> tuple[complex, complex, complex, complex]:
    """The four entries, row by row, scaled to determinant 1."""
    (a, b), (c, d) = unitary.tolist()
    root = cmath.sqrt(a * d - b * c)
    return a / root, b / root, c / root, d / root


def wrap(angle: float) -> float:
    """The angle in ``(-pi, pi]``, exact zero where it is negligible."""
    turned = math.remainder(angle, 2 * math.pi)
    if abs(turned) < TOLERANCE:
        return 0.0
    return math.pi if abs(turned + math.pi) < TOLERANCE else turned

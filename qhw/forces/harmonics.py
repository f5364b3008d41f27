"""Real spherical harmonics as polynomials of unit vectors, and integrals of three of them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def spherical_harmonics(unit: Tensor, largest: int) -> list[Tensor]:
    """Real, orthonormal spherical harmonics of every degree up to ``largest``.

    Written as polynomials of the Cartesian components, smooth at the poles.

    Args:
        unit: unit vectors ``(..., 3)``.
        largest: degree ``l``.

    Returns:
        For each ``l`` the values ``(..., 2 l + 1)``, in order ``m = -l .. l``.
    """
    x, y, z = unit.unbind(-1)
    cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]  # (x + iy)**m
    for _ in range(largest):
        real, imaginary = cosines[-1], sines[-1]
        cosines.append(x * real - y * imaginary)
        sines.append(x * imaginary + y * real)
    legendre: dict[tuple[int, int], Tensor] = {}  # P_l^m / sin(theta)**m
    for m in range(largest + 1):
        legendre[m, m] = torch.full_like(z, float(math.prod(range(1, 2 * m, 2))))
        for degree in range(m + 1, largest + 1):
            value = (2 * degree - 1) * z * legendre[degree - 1, m]
            if degree > m + 1:
                value = value - (degree + m - 1) * legendre[degree - 2, m]
            legendre[degree, m] = value / (degree - m)
    found = []
    for degree in range(largest + 1):
        columns = []
        for m in range(-degree, degree + 1):
            k = abs(m)
            ratio = math.factorial(degree - k) / math.factorial(degree + k)
            norm = math.sqrt((2 * degree + 1) / (4 * math.pi) * ratio * (1 if m == 0 else 2))
            angular = cosines[k] if m >= 0 else sines[k]
            columns.append(norm * legendre[degree, k] * angular)
        found.append(torch.stack(columns, dim=-1))
    return found


@cache
def triple_integrals(first: int, second: int, third: int) -> NDArray[np.float64]:
    """Integrals over the sphere of three real harmonics, ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)``.

    Contracted with three vectors of coefficients they give the integral of the product of three
    functions on the sphere: unchanged by rotations, and by inversion where the degrees' sum is
    even (else they vanish).
    """
    total = first + second + third
    nodes, weights = np.polynomial.legendre.leggauss(total // 2 + 1)
    count = total + 1
    azimuth = 2 * math.pi * np.arange(count) / count
    sine = np.sqrt(1 - nodes**2)
    points = np.stack(
        [
            np.outer(sine, np.cos(azimuth)),
            np.outer(sine, np.sin(azimuth)),
            np.outer(nodes, np.ones(count)),
        ],
        axis=-1,
    )
    measure = np.outer(weights, np.full(count, 2 * math.pi / count))
    values = spherical_harmonics(torch.from_numpy(points), max(first, second, third))
    one, two, three = (values[degree].numpy() for degree in (first, second, third))
    integrals = np.einsum("ta,tai,taj,tak->ijk", measure, one, two, three)
    return np.where(np.abs(integrals) < 1e-13, 0.0, integrals)

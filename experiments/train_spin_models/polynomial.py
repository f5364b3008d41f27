"""A classical control of model A's size on H2O: a polynomial in bond lengths and angle.

    python experiments/train_spin_models/polynomial.py

Monomials of ``r1 + r2``, ``(r1 - r2)**2`` and the angle's cosine, symmetric under exchange of the
hydrogens, fitted to energies and forces by least squares with the weights of ``h2o.yaml``'s second
stage.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev, vmap

from qhw.chem.geometries import Geometries
from qhw.forces.files import read_geometries

ENERGY_WEIGHT = 40.0


def powers(degree: int) -> list[tuple[int, int, int]]:
    """Exponents with a total degree up to this one, ``(r1 - r2)**2`` counting twice."""
    some = range(degree + 1)
    return [(a, b, c) for a in some for b in some for c in some if a + 2 * b + c <= degree]


def monomials(positions: Tensor, degree: int) -> Tensor:
    """Of one molecule O, H, H ``(3, 3)`` Å."""
    first, second = positions[1] - positions[0], positions[2] - positions[0]
    r1, r2 = first.norm(), second.norm()
    total, off, cosine = r1 + r2 - 1.93, (r1 - r2) ** 2, first @ second / (r1 * r2) + 0.24
    return torch.stack([total**a * off**b * cosine**c for a, b, c in powers(degree)])


def equations(frames: Geometries, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Monomials ``(N, P)`` and their contributions to forces ``(N * 9, P)``."""
    places = torch.from_numpy(frames.positions)
    values = vmap(lambda x: monomials(x, degree))(places)
    slopes = vmap(jacrev(lambda x: monomials(x, degree)))(places).flatten(2)
    return values.numpy(), -slopes.transpose(1, 2).flatten(0, 1).numpy()


def main() -> None:
    """Fit and print."""
    train, _ = read_geometries(Path("shipped:h2o_train.npz"))
    test, _ = read_geometries(Path("shipped:h2o_test.npz"))
    train = train[:300]
    for degree in (2, 3, 4, 5):
        values, slopes = equations(train, degree)
        share = [np.sqrt(ENERGY_WEIGHT / len(values)), np.sqrt(1 / len(slopes))]
        left = np.concatenate([share[0] * values, share[1] * slopes])
        shift = train.energies.mean()
        right = np.concatenate(
            [share[0] * (train.energies - shift), share[1] * train.forces.ravel()]
        )
        found = np.linalg.lstsq(left, right, rcond=None)[0]
        values, slopes = equations(test, degree)
        energy = np.abs(values @ found + shift - test.energies).mean()
        force = np.abs(slopes @ found - test.forces.ravel()).mean()
        sys.stdout.write(
            f"degree {degree}, {len(found)} coefficients: "
            f"{1000 * energy:.3g} meV, {1000 * force:.3g} meV/Å\n"
        )


if __name__ == "__main__":
    main()

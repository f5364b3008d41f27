"""Energies of molecules and their slopes by coordinates, with the compiled parts in between."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qhw.forces.compiled import ATOMS, multiply, multiply_back, products_of
from qhw.forces.heads import Head
from qhw.forces.invariants import Invariants
from qhw.forces.projected import kinds_of

_BLOCKS_AT_ONCE = 4
"""Of atoms: what lies between their density and its slope stays in the cache."""


class ClosedForm:
    """A field's weights as they are now, in double precision, folded for many calls.

    Args:
        invariants: of the field.
        center: of its invariants, ``(S, F)``.
        head: of centred invariants.
    """

    def __init__(self, invariants: Invariants, center: Tensor, head: Head) -> None:
        self._invariants, self._head = invariants, head
        self._products = products_of(invariants.config)
        maps, shifts = head.maps()
        self._shifts = shifts - (maps @ center[:, :, None])[:, :, 0]
        self._maps = maps.numpy()  # its products of small batches take half of torch's time

    def __call__(self, numbers: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Atomic energies ``(B, A)`` eV, zero where there is no atom, and slopes ``(B, A, 3)``.

        Args:
            numbers: ``(B, A)``, 0 where there is no atom.
            positions: ``(B, A, 3)``, Å.
        """
        with torch.enable_grad():
            places = positions.detach().clone().requires_grad_()
            bodies, density = self._invariants.density(numbers, places)
            given = torch.cat([density.flatten(2), bodies], dim=2).flatten(0, 1)
        rows, slopes = given.detach(), torch.zeros_like(given)
        energies = rows.new_zeros(len(rows))
        kinds = kinds_of(numbers, self._invariants.config.species).flatten()
        for kind in sorted(set(kinds[kinds >= 0].tolist())):
            for atoms in torch.split((kinds == kind).nonzero()[:, 0], _BLOCKS_AT_ONCE * ATOMS):
                energies[atoms], slopes[atoms] = self._atoms(rows[atoms], kind)
        (found,) = torch.autograd.grad(given, places, slopes)
        return energies.view(numbers.shape), found

    def _atoms(self, given: Tensor, kind: int) -> tuple[Tensor, Tensor]:
        """Energies ``(M,)`` of atoms of one species, and slopes by what is given, ``(M, R)``."""
        products, atoms = self._products, len(given)
        blocks = -(-atoms // ATOMS)
        rows = np.zeros((blocks, products.rows, ATOMS))
        padded = torch.cat([given, given[:1].expand(blocks * ATOMS - atoms, -1)])
        rows[:, : products.given] = padded.view(blocks, ATOMS, -1).transpose(1, 2).numpy()
        rows[:, products.given] = 1.0
        pairs, last = products.pairs, products.invariants
        multiply(rows, pairs.place, pairs.weight, rows)
        values = np.zeros((blocks, self._maps.shape[2], ATOMS))
        multiply(rows, last.place, last.weight, values)
        units = torch.from_numpy(self._maps[kind] @ values) + self._shifts[kind][:, None]
        energies, by_units = self._head.derived(units, kind)
        by_values = self._maps[kind].T @ by_units.numpy()
        slopes = np.zeros_like(rows)
        multiply_back(rows, last.place, last.weight, by_values, slopes)
        multiply_back(rows, pairs.place, pairs.weight, slopes, slopes)
        back = torch.from_numpy(slopes[:, : products.given]).transpose(1, 2).flatten(0, 1)
        return energies.flatten()[:atoms], back[:atoms]

"""How a force field's angles and its classical part change with the atoms' coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from qhw.chem.geometries import FloatArray, Geometries
from qhw.forces.model import ForceField
from qhw.forces.projected import Projection, kinds_of, project_slopes, slopes_in_chunks


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives by coordinates, B frames of A places for atoms, the M atoms as in ``circuits``.

    Attributes:
        angles: of every atom's ``U`` data angles by its frame's coordinates, ``(M, U, 3 A)``,
            radians per Å.
        classical: of :meth:`ForceField.classical`, ``(B, 3 A)`` eV/Å.
    """

    angles: FloatArray
    classical: FloatArray


def slopes_of(model: ForceField, geometries: Geometries) -> Slopes:
    """Derive the angles, linear in the invariants, and what no circuit carries.

    Args:
        model: with a circuit, in double precision.
        geometries: checked by the model.
    """
    head = model.head
    kinds = kinds_of(torch.from_numpy(geometries.numbers), model.config.invariants.species)
    maps = [head.weight.detach()]
    if head.config.bypassed:
        maps.append(head.bypass[:, :, None])
    projection = Projection(model.center, torch.cat(maps, dim=2))
    units = head.config.units
    angles, classical = [], []
    for rows, _, slopes in slopes_in_chunks(model.invariants, geometries, model.center.dtype):
        turned = project_slopes(slopes, kinds[rows], projection)  # (n, A, U + 1, 3 A)
        angles.append(turned[kinds[rows] >= 0][:, :units].numpy())
        classical.append(turned[:, :, units:].sum(dim=(1, 2)).numpy())
    return Slopes(np.concatenate(angles), np.concatenate(classical))

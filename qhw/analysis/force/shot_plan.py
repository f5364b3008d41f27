"""Shots of a circuit with which energies and forces are as sure as wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch

from qhw.analysis.force.rows import ForceRows, Values
from qhw.analysis.precision.shots import shots_of_error
from qhw.chem.geometries import EV_OF, FloatArray
from qhw.forces.model import ForceField

_UNITS = {"kcal/mol": EV_OF["kcal/mol"], "mev": 1e-3, "ev": 1.0}
_AMOUNT = re.compile(
    r"(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d{1,2}))?\s*(kcal/mol|mev|ev)(\s*/\s*(?:å|a))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Precision:
    """Standard errors that shots are planned for; one is given or both.

    Attributes:
        energy: of a molecule, eV.
        force: root mean square over the components of a molecule, eV/Å.
    """

    energy: float | None = None
    force: float | None = None


def parse_precision(text: str) -> Precision:
    """A wanted error of energies, of forces, or both with a comma between.

    Args:
        text: numbers with kcal/mol, meV or eV; of forces with /A or /Å after it.

    Raises:
        ValueError: anything else.

    Example:
        >>> parse_precision("5meV, 65 meV/A")
        Precision(energy=0.005, force=0.065)
    """
    found: dict[str, float] = {}
    for part in str(text).split(","):
        match = _AMOUNT.fullmatch(part.strip())
        name = "force" if match and match[4] else "energy"
        value = 0.0
        if match:
            value = float(f"{match[1]}e{match[2] or 0}") * _UNITS[match[3].lower()]
        if not value or name in found:
            raise ValueError(
                "Argument `precision` must be an error of energies such as 1kcal/mol or 5meV, of "
                f"forces such as 65meV/A, or both with a comma, but is {str(text)[:60]!r}"
            )
        found[name] = value
    return Precision(**found)


def deviation_of_one_shot(model: ForceField, rows: ForceRows) -> Values:
    """What one shot of every row deviates by without noise: the closed form.

    Energies at one shot deviate by the root of :meth:`ForceField.shot_variance`.
    """
    circuit = model.config.head.circuit
    names = [f"a[{i}]" for i in range(circuit.angles)]
    angles = torch.from_numpy(rows.work.columns(names))
    with torch.no_grad():
        chance = circuit.probabilities(angles).numpy()
    outcomes = rows.outcomes @ circuit.signs.T
    each = outcomes[rows.column]
    mean = (chance * each).sum(axis=1)
    variance = (chance * each**2).sum(axis=1) - mean**2
    deviation = np.sqrt(np.maximum(variance, 0.0))
    return Values(mean, deviation, np.zeros((0, len(mean))))


def shots_without_noise(model: ForceField, rows: ForceRows, wanted: Precision) -> int:
    """Shots of each row, unmitigated and on a device without noise.

    Raises:
        ValueError: so many that they are a mistake, or forces wanted of rows without.
    """
    return shots_of_errors(rows, deviation_of_one_shot(model, rows), 1, wanted)


def shots_of_errors(rows: ForceRows, found: Values, shots: int, wanted: Precision) -> int:
    """Shots of each row, from the errors that some shots have: they fall as one by the root.

    Raises:
        ValueError: so many that they are a mistake, or only forces wanted of rows without.
    """
    energy, force = rows.errors(found)
    asked = []
    if wanted.energy is not None:
        asked.append(float(energy.max()) / wanted.energy)
    if wanted.force is not None and force is not None:
        asked.append(float(_rms(force, rows).max()) / wanted.force)
    if not asked:
        raise ValueError(
            "Argument `precision` must be of energies where no forces are measured, but is of "
            "forces"
        )
    return shots_of_error(shots, max(asked), 1.0)


def _rms(force: FloatArray, rows: ForceRows) -> FloatArray:
    """Root mean square over the components of each frame's atoms, ``(B,)``."""
    return np.asarray(np.sqrt((force**2).sum(axis=(1, 2)) / (3 * rows.counts)))

"""How far a force field is from labelled geometries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhw.chem.geometries import EnergyUnit, FloatArray, Geometries, GeometryError, check_geometry
from qhw.forces.files import read_geometries
from qhw.forces.model import ForceField

_MILLI = 1000.0


@dataclass(frozen=True)
class Evaluation:
    """Errors of a force field on labelled frames.

    Attributes:
        data: file.
        sha256: of the file.
        frames: how many.
        energy_mae: mean absolute error of energies, meV a molecule.
        energy_rmse: root mean square, meV.
        force_mae: mean absolute error of force components, meV/Å.
        force_rmse: root mean square, meV/Å.
        mean_energy_mae: what a constant, the best for these frames, achieves: meV.
        mean_force_mae: what forces of zero achieve, meV/Å.
        shot_sigma: standard deviation of the energy at one shot of every atom's circuit, root mean
            square over frames, meV; ``None`` of a field without a circuit.
    """

    data: str
    sha256: str
    frames: int
    energy_mae: float
    energy_rmse: float
    force_mae: float
    force_rmse: float
    mean_energy_mae: float
    mean_force_mae: float
    shot_sigma: float | None

    def to_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return asdict(self)


def evaluate(
    model: ForceField, path: Path, unit: EnergyUnit | None = None, *, trust_units: bool = False
) -> Evaluation:
    """Compare a force field with a file.

    Args:
        model: any.
        path: see :func:`qhw.forces.files.read_geometries`.
        unit: of energies in the file.
        trust_units: take sizes that look like another unit's as they are.

    Raises:
        GeometryError: the file cannot be used, or has a species that the model does not know.
    """
    frames, digest = read_geometries(path, unit, trust_units=trust_units)
    check_geometry(frames, model.config.invariants.species, str(path))
    return errors_on(model, frames, path.name, digest)


def errors_on(model: ForceField, frames: Geometries, data: str, digest: str) -> Evaluation:
    """Compare a force field with labelled frames.

    Args:
        model: any.
        frames: labelled, of species that it knows.
        data: their name.
        digest: sha256 of their file.

    Raises:
        GeometryError: no energies or forces.
    """
    energies, forces = model.energy_and_forces(frames)
    wanted, pulled = _labels(frames)
    there = frames.numbers > 0
    off, force_off = energies - wanted, (forces - pulled)[there]
    sigma = None
    if model.config.head.quantum:
        sigma = _MILLI * float(np.sqrt(model.shot_variance(frames).mean()))
    return Evaluation(
        data=data,
        sha256=digest,
        frames=len(frames),
        energy_mae=_mean(off),
        energy_rmse=_rms(off),
        force_mae=_mean(force_off),
        force_rmse=_rms(force_off),
        mean_energy_mae=_mean(wanted - np.median(wanted)),
        mean_force_mae=_mean(pulled[there]),
        shot_sigma=sigma,
    )


def _labels(frames: Geometries) -> tuple[FloatArray, FloatArray]:
    if frames.energies is None or frames.forces is None:
        raise GeometryError("frames must have energies and forces, but have none")
    return frames.energies, frames.forces


def _mean(off: FloatArray) -> float:
    return _MILLI * float(np.abs(off).mean())


def _rms(off: FloatArray) -> float:
    return _MILLI * float(np.sqrt(np.square(off).mean()))

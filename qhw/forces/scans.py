"""Rigid scans along a bond or a torsion, and harmonic vibrations, with any calculator, by ASE."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.neighborlist import build_neighbor_list, natural_cutoffs
from ase.optimize import BFGS
from ase.vibrations import Vibrations
from scipy.sparse.csgraph import connected_components

from qhw.chem.geometries import FloatArray, Geometries, check_geometry

_BOND, _TORSION = 2, 4
_VIBRATIONS_STEP = 0.01
_FLAT, _STEPS = 1e-4, 500
"""eV/Å, where a minimum is, and most steps to it."""


@dataclass(frozen=True, eq=False)
class Scan:
    """Energies along a coordinate.

    Attributes:
        values: Å of a bond, degrees of a torsion.
        energies: eV.
        errors: standard errors, eV; 0 without a device.
    """

    values: FloatArray
    energies: FloatArray
    errors: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """All of it, by name."""
        return {name: getattr(self, name).tolist() for name in ("values", "energies", "errors")}


def scan(
    atoms: Atoms, calculator: Calculator, places: Sequence[int], values: FloatArray, out: Path
) -> Scan:
    """Turn or stretch a molecule rigidly; every frame is appended to ``out`` as extended XYZ.

    Args:
        atoms: start; not moved.
        calculator: of the energy.
        places: two atoms for their distance, four for their torsion, counted from 0; what hangs on
            the last atom's (of a torsion: the third's) side of the bond moves along.
        values: Å or degrees.
        out: file to write.

    Raises:
        ValueError: other numbers of atoms, atoms that are not there, a bond in a ring, or values
            that are no distances or angles.
        GeometryError: atoms too close at a value; nothing was run or written.
    """
    if len(places) not in (_BOND, _TORSION) or len(set(places)) < len(places):
        raise ValueError(f"Argument `places` must be 2 or 4 different atoms, but is {places}")
    if not all(0 <= place < len(atoms) for place in places):
        raise ValueError(
            f"Argument `places` must be from 0 to {len(atoms) - 1}, but is {list(places)}"
        )
    if not np.isfinite(values).all() or (len(places) == _BOND and values.min() <= 0):
        raise ValueError(
            "Argument `values` must be finite, and distances above 0, but are "
            f"{values.min():g} to {values.max():g}"
        )
    frames = _moved(atoms, places, values)
    check_geometry(Geometries.of_atoms(frames), None, "scan")  # before anything runs or is lost
    out.unlink(missing_ok=True)
    rows = []
    for value, frame in zip(values, frames, strict=True):
        frame.calc = calculator
        energy = frame.get_potential_energy()  # type: ignore[no-untyped-call]
        error = float(calculator.results.get("energy_error", 0.0))
        rows.append((value, energy, error))
        kept = frame.copy()  # type: ignore[no-untyped-call]
        kept.calc = SinglePointCalculator(kept, energy=energy)  # type: ignore[no-untyped-call]
        kept.info |= {"energy_error": error, "value": float(value)}
        write(out, kept, format="extxyz", append=True)
    return Scan(*np.array(rows, dtype=float).T)


def _moved(atoms: Atoms, places: Sequence[int], values: FloatArray) -> list[Atoms]:
    """A frame of every value."""
    near, far = (places[0], places[1]) if len(places) == _BOND else (places[1], places[2])
    side = _side(atoms, near, far)
    frames = []
    for value in values.tolist():
        frame = atoms.copy()  # type: ignore[no-untyped-call]
        if len(places) == _BOND:
            frame.set_distance(near, far, value, fix=0, indices=side)
        else:
            frame.set_dihedral(*places, value, indices=side)
        frames.append(frame)
    return frames


def _side(atoms: Atoms, near: int, far: int) -> list[int]:
    """Atoms that hang on ``far`` once its bond to ``near`` is cut."""
    bonds = build_neighbor_list(atoms, natural_cutoffs(atoms), self_interaction=False)  # type: ignore[no-untyped-call]
    matrix = bonds.get_connectivity_matrix(sparse=False)
    matrix = np.maximum(matrix, matrix.T)
    matrix[near, far] = matrix[far, near] = 0
    _, part = connected_components(matrix)
    if part[near] == part[far]:
        raise ValueError(
            f"Argument `places` must have a bond that is in no ring, but atoms {near} and {far} "
            "hang together without it"
        )
    found: list[int] = np.flatnonzero(part == part[far]).tolist()
    return found


def vibrations(atoms: Atoms, calculator: Calculator) -> FloatArray:
    """Wave numbers of the harmonic vibrations at the calculator's own minimum, cm⁻¹, ascending.

    By central differences of forces; an unstable mode is negative. Translations and rotations are
    left out: six, or five of a linear molecule.

    Args:
        atoms: near the minimum; moved there.
        calculator: of energy and forces.

    Raises:
        ValueError: no minimum was found, where alone there are harmonic vibrations.
    """
    atoms.calc = calculator
    if not BFGS(atoms, logfile=None).run(fmax=_FLAT, steps=_STEPS):  # type: ignore[no-untyped-call]
        largest = np.linalg.norm(atoms.get_forces(), axis=1).max()  # type: ignore[no-untyped-call]
        raise ValueError(
            f"Argument `atoms` must be near a minimum, but after {_STEPS} steps of BFGS the "
            f"largest force is {largest:.3g} eV/Å"
        )
    with tempfile.TemporaryDirectory() as folder:
        run = Vibrations(atoms, name=str(Path(folder) / "modes"), delta=_VIBRATIONS_STEP)
        run.run()  # type: ignore[no-untyped-call]
        found = run.get_frequencies()
    waves = np.where(found.imag > 0, -found.imag, found.real)
    linear = np.linalg.matrix_rank(atoms.positions - atoms.positions[0], tol=1e-3) < 2
    still = np.argsort(np.abs(waves))[: 5 if linear else 6]
    kept: FloatArray = np.sort(np.delete(waves, still))
    return kept

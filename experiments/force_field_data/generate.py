"""Labelled geometries of small molecules: sampled here, energies and forces of MP2 by PySCF.

    pip install 'qhw[qchem]'
    OMP_NUM_THREADS=1 python generate.py h2o --out ../../qhw/data/geometries

Also ``nh3``, ``lih`` and, after ``h2o``, ``water-dimer``. Every frame that is done stays in the
folder ``--work``: a stopped run goes on. In ``--out`` are written ``NAME_train.npz`` (the last
frames are for validation), ``NAME_test.npz`` and the card ``NAME.json``. Nothing of the house is
imported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyscf
from numpy.typing import NDArray
from pyscf import gto, mp, scf
from pyscf.data import elements, nist
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
BASIS = "aug-cc-pvdz"
EV, BOHR = nist.HARTREE2EV, nist.BOHR
BOLTZMANN = 8.617333262e-5  # eV/K
WAVENUMBER = 521.4708983725064  # cm^-1 of sqrt(eV / (u Å^2))
_STEP = 0.01  # Å, of the central differences of forces that make a Hessian


@dataclass(frozen=True)
class Recipe:
    """What is drawn: ``kelvin`` of the vibrations, frames to train, validate and test."""

    symbols: tuple[str, ...]
    start: tuple[tuple[float, float, float], ...]
    kelvin: float
    frames: tuple[int, int, int]
    seed: int


RECIPES = {
    "h2o": Recipe(
        ("O", "H", "H"), ((0, 0, 0), (0.757, 0, 0.587), (-0.757, 0, 0.587)), 1000, (300, 50, 150), 1
    ),
    "nh3": Recipe(
        ("N", "H", "H", "H"),
        ((0, 0, 0), (0.94, 0, 0.38), (-0.47, 0.814, 0.38), (-0.47, -0.814, 0.38)),
        1000,
        (120, 30, 50),
        2,
    ),
    "lih": Recipe(("Li", "H"), ((0, 0, 0), (1.6, 0, 0)), 2000, (100, 20, 50), 3),
    "water-dimer": Recipe(
        ("O", "H", "H", "O", "H", "H"),
        (
            *((0.0, 0.0, 0.0), (0.757, 0.587, 0.0), (-0.757, 0.587, 0.0)),
            *((0.0, -2.9, 0.0), (0.0, -1.95, 0.0), (0.0, -3.16, 0.92)),
        ),
        500,
        (30, 8, 12),
        4,
    ),
}


def labelled(symbols: tuple[str, ...], positions: Array) -> Array:
    """Energy (eV) in the first row, forces (eV/Å) below; all electrons are correlated."""
    atoms = [(symbol, tuple(place)) for symbol, place in zip(symbols, positions, strict=True)]
    field = scf.RHF(gto.M(atom=atoms, basis=BASIS, unit="Angstrom", verbose=0))
    field.conv_tol, field.conv_tol_grad, field.max_cycle = 1e-11, 1e-7, 200
    field.kernel()
    if not field.converged:
        raise RuntimeError(f"SCF did not converge at {positions.tolist()}")
    correlated = mp.MP2(field).run()
    forces = -correlated.nuc_grad_method().kernel() * EV / BOHR
    return np.vstack([[correlated.e_tot * EV, 0.0, 0.0], forces])


def kept(path: Path, made: Callable[[], Array]) -> Array:
    """What a file holds; it is computed and written if it is missing."""
    if not path.exists():
        unfinished = path.with_suffix(".part.npy")
        np.save(unfinished, made())
        unfinished.rename(path)
    found: Array = np.load(path)
    return found


def relaxed(symbols: tuple[str, ...], start: Array) -> Array:
    """The minimum near these positions."""

    def energy(x: Array) -> tuple[float, Array]:
        found = labelled(symbols, x.reshape(-1, 3))
        return found[0, 0], -found[1:].ravel()

    best = minimize(energy, start.ravel(), jac=True, method="BFGS", options={"gtol": 1e-3})
    places: Array = best.x.reshape(-1, 3)
    return places


def hessian(symbols: tuple[str, ...], positions: Array) -> Array:
    """Second derivatives, eV/Å^2, from central differences of forces."""
    rows = []
    for step in _STEP * np.eye(positions.size).reshape(-1, *positions.shape):
        up, down = labelled(symbols, positions + step), labelled(symbols, positions - step)
        rows.append(-(up - down)[1:].ravel() / (2 * _STEP))
    found = np.stack(rows)
    return 0.5 * (found + found.T)


def modes(symbols: tuple[str, ...], curvature: Array) -> tuple[Array, Array]:
    """Wave numbers (cm^-1) of vibrations, and displacements (Å) at a kT of 1 eV as rows."""
    mass = np.repeat([elements.MASSES[elements.charge(s)] for s in symbols], 3)
    values, vectors = np.linalg.eigh(curvature / np.sqrt(mass[:, None] * mass))
    still = 5 if len(symbols) == 2 else 6  # translations and rotations
    values, vectors = values[still:], vectors[:, still:]
    return np.sqrt(values) * WAVENUMBER, (vectors / np.sqrt(mass)[:, None] / np.sqrt(values)).T


def thermal(minimum: Array, shapes: Array, kelvin: float, rng: np.random.Generator) -> Array:
    """Drawn from the classical Boltzmann distribution of the harmonic vibrations."""
    sizes = math.sqrt(BOLTZMANN * kelvin) * rng.normal(size=len(shapes))
    return minimum + (sizes @ shapes).reshape(-1, 3)


def dimer(
    minimum: Array, water: Array, shapes: Array, kelvin: float, rng: np.random.Generator
) -> Array:
    """Two thermal waters laid as at the minimum, turned about O, their O 2.6 to 4.5 Å apart.

    Rotation vectors are normal with 0.25 rad an axis; distances ``2.6 + 1.9 u**1.5``, u uniform.
    """
    apart = minimum[3] - minimum[0]
    apart *= (2.6 + 1.9 * rng.random() ** 1.5) / np.linalg.norm(apart)
    found = []
    for first, oxygen in ((0, np.zeros(3)), (3, apart)):
        part = thermal(water, shapes, kelvin, rng)
        laid, _ = Rotation.align_vectors(
            minimum[first + 1 : first + 3] - minimum[first], water[1:] - water[0]
        )
        turn = Rotation.from_rotvec(rng.normal(0, 0.25, 3)) * laid
        found.append(oxygen + turn.apply(part - part[0]))
    return np.concatenate(found)


def main() -> None:
    """Sample, label, store."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("name", choices=RECIPES)
    asked.add_argument("--out", type=Path, default=Path())
    asked.add_argument("--work", type=Path, default=Path("work"))
    given = asked.parse_args()
    recipe, work = RECIPES[given.name], given.work / given.name
    work.mkdir(parents=True, exist_ok=True)
    minimum = kept(
        work / "minimum.npy", lambda: relaxed(recipe.symbols, np.array(recipe.start, float))
    )
    rng = np.random.default_rng(recipe.seed)
    waves: Array | None = None
    if given.name == "water-dimer":
        water = np.load(given.work / "h2o" / "minimum.npy")
        _, shapes = modes(RECIPES["h2o"].symbols, np.load(given.work / "h2o" / "hessian.npy"))
        drawn = [
            dimer(minimum, water, shapes, recipe.kelvin, rng) for _ in range(sum(recipe.frames))
        ]
    else:
        curvature = kept(work / "hessian.npy", lambda: hessian(recipe.symbols, minimum))
        waves, shapes = modes(recipe.symbols, curvature)
        drawn = [thermal(minimum, shapes, recipe.kelvin, rng) for _ in range(sum(recipe.frames))]
    positions = np.stack(drawn).astype(np.float32).astype(float)  # labelled as they are stored
    labels = np.stack(
        [
            kept(work / f"{row:04d}.npy", lambda frame=frame: labelled(recipe.symbols, frame))
            for row, frame in enumerate(positions)
        ]
    )
    store(given.out, given.name, recipe, minimum, waves, positions, labels)


def store(
    out: Path,
    name: str,
    recipe: Recipe,
    minimum: Array,
    waves: Array | None,
    positions: Array,
    labels: Array,
) -> None:
    """Write two files and their card."""
    train, validation, test = recipe.frames
    charges = np.array([elements.charge(symbol) for symbol in recipe.symbols])
    digests = {}
    parts = {"train": slice(train + validation), "test": slice(train + validation, None)}
    for part, rows in parts.items():
        path = out / f"{name}_{part}.npz"
        np.savez_compressed(
            path,
            nuclear_charges=charges,
            coords=positions[rows].astype(np.float32),
            energies=labels[rows, 0, 0],
            forces=labels[rows, 1:].astype(np.float32),
            unit=np.array("eV"),
        )
        digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    sampling = (
        f"classical Boltzmann distribution of the harmonic vibrations at {recipe.kelvin:g} K"
        if waves is not None
        else f"waters' harmonic vibrations at {recipe.kelvin:g} K, each turned about O by 0.25 rad "
        "an axis (normal) from the minimum, O-O from 2.6 to 4.5 Å"
    )
    card = {
        "name": name,
        "symbols": recipe.symbols,
        "method": "MP2, all electrons",
        "basis": BASIS,
        "program": f"PySCF {pyscf.__version__}",
        "command": f"python experiments/force_field_data/generate.py {name}",
        "sampling": sampling,
        "seed": recipe.seed,
        "frames": {"train": train, "validation": validation, "test": test},
        "units": {"coords": "Å", "energies": "eV", "forces": "eV/Å"},
        "minimum": minimum.round(6).tolist(),
        "harmonic_wavenumbers": None if waves is None else waves.round(1).tolist(),
        "energies_above_lowest": {
            "mean": round(float((labels[:, 0, 0] - labels[:, 0, 0].min()).mean()), 4),
            "largest": round(float(np.ptp(labels[:, 0, 0])), 4),
        },
        "license": "CC0-1.0",
        "sha256": digests,
    }
    (out / f"{name}.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

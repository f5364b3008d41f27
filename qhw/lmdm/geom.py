"""GEOM-Drugs, from the file its authors publish: ``drugs_crude.msgpack``.

A stream of MessagePack maps, each of about a thousand SMILES to ``{"conformers": [{"xyz":
[[Z, x, y, z], ...], "totalenergy": E, ...}, ...], ...}``; Å and Hartree. The other published form
is of pickles, which are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from calibration.closest import quoted
from qhw.chem.geometries import Geometries
from qhw.lmdm.data import WholeMolecules

_LARGEST_MAP = 2**31 - 1
"""Bytes of one map, about ten times the published ones'."""


class GeomSpec(BaseModel):
    """What of GEOM-Drugs is used.

    All of it, 30 conformers a molecule, is 6.9 million of up to 181 atoms and takes 30 GB in
    memory: the last two fields keep it smaller.

    Attributes:
        path: of ``drugs_crude.msgpack``; relative to the current folder.
        conformers: of each molecule, those of lowest energy (EDM takes 30).
        largest: leave molecules of more atoms out.
        molecules: read the first so many of the file; all by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    conformers: int = Field(default=30, ge=1)
    largest: int = Field(default=181, ge=2)
    molecules: int | None = Field(default=None, ge=1)


@dataclass(frozen=True, eq=False)
class GeomDrugs:
    """Conformers of drug-like molecules.

    Attributes:
        conformers: all of them, those of a molecule in order of energy.
        smiles: of every molecule.
        molecule: which of ``smiles`` each conformer is of, ``(B,)``.
    """

    conformers: WholeMolecules
    smiles: tuple[str, ...]
    molecule: NDArray[np.int64]

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows of training, validation and test: 80, 10 and 10 % of the molecules, seed 0.

        All conformers of a molecule are on one side. EDM's published split is of conformers: there
        a molecule of the test set has others of its conformers in training.
        """
        order = np.random.default_rng(0).permutation(len(self.smiles))
        tenth = len(order) // 10
        sides = np.split(order, [len(order) - 2 * tenth, len(order) - tenth])
        train, validation, test = (np.flatnonzero(np.isin(self.molecule, side)) for side in sides)
        return train, validation, test


def load_geom_drugs(spec: GeomSpec) -> GeomDrugs:
    """Read conformers, hydrogens included.

    Raises:
        ModuleNotFoundError: ``msgpack`` is not installed.
        ValueError: a file that cannot be read, is not of that form, or has no molecule that small;
            one line says which molecule and why.
    """
    numbers: list[NDArray[np.int64]] = []
    positions: list[NDArray[np.float64]] = []
    smiles: list[str] = []
    molecule: list[int] = []
    for text, found in _molecules(spec):
        kept = [one for one in found if len(one) <= spec.largest]
        if kept:
            smiles.append(text)
        for one in kept:
            numbers.append(one[:, 0].astype(np.int64))
            positions.append(one[:, 1:])
            molecule.append(len(smiles) - 1)
    if not numbers:
        raise ValueError(f"{spec.path} has no molecule of {spec.largest} atoms or fewer")
    most = max(map(len, numbers))
    padded = np.zeros((len(numbers), most), dtype=np.int64)
    placed = np.zeros((len(numbers), most, 3))
    for row, (z, x) in enumerate(zip(numbers, positions, strict=True)):
        padded[row, : len(z)], placed[row, : len(z)] = z, x
    whole = WholeMolecules(Geometries(padded, placed))
    return GeomDrugs(whole, tuple(smiles), np.array(molecule))


def _molecules(spec: GeomSpec) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """SMILES and the conformers of lowest energy, ``(n, 4)`` each, of every molecule."""
    done = 0
    for part in _maps(Path(spec.path)):
        if not isinstance(part, dict):
            raise ValueError(f"{spec.path} must hold maps of SMILES, but holds something else")
        for text, known in part.items():
            if done == spec.molecules:
                return
            done += 1
            where = f"{spec.path}, molecule {done} ({quoted(str(text)[:60])})"
            yield str(text), _lowest(known, spec.conformers, where)


def _maps(path: Path) -> Iterator[Any]:
    try:
        import msgpack
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "GEOM-Drugs needs the package msgpack: pip install 'qhw[train]'", name="msgpack"
        ) from None
    try:
        with path.open("rb") as stream:
            unpacker = msgpack.Unpacker(stream, max_buffer_size=_LARGEST_MAP)
            yield from unpacker
            if unpacker.tell() != path.stat().st_size:
                raise ValueError("it ends within a map")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"{path} is not MessagePack as GEOM publishes it: {error}") from error


def _lowest(known: Any, most: int, where: str) -> list[NDArray[np.float64]]:
    conformers = known.get("conformers") if isinstance(known, Mapping) else None
    if not isinstance(conformers, list) or not conformers:
        raise ValueError(f"{where} must have `conformers`, but has none")
    energies, atoms = [], []
    for number, one in enumerate(conformers, 1):
        try:
            energy = float(one["totalenergy"])
            rows = np.array(one["xyz"], dtype=np.float64)
        except (TypeError, KeyError, ValueError, OverflowError):
            raise ValueError(
                f"{where}: conformer {number} must have `totalenergy` and `xyz`, numbers all"
            ) from None
        if rows.ndim != 2 or rows.shape[1] != 4 or not np.isfinite([energy, rows.sum()]).all():
            raise ValueError(f"{where}: `xyz` of conformer {number} must be rows of finite Z x y z")
        if not (np.isin(rows[:, 0], np.arange(1, 119)).all() and len(rows)):
            raise ValueError(f"{where}: conformer {number} has an atomic number that is none")
        energies.append(energy)
        atoms.append(rows)
    return [atoms[i] for i in np.argsort(energies, kind="stable")[:most]]

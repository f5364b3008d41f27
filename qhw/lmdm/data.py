"""QM9 with hydrogens, EDM's split, and batches of molecules of one size."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from qhw.chem.geometries import Geometries
from qhw.chem.qm9 import parsed_once

_CACHE_VERSION = 1
_HARTREE_MEV = 27211.386245988
PROPERTIES: Mapping[str, tuple[str, float, str]] = {
    "alpha": ("Polarizability_bohr3", 1.0, "Bohr^3"),
    "gap": ("HOMO_LUMO_gap_au", _HARTREE_MEV, "meV"),
    "homo": ("HOMO_au", _HARTREE_MEV, "meV"),
    "lumo": ("LUMO_au", _HARTREE_MEV, "meV"),
    "mu": ("Dipole_debye", 1.0, "D"),
    "cv": ("Heatcapacity_Cv_cal_mol_K", 1.0, "cal/(mol K)"),
}
"""QM9's own columns that may be asked for: column, factor to the unit, unit."""


@dataclass(frozen=True, eq=False)
class WholeMolecules:
    """Molecules with every atom, and what is known of them.

    Attributes:
        geometries: all of them, padded.
        properties: values ``(B,)`` by name.
    """

    geometries: Geometries
    properties: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.geometries)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Atoms of every molecule, ``(B,)``."""
        return np.asarray((self.geometries.numbers > 0).sum(axis=1), dtype=np.int64)

    def take(self, rows: NDArray[np.int64]) -> WholeMolecules:
        """The given rows, in that order."""
        values = {name: values[rows] for name, values in self.properties.items()}
        return WholeMolecules(self.geometries[rows], values)


_PERCENTILES = (1.0, 99.0)
"""Of a property over the training molecules: beyond there is too little to learn from."""


class Asked(BaseModel):
    """A property that may be asked for, or is predicted.

    Attributes:
        name: of :data:`qhw.lmdm.data.PROPERTIES`.
        mean: over the training molecules.
        spread: their mean absolute deviation.
        low: smallest value that may be asked for.
        high: largest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    mean: float
    spread: float = Field(gt=0)
    low: float
    high: float


def asked_of(molecules: WholeMolecules, names: tuple[str, ...]) -> tuple[Asked, ...]:
    """Mean, mean absolute deviation and range of properties.

    Raises:
        ValueError: molecules without such a property.
    """
    found = []
    for name in names:
        if name not in molecules.properties:
            raise ValueError(f"Argument `data` must have the property {name}, but does not")
        values = molecules.properties[name]
        mean = float(values.mean())
        low, high = np.percentile(values, _PERCENTILES)
        found.append(
            Asked(
                name=name,
                mean=mean,
                spread=float(np.abs(values - mean).mean()) or 1.0,
                low=float(low),
                high=float(high),
            )
        )
    return tuple(found)


def known_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of properties as they are.

    Raises:
        ValueError: one that there is not, or one twice.
    """
    if len(set(names)) < len(names) or not set(names) <= set(PROPERTIES):
        raise ValueError(f"must be of {', '.join(PROPERTIES)}, each once")
    return names


def load_whole_qm9() -> WholeMolecules:
    """All 130,831 molecules of QM9 in index order, with hydrogens and :data:`PROPERTIES`.

    Parsed once, then read from the cache folder of :func:`qhw.chem.qm9.load_qm9`.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
        ValueError: the cache folder cannot be written.
    """
    name = f"qm9-atoms-{{version}}-v{_CACHE_VERSION}.npz"
    return parsed_once(name, _from_arrays, _parse, _arrays)


def _from_arrays(stored: np.lib.npyio.NpzFile) -> WholeMolecules:
    numbers, positions = stored["numbers"], stored["positions"]
    geometries = Geometries(numbers.astype(np.int64), positions.astype(np.float64))
    return WholeMolecules(geometries, {name: stored[name] for name in PROPERTIES})


def _arrays(molecules: WholeMolecules) -> dict[str, NDArray[np.generic]]:
    return {
        "numbers": molecules.geometries.numbers.astype(np.int8),
        "positions": molecules.geometries.positions.astype(np.float32),
        **molecules.properties,
    }


def edm_split(
    molecules: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of training, validation and test as EDM has them (numpy's old generator, seed 0).

    100,000 train; a tenth of all (13,083 of QM9's 130,831) test; the rest validation.

    Raises:
        ValueError: fewer molecules than training and test need.
    """
    test = int(0.1 * molecules)
    if molecules <= 100_000 + test:
        raise ValueError(
            f"Argument `molecules` must leave some to validate on beside 100000 and {test}, but is "
            f"{molecules}."
        )
    order = np.random.RandomState(0).permutation(molecules)
    train, validation, tested = np.split(order, [100_000, molecules - test])
    return train, validation, tested


_SYMBOLS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def _parse(parts: list[Path]) -> WholeMolecules:
    csv.field_size_limit(1 << 20)
    numbers: list[list[int]] = []
    positions: list[NDArray[np.float64]] = []
    values: dict[str, list[float]] = {name: [] for name in PROPERTIES}
    for row in _rows(parts):
        numbers.append([_SYMBOLS[s] for s in re.findall(r"[A-Z][a-z]?", row["Elements"])])
        # not JSON: numbers such as `0.` occur
        flat = re.sub(r"[\[\]]", "", row["XYZ_Ang"]).split(",")
        positions.append(np.array(flat, dtype=np.float32).reshape(-1, 3).astype(np.float64))
        for name, (column, factor, _) in PROPERTIES.items():
            values[name].append(float(row[column]) * factor)
    most = max(map(len, numbers))
    padded = np.zeros((len(numbers), most), dtype=np.int64)
    placed = np.zeros((len(numbers), most, 3))
    for index, (kinds, xyz) in enumerate(zip(numbers, positions, strict=True)):
        padded[index, : len(kinds)], placed[index, : len(kinds)] = kinds, xyz
    return WholeMolecules(Geometries(padded, placed), {k: np.array(v) for k, v in values.items()})


def _rows(parts: list[Path]) -> Iterator[dict[str, str]]:
    for part in parts:
        with part.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)


@dataclass(frozen=True, eq=False)
class Batch:
    """Molecules of one size.

    Attributes:
        positions: ``(B, n, 3)`` in Å, zero centre of mass (all atoms weigh alike).
        types: positions of the elements in the model's list, ``(B, n)``.
        conditions: standardised values ``(B, c)``, NaN where nothing is said.
    """

    positions: Tensor
    types: Tensor
    conditions: Tensor

    def to(self, device: str) -> Batch:
        """The same there."""
        return Batch(*(part.to(device) for part in (self.positions, self.types, self.conditions)))


class SizedBatches:
    """A training set as batches of one size each; their order depends on seed and epoch only.

    Args:
        molecules: the molecules.
        elements: atomic numbers that types stand for.
        conditions: standardised values ``(B, c)``.
        size: molecules of a batch; what is left over of a size makes a smaller one, if more than
            one molecule is.
        seed: of the order.

    Raises:
        ValueError: an element that is not listed, or no molecules.
    """

    def __init__(
        self,
        molecules: WholeMolecules,
        elements: tuple[int, ...],
        conditions: NDArray[np.float32],
        size: int,
        seed: int,
    ) -> None:
        numbers = molecules.geometries.numbers
        if not numbers.size:
            raise ValueError("Argument `molecules` must hold molecules, but is empty.")
        place = np.full(int(max(numbers.max(), *elements)) + 1, -1)
        place[list(elements)] = np.arange(len(elements))
        types = place[numbers]
        if strange := set(numbers[(types < 0) & (numbers > 0)].tolist()):
            raise ValueError(
                f"Argument `molecules` must be of the elements {list(elements)} (atomic numbers), "
                f"but has {sorted(strange)}."
            )
        self.types = torch.from_numpy(types)
        self.positions = torch.from_numpy(molecules.geometries.positions.astype(np.float32))
        self.conditions = torch.from_numpy(conditions)
        self.size, self.seed = size, seed
        self.counts = molecules.counts

    def epoch(self, epoch: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Atoms and rows of every batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.counts))
        sizes = self.counts[order]
        batches = [
            (int(n), rows[i : i + self.size])
            for n in np.unique(sizes)
            for rows in (order[sizes == n],)
            for i in range(0, len(rows), self.size)
            if len(rows) - i > 1
        ]
        return [batches[i] for i in generator.permutation(len(batches))]

    def batch(self, atoms: int, rows: NDArray[np.int64]) -> Batch:
        """Molecules of ``atoms`` atoms each."""
        taken = torch.from_numpy(rows)
        x = self.positions[taken, :atoms]
        return Batch(
            x - x.mean(dim=1, keepdim=True), self.types[taken, :atoms], self.conditions[taken]
        )

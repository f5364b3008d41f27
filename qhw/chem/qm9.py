"""QM9 from the package ``qm9pack``, its split, and the sample shipped with this project.

``python -m qhw.chem.qm9`` writes the sample again from ``qm9pack``.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qhw.cache import cache_folder, made_cache_folder
from qhw.chem.molecule import ELEMENTS, MAX_ATOMS, SYMBOLS, MoleculeBatch

N_TRAIN = 100_000
N_VALIDATION = 18_000
SAMPLE_SIZE = 1_000
SAMPLE_FILE = "qm9_sample.npz"
_CACHE_VERSION = 1
_Made = TypeVar("_Made")


@dataclass(frozen=True, eq=False)
class QM9:
    """Heavy atoms of QM9 molecules (B3LYP/6-31G(2df,p) geometries).

    Attributes:
        molecules: at most 9 heavy atoms, C N O F, in the data set's atom order; Å, as published,
            in single precision.
        smiles: SMILES of the data set, ``(B,)``.
        index: the data set's own index, ``(B,)``, 1..133885.
    """

    molecules: MoleculeBatch
    smiles: NDArray[np.str_]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.int64]) -> QM9:
        """The given rows, in that order."""
        return QM9(self.molecules[rows], self.smiles[rows], self.index[rows])


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of QM9 (positions in :func:`load_qm9`'s arrays) by use."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def split(n_molecules: int) -> Split:
    """The project's split: permutation of seed 0; 100,000 train, 18,000 validation, rest test.

    Args:
        n_molecules: size of the data set (130,831).

    Raises:
        ValueError: fewer molecules than train and validation need.
    """
    if n_molecules <= N_TRAIN + N_VALIDATION:
        raise ValueError(
            f"Argument `n_molecules` must be above {N_TRAIN + N_VALIDATION}, but is {n_molecules}."
        )
    order = np.random.default_rng(0).permutation(n_molecules)
    return Split(*np.split(order, [N_TRAIN, N_TRAIN + N_VALIDATION]))


def load_qm9() -> QM9:
    """All 130,831 molecules; parsed once, then read from the cache folder.

    The cache folder is ``$QHW_CACHE``, else ``$XDG_CACHE_HOME/qhw``, else ``~/.cache/qhw``.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
        ValueError: the cache folder cannot be written.
    """
    return parsed_once(f"qm9-{{version}}-v{_CACHE_VERSION}.npz", _from_arrays, _parse, _arrays)


def parsed_once(
    name: str,
    read: Callable[[np.lib.npyio.NpzFile], _Made],
    parse: Callable[[list[Path]], _Made],
    arrays: Callable[[_Made], Mapping[str, NDArray[np.generic]]],
) -> _Made:
    """Something made of ``qm9pack``'s tables: parsed once, then read from the cache folder.

    Args:
        name: of the file there, with ``{version}`` for the package's.
        read: makes it of the file's arrays; a ``ValueError`` or ``KeyError`` says it is damaged.
        parse: makes it of the tables.
        arrays: what is stored of it.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
        ValueError: the cache folder cannot be written.
    """
    try:
        package = importlib.metadata.distribution("qm9pack")
    except importlib.metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            "QM9 needs the package qm9pack: pip install 'qhw[train]'"
        ) from error
    cached = cache_folder() / name.format(version=package.version)
    if cached.exists():
        try:
            with np.load(cached, allow_pickle=False) as stored:
                return read(stored)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            warnings.warn(f"{cached} is damaged; reading qm9pack again.", stacklevel=3)
    made_cache_folder()
    found = parse(qm9_parts(package))
    _write(cached, arrays(found))
    return found


def qm9_parts(package: importlib.metadata.Distribution) -> list[Path]:
    """The tables of ``qm9pack``."""
    return [Path(str(package.locate_file(f"qm9pack/data/qm9_part{k}.csv"))) for k in (1, 2, 3)]


def sample_molecules() -> QM9:
    """The shipped 1,000 molecules of the test split; no model was trained on them."""
    with (files("qhw") / "data" / SAMPLE_FILE).open("rb") as stream, np.load(stream) as arrays:
        return _from_arrays(arrays)


def make_sample(folder: Path) -> Path:
    """Write the sample and its card: the first 1,000 molecules of the (shuffled) test split.

    Args:
        folder: an existing folder.

    Returns:
        Path of the sample.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
    """
    everything = load_qm9()
    sample = everything.take(split(len(everything)).test[:SAMPLE_SIZE])
    target = folder / SAMPLE_FILE
    _write(target, _arrays(sample))
    card = {
        "schema": 1,
        "molecules": len(sample),
        "arrays": {
            "types": f"int8 (B, {MAX_ATOMS}), 0..3 = {' '.join(SYMBOLS)}, -1 = no atom",
            "positions": f"float32 (B, {MAX_ATOMS}, 3), angstrom",
            "smiles": "ASCII bytes (B,), as in the data set",
            "index": "int32 (B,), the data set's index 1..133885",
        },
        "drawn": f"first {SAMPLE_SIZE} rows of the test split (see qhw.chem.qm9.split)",
        "command": "python -m qhw.chem.qm9",
        **source_facts(),
    }
    target.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return target


def source_facts() -> dict[str, str]:
    """Where the molecules come from, for the card of what is made of them."""
    return {
        "source": f"PyPI package qm9pack {importlib.metadata.version('qm9pack')}",
        "source_licence": "MIT (qm9pack, Raghunathan Ramakrishnan)",
        "dataset": "QM9, Ramakrishnan et al., Scientific Data 1, 140022 (2014)",
        "dataset_doi": "10.1038/sdata.2014.22",
    }


def _parse(parts: list[Path]) -> QM9:
    csv.field_size_limit(1 << 20)
    types: list[list[int]] = []
    positions: list[list[list[float]]] = []
    smiles: list[str] = []
    index: list[int] = []
    for row in _rows(parts):
        elements = re.findall(r"[A-Z][a-z]?", row["Elements"])
        # not JSON: numbers such as `0.` occur
        numbers = re.sub(r"[\[\]]", "", row["XYZ_Ang"]).split(",")
        xyz = [[float(x) for x in numbers[3 * a : 3 * a + 3]] for a in range(len(elements))]
        heavy = [a for a, symbol in enumerate(elements) if symbol != "H"]
        padding = MAX_ATOMS - len(heavy)
        types.append([SYMBOLS.index(elements[a]) for a in heavy] + [-1] * padding)
        positions.append([xyz[a] for a in heavy] + [[0.0, 0.0, 0.0]] * padding)
        smiles.append(row["SMILES"])
        index.append(int(row["Index"]))
    # single precision, as stored: the first load gives the same numbers as every later one
    rounded = np.array(positions, dtype=np.float32).astype(np.float64)
    batch = MoleculeBatch(np.array(types, dtype=np.int8), rounded)
    return QM9(batch, np.array(smiles), np.array(index, dtype=np.int64))


def _rows(parts: list[Path]) -> Iterator[dict[str, str]]:
    for part in parts:
        with part.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)


def _arrays(dataset: QM9) -> dict[str, NDArray[np.generic]]:
    return {
        "types": dataset.molecules.types,
        "positions": dataset.molecules.positions.astype(np.float32),
        "smiles": dataset.smiles.astype(np.bytes_),
        "index": dataset.index.astype(np.int32),
    }


def _write(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write whole or not at all: readers in other processes may look at any time."""
    stored: dict[str, Any] = dict(arrays)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as stream:
        unfinished = Path(stream.name)
        try:
            np.savez_compressed(stream, **stored)
            stream.flush()
            unfinished.chmod(0o644)  # temporary files are private, shared caches are not
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def _from_arrays(arrays: np.lib.npyio.NpzFile) -> QM9:
    batch = MoleculeBatch(arrays["types"], arrays["positions"].astype(np.float64))
    types, positions = batch.types, batch.positions
    if types.ndim != 2 or positions.shape != (*types.shape, 3):
        raise ValueError(f"Shapes {types.shape} and {positions.shape} are not those of molecules.")
    if types.min(initial=-1) < -1 or types.max(initial=-1) >= len(ELEMENTS):
        raise ValueError("Atom types are outside the supported elements.")
    return QM9(batch, arrays["smiles"].astype(np.str_), arrays["index"].astype(np.int64))


if __name__ == "__main__":
    print(make_sample(Path(str(files("qhw") / "data"))))

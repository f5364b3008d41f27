"""QM9's molecules with their properties: of the graphs it names, and its own HOMO-LUMO gaps."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qhw.cache import cache_folder, made_cache_folder
from qhw.chem.gap import EV_PER_HARTREE
from qhw.chem.properties import LabelledMolecules, graph_values, known_property
from qhw.chem.qm9 import QM9, qm9_parts, sample_molecules

FloatArray = NDArray[np.float64]

SAMPLE_GAP_FILE = "qm9_sample_gap.npy"
"""HOMO-LUMO gaps of the shipped sample, float32 ``(1000,)``, eV, in its order."""
_CACHE_VERSION = 1


def with_properties(data: QM9, names: Sequence[str]) -> QM9:
    """The same molecules, labelled; values are kept in the cache folder.

    Args:
        data: of QM9.
        names: of :data:`qhw.chem.properties.PROPERTIES`.

    Raises:
        ValueError: an unknown property, or the cache folder cannot be written.
        ModuleNotFoundError: the gap is asked for and ``qm9pack`` is not installed.
    """
    return _labelled(data, {name: _kept(data, name) for name in names})


@lru_cache(maxsize=16)
def labelled_sample(names: tuple[str, ...]) -> QM9:
    """The shipped molecules, labelled; gaps are those that QM9 gives them.

    Raises:
        ValueError: an unknown property.
    """
    sample = sample_molecules()
    smiles = sample.smiles.tolist()
    return _labelled(
        sample,
        {name: _sample_gaps() if name == "gap" else graph_values(name, smiles) for name in names},
    )


def _labelled(data: QM9, values: dict[str, FloatArray]) -> QM9:
    own = data.molecules
    molecules = LabelledMolecules(own.types, own.positions, own.charges, values)
    return replace(data, molecules=molecules)


def _sample_gaps() -> FloatArray:
    with (files("qhw") / "data" / SAMPLE_GAP_FILE).open("rb") as stream:
        gaps: FloatArray = np.load(stream, allow_pickle=False).astype(np.float64)
    return gaps


def _kept(data: QM9, name: str) -> FloatArray:
    """Values of a property, computed once for a data set."""
    known_property(name)
    digest = hashlib.sha256("\n".join(data.smiles.tolist()).encode()).hexdigest()[:16]
    path = cache_folder() / f"qm9-{name}-{digest}-v{_CACHE_VERSION}.npy"
    try:
        found: FloatArray = np.load(path, allow_pickle=False)
        if found.shape == (len(data),) and found.dtype == np.float64:
            return found
    except (OSError, ValueError):
        pass
    values = _gaps(data) if name == "gap" else graph_values(name, data.smiles.tolist())
    _write(path.name, values)
    return values


def _write(name: str, values: FloatArray) -> None:
    folder = made_cache_folder()
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".npy", delete=False) as stream:
        unfinished = Path(stream.name)
        try:
            np.save(stream, values, allow_pickle=False)
            stream.flush()
            unfinished.chmod(0o644)
            unfinished.replace(folder / name)  # whole or not at all: others may read it now
        finally:
            unfinished.unlink(missing_ok=True)


def _gaps(data: QM9) -> FloatArray:
    """eV, of QM9's column."""
    parts = qm9_parts(importlib.metadata.distribution("qm9pack"))
    csv.field_size_limit(1 << 20)
    gaps: dict[int, float] = {}
    for part in parts:
        with part.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                gaps[int(row["Index"])] = float(row["HOMO_LUMO_gap_au"]) * EV_PER_HARTREE
    return np.array([gaps.get(int(index), math.nan) for index in data.index])

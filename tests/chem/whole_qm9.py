"""Molecules of QM9 with hydrogens, straight from qm9pack's tables."""

from __future__ import annotations

import csv
import importlib.metadata
import re

import numpy as np
from rdkit import Chem

from qhw.chem.geometries import Geometries
from qhw.chem.qm9 import qm9_parts


def some_of_qm9(molecules: int, seed: int = 0) -> Geometries:
    """So many, drawn with a seed; reading the tables takes seconds."""
    csv.field_size_limit(1 << 20)
    rows: list[tuple[str, str]] = []
    for part in qm9_parts(importlib.metadata.distribution("qm9pack")):
        with part.open(newline="", encoding="utf-8") as stream:
            rows += [(row["Elements"], row["XYZ_Ang"]) for row in csv.DictReader(stream)]
    drawn = np.random.default_rng(seed).choice(len(rows), molecules, replace=False)
    numbers = np.zeros((molecules, 29), dtype=np.int64)
    positions = np.zeros((molecules, 29, 3))
    number = Chem.GetPeriodicTable().GetAtomicNumber
    for place, row in enumerate(drawn):
        kinds = [number(s) for s in re.findall(r"[A-Z][a-z]?", rows[row][0])]
        flat = re.sub(r"[\[\]]", "", rows[row][1]).split(",")
        numbers[place, : len(kinds)] = kinds
        positions[place, : len(kinds)] = np.array(flat, dtype=np.float64).reshape(-1, 3)
    return Geometries(numbers, positions)

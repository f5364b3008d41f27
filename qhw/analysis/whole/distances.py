"""Bond lengths, angles and dihedrals of molecules, and how far two sets of them lie apart.

Bonds are those of :func:`qhw.chem.edm.bond_orders`. Values are compared type by type with the
Wasserstein-1 distance: bond lengths by the two elements and the order, angles by the element in the
middle, dihedrals by elements and order of the bond in the middle. Types weigh as often as they
occur in the reference. A dihedral is its size, 0 to 180 degrees: mirror images are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rdkit import Chem
from scipy.stats import wasserstein_distance

from qhw.analysis.whole.mmd import BondLengthMMD, ByType, FloatArray, bond_length_mmd
from qhw.chem.edm import bond_orders
from qhw.chem.geometries import Geometries

Kind = Literal["bond length", "angle", "dihedral"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNITS: Mapping[Kind, str] = {"bond length": "Å", "angle": "degrees", "dihedral": "degrees"}
_AT_ONCE = 500
_ORDER = " -=#"


@dataclass(frozen=True)
class Distance:
    """How far a sample lies from a reference.

    Attributes:
        kind: of value.
        value: Wasserstein-1 distance, in :data:`UNITS`; ``None`` where no type occurs in both.
        floor: of one half of the reference from the other, molecules taken in turn.
        values: of the sample.
        covered: share of the reference's values whose type occurs in the sample.
        strange: share of the sample's values whose type does not occur in the reference.
    """

    kind: Kind
    value: float | None
    floor: float | None
    values: int
    covered: float
    strange: float


def internal_coordinates(molecules: Geometries) -> dict[Kind, pd.DataFrame]:
    """Every value with its molecule and type: columns ``molecule``, ``type``, ``value``."""
    parts = [
        _coordinates(molecules[start : start + _AT_ONCE], start)
        for start in range(0, len(molecules), _AT_ONCE)
    ]
    empty = pd.DataFrame({"molecule": [], "type": [], "value": []})
    return {k: pd.concat([part[k] for part in parts]) if parts else empty for k in KINDS}


def distances_to(
    sample: Geometries, reference: Geometries
) -> tuple[tuple[Distance, ...], BondLengthMMD]:
    """Of every kind, and by the discrepancy that papers report of bond lengths."""
    found, wanted = internal_coordinates(sample), internal_coordinates(reference)
    bonds = wanted["bond length"]
    mmd = bond_length_mmd(_by_type(found["bond length"]), _by_type(bonds), _halves(bonds))
    return tuple(_distance(kind, found[kind], wanted[kind]) for kind in KINDS), mmd


def weighted_distance(sample: ByType, reference: ByType) -> float | None:
    """Wasserstein-1 by type, weighted by how often types occur in the reference."""
    shared = [name for name in reference if name in sample]
    weights = np.array([len(reference[name]) for name in shared], dtype=np.float64)
    if not shared:
        return None
    each = [wasserstein_distance(sample[name], reference[name]) for name in shared]
    return float(np.average(each, weights=weights))


def _distance(kind: Kind, found: pd.DataFrame, wanted: pd.DataFrame) -> Distance:
    sample, reference = _by_type(found), _by_type(wanted)
    return Distance(
        kind=kind,
        value=weighted_distance(sample, reference),
        floor=weighted_distance(*_halves(wanted)),
        values=len(found),
        covered=_share(reference, sample),
        strange=1.0 - _share(sample, reference),
    )


def _halves(table: pd.DataFrame) -> tuple[ByType, ByType]:
    """Molecules taken in turn."""
    odd = table["molecule"] % 2 == 1
    return _by_type(table[odd]), _by_type(table[~odd])


def _share(of: ByType, within: ByType) -> float:
    total = sum(map(len, of.values()))
    return sum(len(v) for name, v in of.items() if name in within) / total if total else 0.0


def _by_type(table: pd.DataFrame) -> ByType:
    return {str(name): part.to_numpy() for name, part in table.groupby("type")["value"]}


def _coordinates(molecules: Geometries, first: int) -> dict[Kind, pd.DataFrame]:
    orders = bond_orders(molecules)
    row, i, j = np.nonzero(orders)
    edges = pd.DataFrame({"m": row, "j": i, "i": j})  # an end i of every atom j
    symbols = np.array(["", *map(Chem.GetPeriodicTable().GetElementSymbol, range(1, 119))])
    names = symbols[molecules.numbers]
    angles = edges.merge(edges.rename(columns={"i": "k"}), on=["m", "j"])
    angles = angles[angles["i"] < angles["k"]]
    middle = edges.rename(columns={"i": "k"})
    middle = middle[middle["j"] < middle["k"]]
    turns = middle.merge(edges, on=["m", "j"]).merge(
        edges.rename(columns={"j": "k", "i": "l"}), on=["m", "k"]
    )
    turns = turns[
        (turns["i"] != turns["k"]) & (turns["l"] != turns["j"]) & (turns["i"] != turns["l"])
    ]

    def places(table: pd.DataFrame, *ends: str) -> list[FloatArray]:
        return [molecules.positions[table["m"], table[end]] for end in ends]

    def bonds(table: pd.DataFrame) -> pd.Series[str]:
        m, a, b = (table[c].to_numpy() for c in ("m", "j", "k"))
        ends = np.sort(np.stack([molecules.numbers[m, a], molecules.numbers[m, b]]), axis=0)
        codes = pd.Series((ends[0] * len(symbols) + ends[1]) * len(_ORDER) + orders[m, a, b])
        return codes.map({code: _bond_name(int(code), symbols) for code in codes.unique()})

    def table(source: pd.DataFrame, types: object, values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(
            {"molecule": source["m"].to_numpy() + first, "type": types, "value": values}
        )

    b = places(middle, "j", "k")
    return {
        "bond length": table(middle, bonds(middle).to_numpy(), np.linalg.norm(b[0] - b[1], axis=1)),
        "angle": table(angles, names[angles["m"], angles["j"]], _angle(*places(angles, *"ijk"))),
        "dihedral": table(turns, bonds(turns).to_numpy(), _dihedral(*places(turns, *"ijkl"))),
    }


def _bond_name(code: int, symbols: NDArray[np.str_]) -> str:
    ends, order = divmod(code, len(_ORDER))
    first, second = divmod(ends, len(symbols))
    return f"{symbols[first]}{_ORDER[order]}{symbols[second]}"


def _angle(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Degrees at ``b``, stable near 0 and 180."""
    u, v = a - b, c - b
    across = np.linalg.norm(np.cross(u, v), axis=1)
    found: FloatArray = np.degrees(np.arctan2(across, (u * v).sum(axis=1)))
    return found


def _dihedral(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Degrees, 0 to 180, between the planes a b c and b c d."""
    first, second = np.cross(b - a, c - b), np.cross(c - b, d - c)
    across = np.linalg.norm(np.cross(first, second), axis=1)
    found: FloatArray = np.degrees(np.arctan2(across, (first * second).sum(axis=1)))
    return found

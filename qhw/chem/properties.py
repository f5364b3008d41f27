"""Properties of molecules that a generator can be asked for, and where their values come from.

``logP``, ``QED`` and ``SA`` follow from the molecular graph (RDKit). ``gap`` does not: QM9 gives it
for its own molecules; of others it is estimated, see :mod:`qhw.chem.gap`.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDConfig
from rdkit.Chem import QED, rdMolDescriptors

from calibration.closest import closest, quoted
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.rdkit_build import read_smiles
from qhw.chem.validity import judge

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Property:
    """One property.

    Attributes:
        name: as it is asked for.
        unit: ``""`` where there is none.
        text: what it is and where it is from, in a few words.
        low: no molecule is below.
        high: no molecule is above.
        of_graph: value of a sanitised RDKit molecule; ``None`` where the graph does not give it.
    """

    name: str
    unit: str
    text: str
    low: float
    high: float
    of_graph: Callable[[Chem.Mol], float] | None


def raw_sa_score(molecule: Chem.Mol) -> float:
    """Ertl and Schuffenhauer's synthetic accessibility score, 1 (easy) to 10 (hard).

    Source: J. Cheminform. 1, 8 (2009), as RDKit contributes it.
    """
    return float(_sascorer().calculateScore(molecule))


def easy_sa_score(molecule: Chem.Mol) -> float:
    """The same as a share, 1 easy and 0 hard: ``(10 - raw) / 9``."""
    return (10.0 - raw_sa_score(molecule)) / 9.0


PROPERTIES: dict[str, Property] = {
    found.name: found
    for found in (
        Property(
            "logP",
            "",
            "octanol-water partition, Crippen's atom contributions (RDKit)",
            -math.inf,
            math.inf,
            lambda m: float(rdMolDescriptors.CalcCrippenDescriptors(m)[0]),
        ),
        Property(
            "QED", "", "quantitative estimate of drug-likeness (RDKit)", 0.0, 1.0, lambda m: qed(m)
        ),
        Property(
            "SA",
            "",
            "synthetic accessibility, 0 hard to 1 easy: (10 - raw) / 9 (RDKit Contrib)",
            0.0,
            1.0,
            easy_sa_score,
        ),
        Property(
            "SA-raw",
            "",
            "synthetic accessibility as published, 1 easy to 10 hard (RDKit Contrib)",
            1.0,
            10.0,
            raw_sa_score,
        ),
        Property(
            "gap", "eV", "HOMO-LUMO gap, B3LYP/6-31G(2df,p); estimated off QM9", 0.0, math.inf, None
        ),
    )
}
"""Every property by name."""


def qed(molecule: Chem.Mol) -> float:
    """QED with the published mean weights."""
    return float(QED.qed(molecule))  # type: ignore[no-untyped-call]


def known_property(name: str) -> Property:
    """A property by name.

    Raises:
        ValueError: there is none; the line has the closest.
    """
    if name not in PROPERTIES:
        raise ValueError(
            f"Argument `condition` must name one of {', '.join(PROPERTIES)}, but names "
            f"{quoted(name)} ({closest(name, tuple(PROPERTIES), 'the documentation')})."
        )
    return PROPERTIES[name]


def graph_values(name: str, smiles: Iterable[str | None]) -> FloatArray:
    """Values of a property that follows from the graph.

    Args:
        name: of :data:`PROPERTIES`.
        smiles: of molecules; ``None`` for those that are none.

    Returns:
        ``(B,)``; NaN where there is no molecule or RDKit cannot read it.

    Raises:
        ValueError: unknown, or not a property of the graph.
    """
    found = known_property(name)
    if found.of_graph is None:
        raise ValueError(f"Argument `name` must be a property of the graph, but {name} is not.")
    return np.array([_value(found.of_graph, text) for text in smiles], dtype=np.float64)


def _value(of_graph: Callable[[Chem.Mol], float], text: str | None) -> float:
    if text is None:
        return math.nan
    molecule = read_smiles(text)
    return math.nan if molecule is None else of_graph(molecule)


@cache
def _sascorer() -> ModuleType:
    """RDKit's contributed module, which is no package."""
    place = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("qhw_sascorer", place)
    if spec is None or spec.loader is None or not place.exists():
        raise ModuleNotFoundError(f"SA needs RDKit's Contrib folder, but {place} is not there.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, eq=False)
class LabelledMolecules(MoleculeBatch):
    """Molecules whose properties are known beside their geometry.

    Attributes:
        values: ``(B,)`` by property; of QM9 those of its own SMILES and its own gap.
    """

    values: Mapping[str, FloatArray] = field(default_factory=dict)

    def __getitem__(
        self, index: slice | NDArray[np.int64] | NDArray[np.bool_]
    ) -> LabelledMolecules:
        part = super().__getitem__(index)
        values = {name: found[index] for name, found in self.values.items()}
        return LabelledMolecules(part.types, part.positions, part.charges, values)


def property_values(molecules: MoleculeBatch, names: Sequence[str]) -> FloatArray:
    """Properties of molecules: those they are labelled with, else of their perceived bonds.

    Args:
        molecules: labelled, or geometries whose bonds the strict protocol finds.
        names: of :data:`PROPERTIES`.

    Returns:
        ``(B, len(names))`` in the properties' units.

    Raises:
        ValueError: an unknown property, or a molecule that has none since it is not valid; the line
            names the first.
    """
    known = molecules.values if isinstance(molecules, LabelledMolecules) else {}
    report = None if all(name in known for name in names) else judge(molecules, "strict")
    columns = []
    for name in names:
        if name in known:
            column = known[name]
        else:
            assert report is not None
            column = estimated_values(name, report.smiles)
        bad = ~np.isfinite(column)
        if bad.any():
            row = int(bad.argmax())
            why = "" if report is None else f" ({report.statuses[row]})"
            raise ValueError(
                f"Argument `molecules` must be valid molecules to have {name}, but molecule {row} "
                f"is none{why}."
            )
        columns.append(column)
    return np.stack(columns, axis=1)


def estimated_values(name: str, smiles: Sequence[str | None]) -> FloatArray:
    """Values by SMILES: of the graph, or the fast estimate of :mod:`qhw.chem.gap`.

    Returns:
        ``(B,)``; NaN where there is no molecule.
    """
    if known_property(name).of_graph is not None:
        return graph_values(name, smiles)
    from qhw.chem.gap import surrogate

    return surrogate().of_smiles(smiles)

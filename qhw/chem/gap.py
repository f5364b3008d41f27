"""HOMO-LUMO gaps of molecules that QM9 does not hold: a fast estimate, and two that cost more.

The surrogate is a ridge regression on counts read off the molecular graph, fitted to QM9's B3LYP
gaps of the training split; its mean absolute error on the validation split comes with every value.
``python -m qhw.chem.gap`` fits it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdFingerprintGenerator, rdForceFieldHelpers

from qhw.chem.rdkit_build import read_smiles

FloatArray = NDArray[np.float64]

SURROGATE_FILE = "gap_surrogate.npz"
EV_PER_HARTREE = 27.211386245988
"""CODATA 2018."""
_BITS, _RADIUS, _RIDGE = 1024, 2, 1.0


class GapEstimator(Protocol):
    """Something that tells the gap of a molecule.

    Attributes:
        name: what it is, in a few words.
        error_ev: mean absolute error against B3LYP/6-31G(2df,p) on held-out molecules of QM9, eV;
            ``None`` where it was not measured.
    """

    @property
    def name(self) -> str:
        """What it is."""

    @property
    def error_ev(self) -> float | None:
        """See the class."""

    def of_smiles(self, smiles: Sequence[str | None]) -> FloatArray:
        """eV ``(B,)``; NaN where there is no molecule."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Ridge regression on Morgan counts.

    Attributes:
        weights: of the features, eV.
        offset: eV.
        error_ev: see :class:`GapEstimator`.
        held_out: molecules that the error was measured on.
    """

    weights: FloatArray
    offset: float
    error_ev: float
    held_out: int

    @property
    def name(self) -> str:
        """With its error."""
        return (
            f"ridge surrogate of QM9's B3LYP gaps, MAE {self.error_ev:.2f} eV on "
            f"{self.held_out:,} held-out molecules"
        )

    def of_smiles(self, smiles: Sequence[str | None]) -> FloatArray:
        """eV ``(B,)``; NaN where there is no molecule."""
        found = np.full(len(smiles), math.nan)
        for row, text in enumerate(smiles):
            counts = None if text is None else _features(text)
            if counts is not None:
                found[row] = counts @ self.weights + self.offset
        return found


@dataclass(frozen=True)
class XTB:
    """GFN2-xTB of a force-field geometry, through tblite (extra ``xtb``).

    Raises:
        ModuleNotFoundError: tblite is not installed; one line names the extra.
    """

    error_ev: float | None = None
    name: str = "GFN2-xTB (tblite) at an MMFF94 geometry; its error against B3LYP is not measured"

    def __post_init__(self) -> None:
        need_extra("tblite", "xtb", "GFN2-xTB")

    def of_smiles(self, smiles: Sequence[str | None]) -> FloatArray:
        """eV ``(B,)``; NaN where there is no molecule, geometry or convergence."""
        return np.array([_with_geometry(text, _xtb_gap) for text in smiles])


@dataclass(frozen=True)
class B3LYP:
    """B3LYP/6-31G(2df,p), the level of QM9, of a force-field geometry, through PySCF (extra
    ``qchem``); minutes a molecule.

    Raises:
        ModuleNotFoundError: PySCF is not installed; one line names the extra.
    """

    error_ev: float | None = None
    name: str = "B3LYP/6-31G(2df,p) (PySCF) at an MMFF94 geometry"

    def __post_init__(self) -> None:
        need_extra("pyscf", "qchem", "B3LYP")

    def of_smiles(self, smiles: Sequence[str | None]) -> FloatArray:
        """eV ``(B,)``; NaN where there is no molecule, geometry or convergence."""
        return np.array([_with_geometry(text, _b3lyp_gap) for text in smiles])


def gap_estimator(name: str) -> GapEstimator:
    """An estimator by name: ``surrogate``, ``xtb`` or ``b3lyp``.

    Raises:
        ValueError: there is none of that name.
        ModuleNotFoundError: it needs an extra that is not installed.
    """
    if name == "surrogate":
        return surrogate()
    if name == "xtb":
        return XTB()
    if name == "b3lyp":
        return B3LYP()
    raise ValueError(f"Argument `gap` must be surrogate, xtb or b3lyp, but is {name!r}.")


@lru_cache(maxsize=1)
def surrogate() -> Surrogate:
    """The shipped surrogate."""
    with (files("qhw") / "data" / SURROGATE_FILE).open("rb") as stream, np.load(stream) as found:
        return Surrogate(
            found["weights"].astype(np.float64),
            float(found["offset"]),
            float(found["error_ev"]),
            int(found["held_out"]),
        )


def fit_surrogate(
    smiles: Sequence[str], gaps: FloatArray, held_smiles: Sequence[str], held_gaps: FloatArray
) -> Surrogate:
    """Fit by the normal equations, and measure on held-out molecules.

    Args:
        smiles: of the training molecules; those that RDKit cannot read are left out.
        gaps: theirs, eV.
        held_smiles: held out.
        held_gaps: theirs, eV.
    """
    size = _BITS + 1
    gram, right = np.zeros((size, size)), np.zeros(size)
    for start in range(0, len(smiles), 4096):
        rows = [
            (_features(s), g) for s, g in zip(smiles[start:][:4096], gaps[start:], strict=False)
        ]
        x = np.array([[*f, 1.0] for f, _ in rows if f is not None])
        y = np.array([g for f, g in rows if f is not None])
        gram += x.T @ x
        right += x.T @ y
    penalty = np.full(size, _RIDGE)
    penalty[-1] = 0.0  # the offset is free
    solved: FloatArray = np.linalg.solve(gram + np.diag(penalty + 1e-9), right).astype(np.float64)
    unmeasured = Surrogate(solved[:-1], float(solved[-1]), math.nan, len(held_smiles))
    error = np.abs(unmeasured.of_smiles(held_smiles) - held_gaps)
    known = error[np.isfinite(error)]
    return Surrogate(solved[:-1], float(solved[-1]), float(known.mean()), len(known))


def _features(smiles: str) -> FloatArray | None:
    """Counts of atoms' neighbourhoods up to two bonds away, folded."""
    molecule = read_smiles(smiles)
    if molecule is None:
        return None
    counts: FloatArray = _generator().GetCountFingerprintAsNumPy(molecule).astype(np.float64)
    return counts


@lru_cache(maxsize=1)
def _generator() -> rdFingerprintGenerator.FingerprintGenerator64:
    return rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=_BITS)


def need_extra(module: str, extra: str, what: str) -> None:
    """Refuse to go on without an optional package.

    Raises:
        ModuleNotFoundError: it is not installed; one line names the extra.
    """
    if find_spec(module) is None:
        raise ModuleNotFoundError(f"{what} needs {module}: pip install 'qhw[{extra}]'")


def _with_geometry(
    text: str | None, gap: Callable[[NDArray[np.int64], FloatArray], float]
) -> float:
    """A gap at the MMFF94 minimum of one conformer, seed 0."""
    if text is None:
        return math.nan
    read = read_smiles(text)
    if read is None:
        return math.nan
    with rdBase.BlockLogs():
        molecule = Chem.AddHs(read)
        if rdDistGeom.EmbedMolecule(molecule, randomSeed=0) != 0:
            return math.nan
        rdForceFieldHelpers.MMFFOptimizeMolecule(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return gap(numbers, molecule.GetConformer().GetPositions())


def _xtb_gap(numbers: NDArray[np.int64], positions: FloatArray) -> float:
    from tblite.interface import Calculator

    calculator = Calculator("GFN2-xTB", numbers, positions / 0.529177210903)
    calculator.set("verbosity", 0)
    try:
        result = calculator.singlepoint()
    except RuntimeError:
        return math.nan
    energies, filled = result.get("orbital-energies"), result.get("orbital-occupations") > 0.5
    return float((energies[~filled].min() - energies[filled].max()) * EV_PER_HARTREE)


def _b3lyp_gap(numbers: NDArray[np.int64], positions: FloatArray) -> float:
    from pyscf import dft, gto

    atoms = [(int(z), tuple(xyz)) for z, xyz in zip(numbers, positions, strict=True)]
    field = dft.RKS(gto.M(atom=atoms, basis="6-31g(2df,p)", verbose=0))
    field.xc = "b3lypg"  # Gaussian's, as in QM9
    field.kernel()
    if not field.converged:
        return math.nan
    filled = field.mo_occ > 0.5
    return float((field.mo_energy[~filled].min() - field.mo_energy[filled].max()) * EV_PER_HARTREE)


def _main() -> None:
    """Fit and ship the surrogate, and the gaps of the shipped sample."""
    from qhw.chem.labels import SAMPLE_GAP_FILE, with_properties
    from qhw.chem.properties import LabelledMolecules
    from qhw.chem.qm9 import SAMPLE_SIZE, load_qm9, split

    data = with_properties(load_qm9(), ["gap"])
    assert isinstance(data.molecules, LabelledMolecules)
    gaps, rows = data.molecules.values["gap"], split(len(data))
    folder = Path(str(files("qhw") / "data"))
    np.save(folder / SAMPLE_GAP_FILE, gaps[rows.test[:SAMPLE_SIZE]].astype(np.float32))
    smiles = [data.smiles[part].tolist() for part in (rows.train, rows.validation)]
    found = fit_surrogate(smiles[0], gaps[rows.train], smiles[1], gaps[rows.validation])
    np.savez_compressed(
        folder / SURROGATE_FILE,
        weights=found.weights.astype(np.float32),
        offset=found.offset,
        error_ev=found.error_ev,
        held_out=found.held_out,
    )
    print(found.name)


if __name__ == "__main__":
    _main()

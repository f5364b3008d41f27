"""Molecules relaxed with GFN2-xTB: how much energy they lose and how far their atoms move."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from scipy import constants
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from qhw.chem.gap import need_extra

FloatArray = NDArray[np.float64]

_BOHR = constants.physical_constants["Bohr radius"][0] * 1e10
_KCAL_PER_HARTREE = (
    constants.physical_constants["Hartree energy"][0] * constants.N_A / (1000 * constants.calorie)
)
_STEPS = 500
_GRADIENT = 5e-4
"""Hartree/Bohr, the largest component at a minimum."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """What relaxing did; all arrays of the molecules that reached a minimum.

    Attributes:
        tried: molecules.
        converged: of them, how many reached a minimum.
        energies: energy lost, kcal/mol.
        moved: root mean square distance of atoms, superposed, Å.
    """

    tried: int
    converged: int
    energies: FloatArray
    moved: FloatArray

    def summary(self) -> dict[str, object]:
        """Medians and means, ready for JSON; ``None`` where none converged."""
        found = self.converged > 0
        return {
            "method": "GFN2-xTB (tblite), in vacuum",
            "tried": self.tried,
            "converged": self.converged,
            **{
                f"{name}_{what}": float(of(values)) if found else None
                for name, values in (
                    ("energy_kcal_mol", self.energies),
                    ("rmsd_angstrom", self.moved),
                )
                for what, of in (("median", np.median), ("mean", np.mean))
            },
        }


def relax(
    molecules: Sequence[Chem.Mol], tell: Callable[[int, int], None] | None = None
) -> Relaxation:
    """Relax every molecule from where it stands.

    Args:
        molecules: with hydrogens and a conformer; their formal charges add up to the total charge.
        tell: called with how many of how many are done.

    Raises:
        ModuleNotFoundError: tblite is not installed; one line names the extra.
    """
    need_extra("tblite", "xtb", "GFN2-xTB")
    energies, moved = [], []
    for done, molecule in enumerate(molecules, 1):
        found = _relaxed(molecule)
        if found is not None:
            energies.append(found[0])
            moved.append(found[1])
        if tell is not None:
            tell(done, len(molecules))
    return Relaxation(len(molecules), len(energies), np.array(energies), np.array(moved))


def _relaxed(molecule: Chem.Mol) -> tuple[float, float] | None:
    from tblite.interface import Calculator

    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    start = np.asarray(molecule.GetConformer().GetPositions())
    charge = sum(atom.GetFormalCharge() for atom in molecule.GetAtoms())
    unpaired = int(numbers.sum() - charge) % 2

    def energy(flat: FloatArray) -> tuple[float, FloatArray]:
        calculator = Calculator(
            "GFN2-xTB", numbers, flat.reshape(-1, 3), charge=charge, uhf=unpaired
        )
        calculator.set("verbosity", 0)
        result = calculator.singlepoint()
        return float(result.get("energy")), np.asarray(result.get("gradient")).ravel()

    try:
        before = energy(start.ravel() / _BOHR)[0]
        found = minimize(
            energy,
            start.ravel() / _BOHR,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS, "gtol": _GRADIENT, "ftol": 0.0},
        )
    except RuntimeError:  # tblite: charges or orbitals that do not converge
        return None
    if np.abs(found.jac).max() > 2 * _GRADIENT:
        return None
    end = found.x.reshape(-1, 3) * _BOHR
    a, b = start - start.mean(axis=0), end - end.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # linear molecules: any turn about the axis
        apart = 0.0 if len(a) < 2 else float(Rotation.align_vectors(a, b)[1])
    return (before - float(found.fun)) * _KCAL_PER_HARTREE, apart / float(np.sqrt(len(a)))

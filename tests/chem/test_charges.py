"""Formal charges: hand-made geometries, force fields, and RDKit's own determination of bonds."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds, rdDistGeom, rdForceFieldHelpers
from rdkit.Geometry import Point3D

from qhw.chem.elements import covalent_radius, largest_valence
from qhw.chem.molecule import ELEMENTS, MoleculeBatch
from qhw.chem.sdf import to_rdkit
from qhw.chem.validity import judge
from tests.chem.molecules import molecule

PAIRED = [
    "C[N+](C)(C)[O-]",  # amine oxides
    "C[N+]1([O-])CCCC1",
    "[O-][N+]12CCN(CC1)CC2",
    "C[N+](=O)[O-]",  # nitro, nitrate, nitramine
    "O=[N+]([O-])CC[N+](=O)[O-]",
    "O=[N+]([O-])c1ccccc1",
    "CO[N+](=O)[O-]",
    "CN(C)[N+](=O)[O-]",
    "C=[N+](C)[O-]",  # nitrones, azoxy, aromatic N-oxides
    "O=C1C=[N+]([O-])CC1",
    "CN=[N+](C)[O-]",
    "[O-][n+]1ccccc1",
    "[O-][n+]1cc[n+]([O-])cc1",
    "Cc1no[n+]([O-])c1C",
    "CN=[N+]=[N-]",  # azides, diazo, isonitriles
    "C=[N+]=[N-]",
    "[N-]=[N+]=NC[N+](=O)[O-]",
    "C[N+]#[C-]",
    "[C-]#[N+]c1ccccc1",
]
NEUTRAL = [
    "CN(C)O", "CNO", "NO", "CC=NO", "ONC=O", "CC(=O)NO", "CON=O", "CN(C)N=O", "O=NC(F)(F)F",
    "CN=NC", "CN(C)C#N", "CC=NC", "CN=C=O", "CC=C=O", "OO", "COO", "COOC", "C=O", "NCC(=O)O",
]  # fmt: skip
_RESONANCE = {"[O-][n+]1cc[n+]([O-])cc1", "[N-]=[N+]=NC[N+](=O)[O-]"}
"""Where RDKit's determination writes another resonance form."""


def embedded(smiles: str) -> Chem.Mol:
    """Force-field geometry with hydrogens (MMFF, which knows these groups)."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    assert rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol)
    rdForceFieldHelpers.MMFFOptimizeMolecule(mol)
    return mol


def heavy(mol: Chem.Mol, charges: bool = False) -> MoleculeBatch:
    atoms = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    return MoleculeBatch(
        np.array([[ELEMENTS.index(a.GetAtomicNum()) for a in atoms]], dtype=np.int8),
        mol.GetConformer().GetPositions()[[a.GetIdx() for a in atoms]][None],
        np.array([[a.GetFormalCharge() for a in atoms]], dtype=np.int8) if charges else None,
    )


@pytest.mark.parametrize("smiles", [*PAIRED, *NEUTRAL])
def test_a_geometry_gives_the_molecule_that_rdkit_determines_with_hydrogens(smiles: str) -> None:
    mol = embedded(smiles)
    report = judge(heavy(mol))
    assert report.statuses == ("valid",)
    assert report.smiles == (Chem.CanonSmiles(smiles),)
    if smiles not in _RESONANCE:
        determined = Chem.MolFromXYZBlock(Chem.MolToXYZBlock(mol))
        rdDetermineBonds.DetermineBonds(determined, charge=0)
        assert report.smiles[0] == Chem.MolToSmiles(Chem.RemoveHs(determined), False)


@pytest.mark.parametrize(
    ("atoms", "places", "smiles"),
    [
        ("CO", [[0, 0, 0], [1.128, 0, 0]], "[C-]#[O+]"),
        ("CO", [[0, 0, 0], [1.205, 0, 0]], "C=O"),
        ("OO", [[0, 0, 0], [1.207, 0, 0]], "O=O"),
        ("OO", [[0, 0, 0], [1.464, 0, 0]], "OO"),
        ("OOO", [[1.088, -0.667, 0], [0, 0, 0], [-1.09, -0.667, 0]], "O=[O+][O-]"),  # ozone
        ("OOO", [[1.2, -0.8, 0], [0, 0, 0], [-1.2, -0.8, 0]], "OOO"),
        ("COO", [[-1.06, 0.72, 0], [0, 0, 0], [1.3, 0.3, 0]], "C=[O+][O-]"),  # CH2OO
        ("CNO", [[-1.16, 0, 0], [0, 0, 0], [1.20, 0, 0]], "C#[N+][O-]"),  # fulminic acid
        ("NNO", [[-1.128, 0, 0], [0, 0, 0], [1.184, 0, 0]], "N#[N+][O-]"),
        ("NNN", [[-1.134, 0, 0], [0, 0, 0], [1.237, 0.1, 0]], "[N-]=[N+]=N"),
        ("ONO", [[1.1, 0.47, 0], [0, 0, 0], [-1.1, 0.47, 0]], "N(=O)O"),  # no neutral pair
    ],
)
def test_small_molecules_at_measured_lengths(
    atoms: str, places: list[list[float]], smiles: str
) -> None:
    assert judge(molecule(atoms, places)).smiles == (Chem.CanonSmiles(smiles),)


@pytest.mark.parametrize(
    "smiles",
    [
        "C[N+](C)(C)C",
        "C[N+](C)(C)CC(=O)[O-]",  # betaine: charges apart
        "[NH3+]CC(=O)[O-]",
        "C[NH+](C)C",
        "C[O+](C)C",
        "CC(=O)[O-]",
        "C[N-]C",
        "C#C[CH2+]",
        "[CH2-]C#N",
        "[O-][N+](=O)[O-]",
        "C[N+]#N",
    ],
)
def test_given_charges_decide(smiles: str) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    if smiles == "C[N+]#N":  # no force field knows the short bond
        mol.GetConformer().SetAtomPosition(
            2, mol.GetConformer().GetAtomPosition(1) + Point3D(1.1, 0, 0)
        )
        mol.GetConformer().SetAtomPosition(
            0, mol.GetConformer().GetAtomPosition(1) - Point3D(1.45, 0, 0)
        )
    report = judge(heavy(mol, charges=True))
    assert report.statuses == ("valid",)
    charged = Chem.MolFromSmiles(report.smiles[0])
    wanted = Chem.MolFromSmiles(smiles)
    assert Chem.GetFormalCharge(charged) == Chem.GetFormalCharge(wanted)
    assert sorted(a.GetFormalCharge() for a in charged.GetAtoms()) == sorted(
        a.GetFormalCharge() for a in wanted.GetAtoms()
    )


@pytest.mark.parametrize(
    ("charges", "status"),
    [
        ((0, 0, 0, 0, 0), "valence"),
        ((0, 1, 0, 0, 0), "valid"),  # tetramethylammonium
        ((0, -1, 0, 0, 0), "valence"),
        ((1, 0, 0, 0, 0), "valence"),
    ],
)
def test_four_carbons_on_nitrogen_need_the_charge(charges: tuple[int, ...], status: str) -> None:
    tetrahedral = 1.49 * np.array([[1, 1, 1], [0, 0, 0], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    given = molecule("CNCCC", (tetrahedral / np.sqrt(3)).tolist())
    stated = np.zeros((1, 9), dtype=np.int8)
    stated[0, :5] = charges
    batch = MoleculeBatch(given.types, given.positions, stated)
    assert judge(batch).statuses == (status,)


def test_charges_survive_slices_moves_and_padding() -> None:
    batch = heavy(embedded("C[N+](=O)[O-]"), charges=True)
    for same in (batch[:1], batch.moved_to(batch.positions + 1), batch.padded(9)):
        assert same.charges is not None
        assert same.charges[0, :4].tolist() == [0, 1, 0, -1]
        assert same.counts.tolist() == [4]
    assert batch.padded(2).types.shape == (1, 4)


def test_written_molecules_state_their_charges() -> None:
    batch = heavy(embedded("C[N+](C)(C)[O-]"))
    written = to_rdkit(*batch.molecule(0))
    Chem.SanitizeMol(written)
    assert Chem.MolToSmiles(written) == "C[N+](C)(C)[O-]"


@pytest.mark.parametrize(
    ("symbol", "charge", "bonds"),
    [
        ("H", 0, 1), ("H", 1, 0), ("H", -1, 0), ("B", 0, 3), ("B", -1, 4),
        ("C", 0, 4), ("C", 1, 3), ("C", -1, 3), ("N", 1, 4), ("N", -1, 2), ("O", 1, 3),
        ("O", -1, 1), ("O", -2, 0), ("F", 0, 1), ("F", -1, 0), ("Na", 1, 0), ("Al", -1, 4),
        ("Si", 0, 4), ("P", 0, 5), ("P", 1, 4), ("P", -1, 6), ("S", 0, 6), ("S", -1, 1),
        ("Cl", 0, 1), ("Cl", -1, 0), ("Br", 0, 1), ("I", 0, 5),
    ],
)  # fmt: skip
def test_valences_follow_charges_for_every_element(symbol: str, charge: int, bonds: int) -> None:
    number = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
    assert largest_valence(number, charge) == bonds


def test_radii_are_cordero_s() -> None:
    published = {1: 0.31, 5: 0.84, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57, 14: 1.11, 15: 1.07,
                 16: 1.05, 17: 1.02, 35: 1.20, 53: 1.39}  # fmt: skip
    assert {z: covalent_radius(z) for z in published} == published

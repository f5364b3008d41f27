"""Molecules of RDKit and ASE, in and out."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import AllChem

import qhw
from qhw.chem.qm9 import sample_molecules


def embedded(smiles: str) -> Chem.Mol:
    found = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(found, randomSeed=7) == 0
    return found


def test_rdkit_and_back() -> None:
    given = [embedded(s) for s in ("CCO", "C[N+](C)(C)[O-]", "FC#N")]
    batch = qhw.Molecules.of(given)
    assert batch.counts.tolist() == [3, 5, 3]
    assert batch.charges is not None and batch.charges[1, :5].tolist() == [0, 1, 0, 0, -1]
    assert qhw.judge(batch).valid == 3
    for one, back in zip(given, batch.to_rdkit(), strict=True):
        wanted = Chem.MolToSmiles(Chem.RemoveHs(one))
        Chem.SanitizeMol(back)
        assert Chem.MolToSmiles(back) == wanted


def test_ase_and_back() -> None:
    batch = qhw.Molecules.of([molecule("CH3CH2OH"), molecule("C6H6")])
    assert batch.counts.tolist() == [3, 6]
    assert qhw.judge(batch).valid == 2
    (ethanol, benzene) = batch.to_ase()
    assert sorted(ethanol.get_chemical_symbols()) == ["C", "C", "O"]
    heavy = molecule("C6H6")
    np.testing.assert_array_equal(benzene.positions, heavy.positions[heavy.numbers > 1])
    again = qhw.Molecules.of(sample_molecules().molecules[:5].to_ase())
    np.testing.assert_array_equal(again.positions, sample_molecules().molecules[:5].positions)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "at least one"),
        (["CCO"], "molecule 1 is str"),
        (Chem.MolFromSmiles("CCO"), "molecule 1 has no 3-D conformer"),
        ([molecule("CH4"), molecule("SiH4")], r"molecule 2 has Si \(atom 1\)"),
        (molecule("H2"), "molecule 1 has 0"),
        (Atoms("CO", [[0, 0, 0], [0, 0, 1.1]], cell=[5, 5, 5], pbc=True), "is periodic"),
        (Atoms("CO", [[0, 0, 0], [0, 0, np.nan]]), "finite positions"),
    ],
)
def test_what_is_no_molecule_is_named(given: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        qhw.Molecules.of(given)  # type: ignore[arg-type]

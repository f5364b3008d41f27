import numpy as np
import pytest
from hypothesis import given
from rdkit import Chem

from qhw.chem.molecule import SYMBOLS, MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.sdf import to_rdkit, to_sdf
from qhw.chem.validity import judge
from tests.chem.molecules import batches, joined, molecule, ring


def read(text: str) -> list[Chem.Mol]:
    supplier = Chem.SDMolSupplier()
    supplier.SetData(text, sanitize=False, removeHs=False)
    return list(supplier)


def test_sample_survives_the_format() -> None:
    batch = sample_molecules().molecules[:100]
    report = judge(batch)
    text = to_sdf(batch, names=[f"m{k}" for k in range(100)], properties={"smiles": report.smiles})
    for k, mol in enumerate(read(text)):
        types, positions = batch.molecule(k)
        assert mol.GetProp("_Name") == f"m{k}"
        assert [a.GetSymbol() for a in mol.GetAtoms()] == [SYMBOLS[t] for t in types]
        np.testing.assert_allclose(mol.GetConformer().GetPositions(), positions, atol=6e-5)
        if report.smiles[k] is None:
            assert not mol.HasProp("smiles")
        else:
            assert mol.GetProp("smiles") == report.smiles[k]
            Chem.SanitizeMol(mol)
            assert Chem.MolToSmiles(mol, isomericSmiles=False) == report.smiles[k]


@given(batch=batches(low=-2.0, high=2.0))
def test_broken_geometries_are_written(batch: MoleculeBatch) -> None:
    molecules = read(to_sdf(batch))
    assert [m.GetNumAtoms() for m in molecules] == batch.counts.tolist()


def test_empty_molecule_keeps_its_place() -> None:
    text = to_sdf(
        joined(molecule("", []), ring("CCCCCC", 1.39)), properties={"valid": [False, True]}
    )
    first, second = read(text)
    assert (first.GetNumAtoms(), second.GetNumAtoms()) == (0, 6)
    assert (first.GetProp("valid"), second.GetProp("valid")) == ("False", "True")


def test_errors() -> None:
    benzene = ring("CCCCCC", 1.39)
    with pytest.raises(ValueError, match="`names` must have 1 entries, but has 2"):
        to_sdf(benzene, names=["a", "b"])
    with pytest.raises(ValueError, match="free of line breaks"):
        to_sdf(benzene, names=["a\n$$$$"])
    with pytest.raises(ValueError, match="plain field names"):
        to_sdf(benzene, properties={"a>": [1]})
    with pytest.raises(ValueError, match="must be finite"):
        to_rdkit(np.zeros(2, dtype=np.int8), np.full((2, 3), np.nan))

"""Molecules of any elements with explicit hydrogens, in SDF files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from qhw.chem.edm import judge_edm
from qhw.chem.geometries import Geometries
from qhw.chem.sdf_reader import read_sdf
from qhw.chem.whole_sdf import MAX_ATOMS, geometries_of, geometries_to_sdf, read_whole_sdf
from tests.chem.test_sdf_reader import chain, drawn, planar, solid, written


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(ValueError, match="Argument `input` must") as caught:
        read_whole_sdf(written(folder, content))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("v3000", [False, True])
def test_any_element_with_hydrogens_charges_and_bonds(tmp_path: Path, v3000: bool) -> None:
    names = ["CS(=O)(=O)Nc1ccc(Cl)cc1Br", "C[Si](C)(C)C", "[NH3+]CC(=O)[O-]", "OB(O)c1ccccc1I"]
    found = read_whole_sdf(written(tmp_path, "".join(solid(s, v3000) for s in names)))
    assert found.names == tuple(names)
    assert found.has_hydrogens and found.has_bonds
    assert set(found.geometries.species) == {1, 5, 6, 7, 8, 14, 16, 17, 35, 53}
    for text, molecule in zip(names, found.molecules, strict=True):
        copy = Chem.Mol(molecule)
        Chem.SanitizeMol(copy)
        assert Chem.MolToSmiles(Chem.RemoveHs(copy), isomericSmiles=False) == Chem.CanonSmiles(text)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    whole = geometries_of([_embedded("CCO"), _embedded("C=C"), _embedded("FC(F)(F)Cl")])
    stretched = Geometries(whole.numbers[:1], whole.positions[:1] * 3)
    for given in (whole, stretched):
        text = geometries_to_sdf(given, names=[f"m{k}" for k in range(len(given))])
        found = read_whole_sdf(written(tmp_path, text))
        assert found.names[0] == "m0"
        np.testing.assert_array_equal(found.geometries.numbers, given.numbers)
        np.testing.assert_allclose(found.geometries.positions, given.positions, atol=5.1e-5)
        assert judge_edm(found.geometries).smiles == judge_edm(given).smiles
    doubles = [
        b.GetBondTypeAsDouble()
        for b in read_whole_sdf(_file(tmp_path, whole)).molecules[1].GetBonds()
    ]
    assert sorted(doubles) == [1, 1, 1, 1, 2]
    with pytest.raises(ValueError, match="finite"):
        geometries_to_sdf(Geometries(whole.numbers, np.full_like(whole.positions, np.inf)))


def test_the_heavy_reader_drops_the_hydrogens_of_the_same_file(tmp_path: Path) -> None:
    file = _file(tmp_path, geometries_of([_embedded("CCO")]))
    assert read_sdf(file).molecules.counts.tolist() == [3]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n\n", "has none"),
        (drawn("CCO", hydrogens=True), "record 1 is 2-D by its header"),
        (drawn("CC[Se]C", "", hydrogens=True), "record 1 is flat"),
        (solid("CCO") + planar("CCO", [[0, 0, 0]] * 3), "record 2 has all atoms in one point"),
        (solid("CCO").replace(" O   0", " Xx  0", 1), "record 1, atom 3 is 'Xx'"),
        (solid("CCO").replace(" O   0", " *   0", 1), "record 1, atom 3 is '*'"),
        (solid("CCO").replace(" O   0", " R1  0", 1), "record 1, atom 3 is 'R1'"),
        (chain(MAX_ATOMS + 1), f"1 to {MAX_ATOMS} atoms"),
        (solid("CCO").split("M  END")[0], "ends before `M  END`"),
    ],
)
def test_what_is_no_geometry_is_one_line(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in refusal(tmp_path, content)


BAD = {
    "record 2, atom 1 has 'nan'": re.sub(
        r"^ +-?\d+\.\d+", "       nan", solid("CO"), count=1, flags=re.M
    ),
    "record 3, atom 3 is 'Xx'": solid("CCO").replace(" O   0", " Xx  0", 1),
    "record 4 cannot be read": solid("CC").replace("M  END", "M  CHG  1  99   1\nM  END"),
    "record 6 ends before `M  END`": solid("CCO").split("M  END")[0],
}


def test_bad_records_may_be_passed_over_and_are_named(tmp_path: Path) -> None:
    first, last = list(BAD.values())[:3], BAD["record 6 ends before `M  END`"]
    file = written(tmp_path, "".join([solid("CCO"), *first, solid("CN"), last]))
    with pytest.raises(ValueError, match="record 2, atom 1"):
        read_whole_sdf(file)
    found = read_whole_sdf(file, keep_going=True)
    assert found.geometries.numbers.shape == (2, 9) and found.names[0] == "CCO"
    assert list(found.unreadable) == [2, 3, 4, 6]
    assert list(found.unreadable.values()) == list(BAD)


FLAT = drawn("CCO", hydrogens=True)


@pytest.mark.parametrize("texts", [list(BAD.values())[:1], [FLAT], [FLAT, solid("CN")]])
def test_bad_records_alone_and_drawings_are_refused_all_the_same(
    tmp_path: Path, texts: list[str]
) -> None:
    file = written(tmp_path, "".join(texts))
    with pytest.raises(ValueError, match="record 1") as plain:
        read_whole_sdf(file)
    with pytest.raises(ValueError, match=re.escape(str(plain.value))):
        read_whole_sdf(file, keep_going=True)


@pytest.mark.parametrize(
    "record",
    [drawn("c1ccccc1Cl", "3D", hydrogens=True), drawn("O=C=S", "3D"), drawn("C=C", "", True)],
)
def test_planar_molecules_pass(tmp_path: Path, record: str) -> None:
    assert len(read_whole_sdf(written(tmp_path, record)).names) == 1


def _embedded(smiles: str) -> Chem.Mol:
    one = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(one, randomSeed=1) == 0
    return one


def _file(folder: Path, given: Geometries) -> Path:
    return written(folder, geometries_to_sdf(given))

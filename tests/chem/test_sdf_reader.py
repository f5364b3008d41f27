"""SDF files as they come: dimensions, charges, encodings, damage."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from qhw.chem.sdf import to_sdf
from qhw.chem.sdf_reader import read_sdf
from qhw.chem.sdf_records import MAX_LINE, MAX_RECORD
from qhw.chem.validity import judge
from tests.chem.molecules import molecule


def solid(smiles: str, v3000: bool = False) -> str:
    """A record with hydrogens and a geometry."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=1) == 0
    mol.SetProp("_Name", smiles)
    return Chem.MolToMolBlock(mol, forceV3000=v3000) + "$$$$\n"


def drawn(smiles: str, header: str = "2D", hydrogens: bool = False) -> str:
    """A record with a drawing for coordinates."""
    mol = Chem.MolFromSmiles(smiles)
    mol = Chem.AddHs(mol) if hydrogens else mol
    rdDepictor.Compute2DCoords(mol)
    block = Chem.MolToMolBlock(mol).replace(
        "RDKit          2D", f"RDKit          {header}".rstrip()
    )
    return block + "$$$$\n"


def planar(symbols: str, places: list[list[float]], header: str = "3D") -> str:
    block = to_sdf(molecule(symbols, places))
    return block.replace("RDKit          3D", f"RDKit          {header}".rstrip())


def chain(atoms: int) -> str:
    """Too many atoms for V2000."""
    mol = Chem.RWMol()
    conformer = Chem.Conformer(atoms)
    for atom in range(atoms):
        mol.AddAtom(Chem.Atom(6))
        conformer.SetAtomPosition(atom, (1.2 * atom, atom % 2, atom % 3))
    mol.AddConformer(conformer)
    return Chem.MolToMolBlock(mol, kekulize=False) + "$$$$\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "m.sdf"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match="Argument `input` must") as caught:
        read_sdf(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (drawn("CCO"), "is 2-D by its header"),
        (drawn("c1ccccc1"), "is 2-D by its header"),
        (drawn("CCO", ""), "is flat .* header does not say 3D"),
        (drawn("CC(C)C", "3D"), "is flat .* which its molecule cannot be"),
        (drawn("CC", "3D", hydrogens=True), "is flat .* which its molecule cannot be"),
        (drawn("CO", "", hydrogens=True), "is flat .* which its molecule cannot be"),
        (drawn("C[N+](C)(C)[O-]", "3D"), "is flat .* which its molecule cannot be"),
        (planar("CCO", [[1, 1, 1]] * 3), "has all atoms in one point"),
        (planar("CCO", [[0, 0, 0]] * 3, ""), "has all atoms in one point"),
    ],
)
def test_no_geometry_is_refused(tmp_path: Path, record: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"record 1 {reason}"):
        read_sdf(written(tmp_path, record))


@pytest.mark.parametrize("header", ["3D", ""])
@pytest.mark.parametrize(
    "record",
    [
        drawn("c1ccccc1", hydrogens=True),
        drawn("O=C=O"),
        drawn("C=C", hydrogens=True),
        drawn("O", hydrogens=True),
        planar("CO", [[0, 0, 0], [1.42, 0, 0]], "2D"),
        planar("NN", [[0, 0, 0], [1.1, 0, 0]], "2D"),
        drawn("O=Cc1ccncc1"),
    ],
)
def test_planar_molecules_pass(tmp_path: Path, record: str, header: str) -> None:
    assert record.count("          2D") == 1
    read_sdf(written(tmp_path, record.replace("          2D", f"          {header}".rstrip())))


def test_heavy_atoms_in_a_plane_pass_where_the_header_says_3d(tmp_path: Path) -> None:
    propane = planar("CCC", [[0, 0, 0], [1.53, 0, 0], [2.04, 1.44, 0]])
    assert judge(read_sdf(written(tmp_path, propane)).molecules).valid == 1


def test_every_record_without_a_geometry_is_named(tmp_path: Path) -> None:
    good, bad = solid("CCO"), drawn("CCO")
    text = refusal(written(tmp_path, good + bad + good + planar("CC", [[0, 0, 0]] * 2)))
    assert "record 2 is 2-D by its header; record 4 has all atoms in one point." in text
    text = refusal(written(tmp_path, good + 8 * bad))
    assert "record 6 is" in text
    assert text.endswith("3 more of 9.")


@pytest.mark.parametrize("v3000", [False, True])
def test_charges_and_places_come_from_the_file(tmp_path: Path, v3000: bool) -> None:
    names = ["C[N+](C)(C)C", "C[N+](C)(C)CC(=O)[O-]", "CCO"]
    found = read_sdf(written(tmp_path, "".join(solid(s, v3000) for s in names)))
    assert found.names == tuple(names)
    assert judge(found.molecules).smiles == tuple(Chem.CanonSmiles(s) for s in names)
    assert judge(found.take(np.array([2, 0])).molecules).smiles[1] == "C[N+](C)(C)C"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode().replace(b"\n", b"\r\n"),
        lambda text: text.encode().replace(b"\n", b"\r"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.encode().removesuffix(b"$$$$\n"),
        lambda text: text.encode() + b"\n \n",
        lambda text: text.encode().replace(
            b"M  END\n", b"M  END\n> <a>\n" + b"x" * 70_000 + b"\n\n"
        ),
    ],
    ids=["crlf", "cr", "bom", "gzip", "no end", "blank end", "data"],
)
def test_the_same_molecules_in_other_dress(tmp_path: Path, change: object) -> None:
    text = solid("CCO") + solid("C#N")
    plain = read_sdf(written(tmp_path, text))
    other = read_sdf(written(tmp_path, change(text)))  # type: ignore[operator]
    assert other.names == plain.names == ("CCO", "C#N")
    np.testing.assert_array_equal(other.molecules.positions, plain.molecules.positions)


def test_titles_are_text_of_bounded_length(tmp_path: Path) -> None:
    record = solid("CCO").split("\n", 1)[1]
    titles = ["café".encode("latin-1"), "café".encode(), b"\x1b[31mred", b"t" * 300, b""]
    path = written(tmp_path, b"".join(t + b"\n" + record.encode() for t in titles))
    assert read_sdf(path).names == ("café", "café", "\ufffd[31mred", "t" * 200, "4")


@pytest.mark.parametrize("v3000", [False, True])
@pytest.mark.parametrize("word", ["nan", "inf", "1.2x", ""])
def test_a_coordinate_that_is_no_number_is_named(tmp_path: Path, v3000: bool, word: str) -> None:
    lines = solid("CCO", v3000).split("\n")
    row = next(k for k, line in enumerate(lines) if " O " in line)
    x = lines[row].split()[4 if v3000 else 0]
    if v3000 and not word:
        pytest.skip("a field that is missing shifts the others")
    lines[row] = lines[row].replace(x, word.rjust(len(x)), 1)
    text = refusal(written(tmp_path, solid("CC") + "\n".join(lines)))
    assert f"record 2, atom 3 has {word!r}" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "record 1 ends before `M  END`"),
        (lambda text: text.replace("M  END\n", ""), "record 1 ends before `M  END`"),
        (lambda text: text + text[:200], "record 2 ends before `M  END`"),
        (lambda text: text + "$$$$\n" + text, "record 2 ends before `M  END`"),
        (lambda text: "a\n\n\nM  END\n", "record 1 cannot be read"),
        (lambda text: text.replace("V2000", "V4000"), "record 1 cannot be read"),
        (lambda text: text.replace("  9  8", "999998"), "record 1"),
        (lambda text: text.replace(" O ", " S "), r"record 1 has S \(atom 3\)"),
        (lambda text: text.replace(" O ", " Xx"), "record 1"),
        (lambda text: chain(1200), "record 1 has 1200"),
        (lambda text: "", "is empty"),
        (lambda text: "\n\n\n", "has none"),
        (lambda text: "x" * (MAX_LINE + 1), "lines below"),
        (lambda text: ("x" * 999 + "\n") * (MAX_RECORD // 1000 + 1), "record 1 is longer"),
        (lambda text: gzip.compress(text.encode())[:-20], "damaged gzip"),
        (lambda text: gzip.compress(text.encode())[:12] + b"abcdefgh", "damaged gzip"),
        (lambda text: gzip.compress(bytes(2**26)), "lines below"),
        (lambda text: bytes(2**12), "record 1 ends before"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, change: object, words: str) -> None:
    text = refusal(written(tmp_path, change(solid("CCO"))))  # type: ignore[operator]
    assert re.search(words, text)


def test_what_never_ends_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        assert "is not a file" in refusal(path)


def test_atoms_on_top_of_each_other_are_a_clash(tmp_path: Path) -> None:
    record = planar("CCO", [[0, 0, 0], [0, 0, 0], [1.4, 0, 0.1]])
    assert judge(read_sdf(written(tmp_path, record)).molecules).statuses == ("clash",)

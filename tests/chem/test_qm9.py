import importlib.metadata
import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from qhw.chem.molecule import SYMBOLS
from qhw.chem.qm9 import load_qm9, sample_molecules, split

HEADER = "XYZ_file,Index,SMILES,Elements,XYZ_Ang\n"
ROWS = {
    1: "\"a.xyz\",7,\"CO\",\"['H','C','O','H']\",\"[[9.,9,9],[0.,1.e-1,-2],[1.4,0,0],[8,8,8]]\"\n",
    2: '"b.xyz",9,"FCF","[\'F\',\'C\',\'F\']","[[0,0,0],[1.3,0,0],[1.8,1.2,0]]"\n',
    3: '"c.xyz",12,"N","[\'N\',\'H\']","[[0.25,0,0],[1,0,0]]"\n',
}


@pytest.fixture
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed qm9pack of three molecules, and an empty cache; returns the cache folder."""
    site = tmp_path / "site"
    data = site / "qm9pack" / "data"
    data.mkdir(parents=True)
    for part, row in ROWS.items():
        (data / f"qm9_part{part}.csv").write_text(HEADER + row)
    info = site / "qm9pack-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: qm9pack\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_parses_heavy_atoms_in_order(small_package: Path) -> None:
    data = load_qm9()
    np.testing.assert_array_equal(data.molecules.types[0], [0, 2] + [-1] * 7)
    np.testing.assert_allclose(
        data.molecules.positions[0, :2], [[0, 0.1, -2], [1.4, 0, 0]], atol=1e-7
    )
    assert (data.molecules.positions[0, 2:] == 0).all()
    assert data.smiles.tolist() == ["CO", "FCF", "N"]
    assert data.index.tolist() == [7, 9, 12]
    assert data.molecules.counts.tolist() == [2, 3, 1]


def test_cache_gives_the_same_and_a_damaged_one_is_replaced(small_package: Path) -> None:
    first = load_qm9()
    (cached,) = small_package.iterdir()
    written = cached.stat().st_mtime_ns
    again = load_qm9()
    assert cached.stat().st_mtime_ns == written
    np.testing.assert_array_equal(again.molecules.positions, first.molecules.positions)
    np.testing.assert_array_equal(again.smiles, first.smiles)
    cached.write_bytes(cached.read_bytes()[:40])
    with pytest.warns(UserWarning, match="damaged"):
        repaired = load_qm9()
    np.testing.assert_array_equal(repaired.index, first.index)
    assert list(small_package.iterdir()) == [cached]
    np.testing.assert_array_equal(load_qm9().index, first.index)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'qhw\[train\]'"):
        load_qm9()


def test_split_is_a_partition_and_fixed() -> None:
    parts = split(130_831)
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [
        100_000,
        18_000,
        12_831,
    ]
    everything = np.concatenate([parts.train, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(everything), np.arange(130_831))
    np.testing.assert_array_equal(split(130_831).test, parts.test)
    with pytest.raises(ValueError, match="must be above 118000"):
        split(1_000)


def test_sample_is_whole_and_agrees_with_its_smiles() -> None:
    sample = sample_molecules()
    assert len(sample) == 1_000
    assert len(set(sample.index.tolist())) == 1_000
    for (types, positions), smiles in zip(sample.molecules, sample.smiles, strict=True):
        atoms = Chem.MolFromSmiles(str(smiles)).GetAtoms()
        assert [SYMBOLS[t] for t in types] == [a.GetSymbol() for a in atoms]
        assert np.isfinite(positions).all()


def test_sample_card() -> None:
    card = json.loads((files("qhw") / "data" / "qm9_sample.json").read_text())
    assert card["molecules"] == len(sample_molecules())
    assert "MIT" in card["source_licence"]


@pytest.mark.slow
def test_full_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not list(importlib.metadata.Distribution.discover(name="qm9pack")):
        pytest.skip("needs the package qm9pack (extra `train`)")
    monkeypatch.setenv("QHW_CACHE", str(tmp_path))
    data = load_qm9()
    assert len(data) == 130_831
    assert data.molecules.counts.max() == 9
    test = data.take(split(len(data)).test[:1_000])
    sample = sample_molecules()
    np.testing.assert_array_equal(test.index, sample.index)
    np.testing.assert_array_equal(test.molecules.positions, sample.molecules.positions)

"""Stability and validity by EDM's rules."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from qhw.chem.edm import bond_orders, judge_edm, known_by_edm
from qhw.chem.geometries import Geometries
from qhw.chem.whole_sdf import geometries_of


def embedded(*smiles: str) -> Geometries:
    found = []
    for text in smiles:
        one = Chem.AddHs(Chem.MolFromSmiles(text))
        assert rdDistGeom.EmbedMolecule(one, randomSeed=1) == 0
        found.append(one)
    return geometries_of(found)


def methane(length: float) -> Geometries:
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    return Geometries(
        np.array([[6, 1, 1, 1, 1]]), np.concatenate([np.zeros((1, 3)), length * corners])[None]
    )


def linear(numbers: list[int], places: list[float]) -> Geometries:
    positions = np.zeros((1, len(numbers), 3))
    positions[0, :, 0] = places
    return Geometries(np.array([numbers]), positions)


def joined(*parts: Geometries) -> Geometries:
    most = max(part.numbers.shape[1] for part in parts)
    pads = [((0, 0), (0, most - part.numbers.shape[1])) for part in parts]
    return Geometries(
        np.concatenate([np.pad(p.numbers, w) for p, w in zip(parts, pads, strict=True)]),
        np.concatenate(
            [np.pad(p.positions, (*w, (0, 0))) for p, w in zip(parts, pads, strict=True)]
        ),
    )


def test_methane_is_stable_and_a_stretched_one_is_not() -> None:
    found = judge_edm(joined(methane(1.09), methane(1.1899), methane(1.19)))
    assert found.stable.tolist() == [True, True, False]  # 109 pm and a margin of 10, strictly below
    assert found.stable_atoms.tolist() == [5, 5, 0]
    assert found.connected.tolist() == [True, True, False]
    # every atom of the stretched one is completed by RDKit: valid, in five pieces
    assert found.valid.tolist() == [True, True, True]
    assert found.counts["valid and connected / all"] == (2, 3)
    assert found.counts["stable atoms / atoms"] == (10, 15)


@pytest.mark.parametrize(
    ("numbers", "apart", "order"),
    [
        ([6, 6], 1.64, 0),
        ([6, 6], 1.639, 1),
        ([6, 6], 1.39, 1),
        ([6, 6], 1.389, 2),
        ([6, 6], 1.229, 3),
        ([6, 7], 1.189, 3),
        ([8, 6], 1.249, 2),
        ([8, 6], 1.159, 3),
        ([9, 9], 1.51, 1),
        ([1, 1], 0.839, 1),
        ([17, 6], 1.869, 1),
        ([15, 16], 1.909, 2),
        ([53, 53], 2.7, 1),
        ([5, 6], 1.5, 0),  # not in the table
        ([7, 8], 1.0, 2),  # no triple bond is
    ],
)
def test_orders_follow_from_distances(numbers: list[int], apart: float, order: int) -> None:
    found = bond_orders(linear(numbers, [0.0, apart]))[0]
    assert found.tolist() == [[0, order], [order, 0]]


def test_a_double_bond_is_one() -> None:
    found = judge_edm(embedded("C=C", "C#C", "CC"))
    assert found.stable.all()
    assert [Chem.CanonSmiles(str(s)) for s in found.smiles] == ["C=C", "C#C", "CC"]


def test_charged_and_aromatic_molecules_as_the_rules_have_them() -> None:
    """No charges, no aromatic bonds: that is what the rules are known for."""
    ammonium = Geometries(methane(1.03).numbers.copy(), methane(1.03).positions)
    ammonium.numbers[0, 0] = 7
    found = judge_edm(ammonium)
    assert found.stable_atoms.tolist() == [4] and not found.stable[0] and not found.valid[0]
    angle = np.pi / 3 * np.arange(6)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    benzene = Geometries(
        np.array([[6] * 6 + [1] * 6]), np.concatenate([1.395 * ring, 2.48 * ring])[None]
    )
    found = judge_edm(benzene)
    assert found.stable_atoms.tolist() == [6]  # 1.395 Å is beyond a double bond's reach
    assert found.valid.tolist() == [True]


def test_the_largest_piece_stands_for_a_molecule_in_pieces() -> None:
    far = Geometries(methane(1.09).numbers, methane(1.09).positions + 9.0)
    ethane = embedded("CC")
    both = Geometries(
        np.concatenate([far.numbers, ethane.numbers], axis=1),
        np.concatenate([far.positions, ethane.positions], axis=1),
    )
    found = judge_edm(joined(both, ethane))
    assert found.connected.tolist() == [False, True]
    assert found.smiles[0] == found.smiles[1] and found.unique == 1
    assert found.counts["stable and connected / all"] == (1, 2)
    assert found.counts["stable / all"] == (2, 2)


def test_novelty_is_of_different_smiles_and_against_the_same_rule() -> None:
    known = known_by_edm(embedded("CC", "CCO"), "two")
    found = judge_edm(embedded("CC", "CC", "CO", "OC", "CCO"), known=known)
    assert found.counts["unique / valid"] == (3, 5)
    assert found.counts["novel / unique"] == (1, 3)
    assert known.said == "two (2 molecules; 2 SMILES)"
    assert "novel / unique" not in judge_edm(embedded("CC")).counts


def test_single_bonds_are_for_validity_only() -> None:
    """As EDM counts GEOM-Drugs: five single bonds to carbon are refused, orders are not."""
    crowded = linear([6, 6, 6], [0.0, 1.2, 2.4])  # C#C#C
    assert not judge_edm(crowded).valid[0]
    found = judge_edm(crowded, single_bonds=True)
    assert found.valid[0] and found.stable_atoms.tolist() == [0]


def test_no_atoms_and_unknown_elements_are_never_stable() -> None:
    none = Geometries(np.zeros((1, 3), dtype=np.int64), np.zeros((1, 3, 3)))
    found = judge_edm(none)
    assert not found.stable[0] and not found.valid[0] and not found.connected[0]
    assert found.summary()["stable / all"] == {"count": 0, "of": 1, "share": 0.0}
    assert judge_edm(linear([26, 1], [0.0, 1.5])).stable_atoms.tolist() == [0]
    assert judge_edm(none[:0]).counts["stable / all"] == (0, 0)
    with pytest.raises(ValueError, match="molecule 0 has not"):
        judge_edm(linear([6, 1], [0.0, np.nan]))


def test_permuted_and_moved_molecules_are_judged_alike() -> None:
    whole = embedded("CC(=O)Nc1ccccc1", "C1CC1N", "FC(F)C#N")
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    n = int((whole.numbers[0] > 0).sum())
    order = np.concatenate([rng.permutation(n), np.arange(n, whole.numbers.shape[1])])
    other = Geometries(whole.numbers[:, order], whole.positions[:, order] @ q)
    first, second = judge_edm(whole[:1]), judge_edm(other[:1])
    assert first.smiles == second.smiles
    assert first.stable_atoms.tolist() == second.stable_atoms.tolist()


@pytest.mark.slow
def test_the_published_figures_of_qm9() -> None:
    """99.0 / 95.2 / 97.7 are printed with EDM."""
    try:
        distribution("qm9pack")
    except PackageNotFoundError:
        pytest.skip("qm9pack is not installed: pip install 'qhw[train]'")
    from tests.chem.whole_qm9 import some_of_qm9

    counts = judge_edm(some_of_qm9(5_000)).counts
    share = {name: part / whole for name, (part, whole) in counts.items()}
    assert 0.990 <= share["stable atoms / atoms"] <= 0.995
    assert abs(share["stable / all"] - 0.952) < 0.01
    assert abs(share["valid / all"] - 0.977) < 0.007
    assert share["connected / all"] > 0.999

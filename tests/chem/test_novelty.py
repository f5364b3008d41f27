from __future__ import annotations

import json
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

import qhw
from qhw.chem.novelty import Known, Novelty, skeleton
from qhw.chem.qm9 import sample_molecules
from qhw.chem.training_split import known_from, known_molecules
from qhw.chem.validity import judge
from tests.chem.molecules import molecule

ELEMENTS = (6, 7, 8, 9)


def written(elements: list[int], bonds: list[tuple[int, int]], seed: int) -> str:
    """SMILES of a graph, its atoms in a random order."""
    order = np.random.default_rng(seed).permutation(len(elements))
    place = np.argsort(order)
    graph = Chem.RWMol()
    for atom in order:
        graph.AddAtom(Chem.Atom(elements[atom]))
    for a, b in bonds:
        graph.AddBond(int(place[a]), int(place[b]), Chem.BondType.SINGLE)
    return str(Chem.MolToSmiles(graph, canonical=False))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    """Connected graphs of up to nine atoms."""
    n = draw(st.integers(1, 9))
    elements = draw(st.lists(st.sampled_from(ELEMENTS), min_size=n, max_size=n))
    tree = [(draw(st.integers(0, atom - 1)), atom) for atom in range(1, n)]
    more = draw(st.lists(st.sampled_from(list(combinations(range(n), 2)) or [(0, 0)]), max_size=5))
    return elements, sorted({*tree, *(bond for bond in more if bond != (0, 0))})


@given(graph=graphs(), seed=st.integers(0, 2**31))
def test_a_skeleton_does_not_depend_on_the_order_of_atoms(
    graph: tuple[list[int], list[tuple[int, int]]], seed: int
) -> None:
    assert skeleton(written(*graph, seed=seed)) == skeleton(written(*graph, seed=seed + 1))


@given(first=graphs(), second=graphs())
def test_two_skeletons_are_equal_where_the_graphs_are(
    first: tuple[list[int], list[tuple[int, int]]], second: tuple[list[int], list[tuple[int, int]]]
) -> None:
    assert (skeleton(written(*first, seed=1)) == skeleton(written(*second, seed=2))) == isomorphic(
        first, second
    )


def test_every_carbon_graph_of_seven_atoms_has_a_skeleton_of_its_own() -> None:
    """Regular ones among them: there a canonical order is hardest to find."""
    atlas = pytest.importorskip("networkx", reason="networkx has the atlas").graph_atlas_g()
    networkx = pytest.importorskip("networkx")
    found = set()
    connected = [g for g in atlas if len(g) and networkx.is_connected(g)]
    for graph in connected:
        texts = {skeleton(written([6] * len(graph), list(graph.edges), seed)) for seed in range(3)}
        assert len(texts) == 1
        found |= texts
    assert len(found) == len(connected) == 1 + 1 + 2 + 6 + 21 + 112 + 853


def isomorphic(
    first: tuple[list[int], list[tuple[int, int]]], second: tuple[list[int], list[tuple[int, int]]]
) -> bool:
    networkx = pytest.importorskip("networkx", reason="networkx tells isomorphism")
    made = []
    for elements, bonds in (first, second):
        graph = networkx.Graph()
        graph.add_nodes_from((i, {"element": e}) for i, e in enumerate(elements))
        graph.add_edges_from(bonds)
        made.append(graph)
    same = networkx.algorithms.isomorphism.categorical_node_match("element", None)
    return bool(networkx.is_isomorphic(*made, node_match=same))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("c1ccccc1", "C1CCCCC1"),
        ("C#N", "CN"),
        ("C[NH3+]", "CN"),
        ("CC(=O)[O-]", "OC(C)O"),
        ("F/C=C/F", "F/C=C\\F"),
        ("[H]C([H])([H])O[H]", "CO"),
        ("c1cnoc1", "C1=CON=C1"),
    ],
)
def test_orders_charges_stereo_and_hydrogens_are_no_part_of_a_skeleton(
    one: str, other: str
) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("CCO", "COC"), ("CCN", "CCO"), ("CCC", "C1CC1")])
def test_elements_and_connectivity_are(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)
    assert skeleton("not a molecule") is None


def test_another_bond_order_is_a_new_smiles_and_an_old_skeleton() -> None:
    known = Known.of(["CCO", "C1CC1"], "two")
    ethenol = "C=CO"
    assert known.novelty(["CCO", None, ethenol, ethenol, "CCN"]) == Novelty(
        "two (2 molecules; 2 SMILES, 2 skeletons)",
        novel=3,
        novel_unique=2,
        skeletons=2,
        novel_skeletons=1,
    )


def test_what_is_shipped_is_the_training_split() -> None:
    known = known_molecules()
    card = json.loads((files("qhw") / "data" / "qm9_training.json").read_text())
    assert known.said == (
        "QM9's training split (100,000 molecules; 103,057 SMILES, 64,890 skeletons)"
    )
    assert (card["molecules"], card["smiles"], card["skeletons"]) == (
        known.molecules,
        len(known.smiles),
        len(known.skeletons),
    )
    assert (np.diff(known.smiles) > 0).all()
    assert (np.diff(known.skeletons) > 0).all()


def test_held_out_molecules_are_as_new_as_the_study_found() -> None:
    """The shipped sample is of the test split: about 39 % of its skeletons are new."""
    found = judge(sample_molecules().molecules, reference=known_molecules())
    assert found.novelty is not None
    assert 0.35 < found.novelty.novel_skeletons / found.samples < 0.43
    assert found.novelty.novel_unique > 0.9 * found.valid


@pytest.mark.slow
def test_training_molecules_are_known() -> None:
    from qhw.chem.qm9 import load_qm9, split

    pytest.importorskip("qm9pack", reason="QM9 comes from qm9pack")
    data = load_qm9()
    rows = split(len(data)).train[:500]
    found = judge(data.molecules[rows], reference=known_molecules()).novelty
    assert found is not None
    assert (found.novel, found.novel_skeletons) == (0, 0)
    again = known_from(data.take(rows), "some")
    shipped = known_molecules()
    assert np.isin(again.smiles, shipped.smiles).all()
    assert np.isin(again.skeletons, shipped.skeletons).all()


def test_without_the_file_the_sample_stands_in_under_its_own_name(tmp_path: Path) -> None:
    assert known_molecules(tmp_path).said.startswith(
        "the shipped 1,000-molecule sample (1,000 molecules; "
    )


def test_python_holds_against_the_training_split_or_what_is_given() -> None:
    ethane = molecule("CC", [[0, 0, 0], [1.53, 0, 0]])
    default, own = qhw.judge(ethane).novelty, qhw.judge(ethane, known=["CO"]).novelty
    assert default is not None and own is not None
    assert (default.novel_skeletons, own.novel_skeletons) == (0, 1)
    assert default.against.startswith("QM9's training split (100,000 molecules")
    assert own.against.startswith("molecules given (1 ")

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds
from rdkit.Geometry import Point3D

from qhw.chem.bonds import (
    PROTOCOLS,
    Protocol,
    bond_graph,
    distances,
    has_clash,
    is_connected,
    same_graph,
)
from qhw.chem.molecule import SYMBOLS, MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from tests.chem.molecules import batches, joined, molecule, moved, ring

RELEASED = {"CC": 1.7721, "CN": 1.7876, "CO": 1.5731, "CF": 1.3620, "NN": 1.4208, "NO": 1.7692}
RADII = {"C": 0.76, "N": 0.71, "O": 0.66, "F": 0.57}


def released_by_hand(symbols: str, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The released rule, pair by pair in the order of visits."""
    neighbours: list[set[int]] = [set() for _ in symbols]
    room = {"C": 4, "N": 3, "O": 2, "F": 1}
    for i in range(len(symbols)):
        for j in range(i):
            length = RELEASED.get("".join(sorted((symbols[i], symbols[j]), key="CNOF".index)))
            if length is None or len(neighbours[j]) >= room[symbols[j]]:
                continue
            if np.linalg.norm(places[i] - places[j]) <= 2.2 * length:
                neighbours[i].add(j)
                neighbours[j].add(i)
    return np.array(
        [[b in neighbours[a] for b in range(len(symbols))] for a in range(len(symbols))]
    )


@given(batch=batches(low=-2.0, high=2.0))
def test_released_graph_matches_a_pairwise_implementation(batch: MoleculeBatch) -> None:
    graphs = bond_graph(batch, "released")
    for graph, (types, places) in zip(graphs, batch, strict=True):
        n = len(types)
        expected = released_by_hand("".join("CNOF"[t] for t in types), places)
        np.testing.assert_array_equal(graph[:n, :n], expected)
        assert not graph[n:].any()


@pytest.mark.parametrize("pair", ["CC", "CN", "CO", "CF", "NN", "NO", "OO", "NF", "OF", "FF"])
def test_strict_limits(pair: str) -> None:
    total = RADII[pair[0]] + RADII[pair[1]]
    apart = [1.299, 1.301, 0.751, 0.749]
    batch = joined(*(molecule(pair, [[0, 0, 0], [f * total, 0, 0]]) for f in apart))
    bonded = bond_graph(batch, "strict")[:, 0, 1]
    np.testing.assert_array_equal(bonded, [True, False, True, True])
    np.testing.assert_array_equal(has_clash(batch), [False, False, False, True])


@pytest.mark.parametrize("pair", [*RELEASED, "OO", "NF", "OF", "FF"])
def test_released_limits(pair: str) -> None:
    length = 2.2 * RELEASED.get(pair, 0.0)
    apart = [max(length - 0.001, 0.0), length + 0.001]
    batch = joined(*(molecule(pair, [[0, 0, 0], [d, 0, 0]]) for d in apart))
    expected = [pair in RELEASED and apart[0] > 0, False]
    np.testing.assert_array_equal(bond_graph(batch, "released")[:, 1, 0], expected)


def test_released_rule_looks_at_the_earlier_atom_only() -> None:
    """F first has room for one; F last is bonded to both and breaks its valence."""
    places = [[0, 0, 0], [1.3, 0, 0], [0, 1.3, 0]]
    batch = joined(molecule("FCC", places), molecule("CCF", places))
    first, last = bond_graph(batch, "released")
    assert first[0].sum() == 1
    assert last[2].sum() == 2


def test_connected_pieces() -> None:
    chain = molecule("CCCC", [[1.5 * k, 0, 0] for k in range(4)])
    pieces = molecule("CCCC", [[0, 0, 0], [1.5, 0, 0], [6, 0, 0], [7.5, 0, 0]])
    batch = joined(chain, pieces, molecule("C", [[0, 0, 0]]), molecule("", []))
    connected = is_connected(bond_graph(batch, "strict"), batch.counts)
    np.testing.assert_array_equal(connected, [True, False, True, True])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(batch=batches(low=-2.0, high=2.0))
def test_same_graph_of_itself(protocol: Protocol, batch: MoleculeBatch) -> None:
    assert same_graph(batch, batch, protocol).all()


def test_same_graph_sees_elements_bonds_and_order() -> None:
    benzene = ring("CCCCCC", 1.39)
    pyridine = ring("NCCCCC", 1.39)
    open_chain = molecule("CCCCCC", [[1.5 * k, 0, 0] for k in range(6)])
    shuffled = MoleculeBatch(benzene.types, benzene.positions[:, [0, 2, 1, 3, 4, 5, 6, 7, 8]])
    first = joined(benzene, benzene, benzene, benzene)
    second = joined(moved(benzene, 1), pyridine, open_chain, shuffled)
    np.testing.assert_array_equal(same_graph(first, second), [True, False, False, False])


def test_distances_skip_padding() -> None:
    apart = distances(molecule("CO", [[0, 0, 0], [3, 4, 0]]))[0]
    assert apart[0, 1] == apart[1, 0] == 5.0
    assert np.isinf(np.diag(apart)).all()
    assert np.isinf(apart[2:]).all()


def test_errors() -> None:
    benzene = ring("CCCCCC", 1.39)
    with pytest.raises(ValueError, match="`protocol` must be one of released, strict"):
        bond_graph(benzene, "loose")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shape of `first`"):
        same_graph(benzene, joined(benzene, benzene))


def test_strict_graph_is_rdkits_at_the_same_factor() -> None:
    molecules = sample_molecules().molecules
    ours = bond_graph(molecules, "strict")
    for row, n in enumerate(molecules.counts):
        theirs = Chem.RWMol()
        places = Chem.Conformer(int(n))
        for atom in range(n):
            theirs.AddAtom(Chem.Atom(SYMBOLS[molecules.types[row, atom]]))
            places.SetAtomPosition(atom, Point3D(*map(float, molecules.positions[row, atom])))
        theirs.AddConformer(places)
        rdDetermineBonds.DetermineConnectivity(theirs, useVdw=True, covFactor=1.3)
        np.testing.assert_array_equal(ours[row, :n, :n], Chem.GetAdjacencyMatrix(theirs))

"""Which wires carry what: the shapes of the spin models' circuits, and what their gates share.

Gates of one class have one parameter. Classes are orbits of exchanging equal atoms, so that
exchanging them only renames wires: the circuit's value stays, with no averaging.
"""

from __future__ import annotations

from dataclasses import dataclass

from qhw.forces.exchange import ExchangeCircuit, Pair


@dataclass(frozen=True)
class Register:
    """A circuit and its ties.

    Attributes:
        circuit: its shape.
        carried: which vector turns each wire.
        turned: class of each wire's rotation.
        coupled: class of each bond of a layer.
        read: class of each pair that is read.
        images: orders of the vectors over which the value is averaged.
        mirrored: average also over the inverted vectors; needed from three vectors on, as two are
            inverted by a rotation.
    """

    circuit: ExchangeCircuit
    carried: tuple[int, ...]
    turned: tuple[int, ...]
    coupled: tuple[int, ...]
    read: tuple[int, ...]
    images: tuple[tuple[int, ...], ...]
    mirrored: bool


def one_ligand(layers: int) -> Register:
    """A chain of four wires that all carry the one vector, nothing tied (LiH)."""
    circuit = ExchangeCircuit(4, layers, ((0, 1), (2, 3)), (((0, 1), (2, 3)), ((1, 2),)), ((0, 1),))
    return Register(circuit, (0, 0, 0, 0), (0, 1, 2, 3), (0, 1, 2), (0,), ((0,),), False)


def two_ligands(layers: int) -> Register:
    """A ring of four wires, each vector twice (H2O).

    Exchanging the ligands exchanges wires 0 and 1, and 2 and 3: rotations of 0 and 1 are one
    class, of 2 and 3 another; the bonds between the singlets share their coupling.
    """
    circuit = ExchangeCircuit(
        4, layers, ((0, 1), (2, 3)), (((0, 1), (2, 3)), ((1, 2), (3, 0))), ((0, 1),)
    )
    return Register(circuit, (0, 1, 0, 1), (0, 0, 1, 1), (0, 1, 2, 2), (0,), ((0, 1),), False)


def three_ligands(layers: int) -> Register:
    """Two wires a ligand, ``a_k`` and ``b_k``, bonds from every a to every b (NH3).

    Bonds are three groups, ``a_k b_k``, ``a_k b_k+1`` and ``a_k b_k-1``, each of one class and
    sharing no wire. Cyclic exchanges leave each as it is; exchanging two ligands does so together
    with all a and b. So all rotations of a layer are one class, and no permutation is averaged.
    """
    groups = tuple(tuple((k, 3 + (k + s) % 3) for k in range(3)) for s in (0, 1, 2))
    reads: tuple[Pair, ...] = tuple(pair for group in groups for pair in group)
    circuit = ExchangeCircuit(6, layers, groups[1], groups, reads)
    classes = tuple(s for s in (0, 1, 2) for _ in range(3))
    return Register(circuit, (0, 1, 2) * 2, (0,) * 6, classes, classes, ((0, 1, 2),), True)


def two_molecules(layers: int) -> Register:
    """One wire an atom of two molecules of a central atom and two ligands: their interaction.

    Vectors are central atom, two ligands, the other central atom, its two ligands. Bonds do not
    commute, so the value is averaged over exchanges of ligands; both molecules come first once.
    """
    bonds: tuple[tuple[Pair, ...], ...] = (
        ((0, 3), (1, 2), (4, 5)),
        ((0, 1), (3, 4), (2, 5)),
        ((0, 2), (3, 5), (1, 4)),
        ((0, 4), (3, 1)),
        ((0, 5), (3, 2)),
    )
    pairs = {
        0: ((0, 3),),
        1: ((1, 2), (4, 5)),
        2: ((0, 1), (0, 2), (3, 4), (3, 5)),
        3: ((1, 4), (1, 5), (2, 4), (2, 5)),
        4: ((0, 4), (0, 5), (1, 3), (2, 3)),
    }
    kinds = {pair: kind for kind, of in pairs.items() for pair in of}
    coupled = tuple(kinds[min(p), max(p)] for group in bonds for p in group)
    circuit = ExchangeCircuit(6, layers, ((0, 3), (1, 2), (4, 5)), bonds, tuple(kinds))
    images = tuple((0, *own, 3, *other) for own in ((1, 2), (2, 1)) for other in ((4, 5), (5, 4)))
    turned = (0, 1, 1, 0, 1, 1)
    return Register(circuit, tuple(range(6)), turned, coupled, tuple(kinds.values()), images, True)


def ring(wires: int, layers: int, reads: int) -> ExchangeCircuit:
    """A ring of exchange gates, singlets on every other bond; the first ``reads`` bonds are read.

    Args:
        wires: even; of two the ring is one bond.
        layers: of exchange.
        reads: at most as many as there are bonds.
    """
    even = tuple((w, w + 1) for w in range(0, wires, 2))
    odd = tuple((w, (w + 1) % wires) for w in range(1, wires, 2)) if wires > 2 else ()
    groups = (even, odd) if odd else (even,)
    return ExchangeCircuit(wires, layers, even, groups, (even + odd)[:reads])

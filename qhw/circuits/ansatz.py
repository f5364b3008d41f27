"""Ansätze as plain data: one description read by Qiskit templates and by the torch simulator.

Wire 0 is the most significant bit of the amplitude index (the papers' order); wire ``w`` of ``n``
is Qiskit qubit ``n - 1 - w``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OpName = Literal["rz", "ry", "crx", "cz"]


@dataclass(frozen=True, slots=True)
class Op:
    """One gate.

    Attributes:
        name: gate name; ``crx`` lists control then target.
        wires: wires it acts on.
        angle: index into the angle vector (radians), or ``None`` for ``cz``.
    """

    name: OpName
    wires: tuple[int, ...]
    angle: int | None = None


@dataclass(frozen=True, slots=True)
class Ansatz:
    """A parametrised circuit.

    Attributes:
        n_wires: number of wires.
        ops: gates in the order they are applied.
        n_angles: length of the angle vector.
    """

    n_wires: int
    ops: tuple[Op, ...]
    n_angles: int


def qvae_ansatz(
    n_wires: int,
    n_blocks: int,
    *,
    mirrored: bool = False,
    n_conditions: int = 0,
    turned_conditions: bool = False,
) -> Ansatz:
    """QVAE-Mole ansatz: L blocks of RZ-RY-RZ and a CRX ring, then a last RZ-RY-RZ.

    The angle vector is ``[rz1 | ry | rz2 | crx]`` with ``rz1``, ``ry``, ``rz2`` of length
    ``(n_blocks+1)*n_wires`` (index ``block*n_wires + wire``) and ``crx`` of ``n_blocks*n_wires``
    (control ``wire``, target ``wire+1 mod n_wires``): the layout of the released state dict.

    QCVAE-Mole's condition wires follow the others. Before each RZ-RY-RZ a CRX goes from every
    condition wire to every other one, with an angle of its own: ``[.. | condition crx]``, index
    ``(block*n_conditions + condition)*n_wires + wire``.

    Args:
        n_wires: number of wires (7 in the paper), condition wires not counted.
        n_blocks: L.
        mirrored: the decoder's order: last block's rotations first (RZ2, RY, RZ1), ring backwards.
        n_conditions: condition wires.
        turned_conditions: condition wires have RZ-RY-RZ of their own before their CRX in every
            block: ``[.. | condition crx | rz1 | ry | rz2]``, index ``block*n_conditions +
            condition``. Without them they are controls only, so that tracing them out gives a
            mixture of ``2**n_conditions`` fixed circuits.

    Returns:
        The ansatz with ``n_wires*(4*n_blocks+3)`` angles, and ``n_conditions*(n_blocks+1)`` times
        ``n_wires``, or ``n_wires + 3``, more.

    Source: QVAE-Mole (NeurIPS 2024), section 3; gate order of the decoder as released.
    """
    n_rot = (n_blocks + 1) * n_wires
    n_angles = 3 * n_rot + n_blocks * n_wires
    n_control, n_turn = n_rot * n_conditions, (n_blocks + 1) * n_conditions

    def turns(wire: int, at: int, size: int) -> list[Op]:
        names: tuple[OpName, ...] = ("rz", "ry", "rz")
        return [Op(name, (wire,), at + k * size) for k, name in enumerate(names)]

    def conditioned(block: int) -> list[Op]:
        ops: list[Op] = []
        for k in range(block * n_conditions, (block + 1) * n_conditions):
            control = n_wires + k % n_conditions
            if turned_conditions:
                ops += turns(control, n_angles + n_control + k, n_turn)
            first = n_angles + k * n_wires
            ops += [Op("crx", (control, wire), first + wire) for wire in range(n_wires)]
        return ops

    ops: list[Op] = []
    for block in reversed(range(n_blocks + 1)) if mirrored else range(n_blocks + 1):
        rotations = [op for w in range(n_wires) for op in turns(w, block * n_wires + w, n_rot)]
        # The ring stands between this block's rotations and the next ones applied.
        ring_of = block - 1 if mirrored else block
        ring = [
            Op("crx", (w, (w + 1) % n_wires), 3 * n_rot + ring_of * n_wires + w)
            for w in range(n_wires)
        ]
        if not 0 <= ring_of < n_blocks:
            ring = []
        if mirrored:
            rotations, ring = rotations[::-1], ring[::-1]
        ops += [*conditioned(block), *rotations, *ring]
    total = n_angles + n_control + (3 * n_turn if turned_conditions else 0)
    return Ansatz(n_wires + n_conditions, tuple(ops), total)


def chain_ansatz(n_wires: int, n_layers: int) -> Ansatz:
    """Brickwork on a line: RZ-RY-RZ on every wire and CZ on alternate bonds, last RZ-RY-RZ again.

    Layer ``l`` entangles bonds ``(w, w+1)`` with ``w % 2 == l % 2``: 3 CZ a layer on 7 wires.
    Angles are ordered ``[layer][wire][rz, ry, rz]``.
    """
    bonds = [[(w, w + 1) for w in range(first, n_wires - 1, 2)] for first in (0, 1)]
    return _layered(n_wires, n_layers, bonds)


def tile_ansatz(n_layers: int) -> Ansatz:
    """As :func:`chain_ansatz` on seven qubits of a heavy-hex lattice, 2 CZ a layer.

    Wires 2 to 6 are a line, wire 0 hangs on wire 3 and wire 1 on wire 5: the couplings of the
    7-qubit tile, so that none needs a SWAP. Layers go round: both branches, then the line's
    alternate bonds.
    """
    return _layered(7, n_layers, [[(0, 3), (1, 5)], [(2, 3), (4, 5)], [(3, 4), (5, 6)]])


def _layered(n_wires: int, n_layers: int, bonds: list[list[tuple[int, int]]]) -> Ansatz:
    ops: list[Op] = []
    k = 0
    for layer in range(n_layers + 1):
        for wire in range(n_wires):
            ops += [Op("rz", (wire,), k), Op("ry", (wire,), k + 1), Op("rz", (wire,), k + 2)]
            k += 3
        if layer < n_layers:
            ops += [Op("cz", bond) for bond in bonds[layer % len(bonds)]]
    return Ansatz(n_wires, tuple(ops), k)


def brickwork_ansatz(
    n_wires: int, n_layers: int, *, first_wire: int = 0, total_wires: int | None = None
) -> Ansatz:
    """Real brickwork (RY on every wire, CZ on alternate bonds) on wires ``first_wire ..``.

    Used to prepare real states: angles are data, ordered ``[layer][wire]``; the last RY layer
    follows the last CZ layer.

    Args:
        n_wires: wires it spans.
        n_layers: CZ layers.
        first_wire: the first of them.
        total_wires: wires of the whole register (default ``first_wire + n_wires``).
    """
    ops: list[Op] = []
    k = 0
    for layer in range(n_layers + 1):
        for w in range(n_wires):
            ops.append(Op("ry", (first_wire + w,), k))
            k += 1
        if layer < n_layers:
            ops += [
                Op("cz", (first_wire + w, first_wire + w + 1))
                for w in range(layer % 2, n_wires - 1, 2)
            ]
    return Ansatz(total_wires or first_wire + n_wires, tuple(ops), k)

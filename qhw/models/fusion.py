"""How an ansatz is cut into few dense blocks, decided once per ansatz.

Every two-wire gate swallows the rotations that precede it and becomes a controlled-V with local
rotations; runs of such gates are then fused into blocks of at most ``max_wires`` wires. Blocks of
the same shape are later built together, as one batched product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from qhw.circuits.ansatz import Ansatz, Op

ZERO = -1
"""Stands for the angle 0 in an index table."""
Euler = tuple[int, int, int]
"""Angle indices of RZ, then RY, then RZ."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Rotations on two wires, then a controlled gate.

    Attributes:
        wires: control, target.
        rotations: for each of the two wires, RZ-RY-RZ triples in the order they are applied.
        crx: angle index of a controlled RX, or ``None``.
        cz: whether the gate is CZ; with ``crx is None`` and not ``cz`` there is no gate.
    """

    wires: tuple[int, int]
    rotations: tuple[tuple[Euler, ...], tuple[Euler, ...]]
    crx: int | None = None
    cz: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive pairs on few wires.

    Attributes:
        wires: wires of the block in order of first appearance; the first is the local MSB.
        pairs: indices into the list of pairs, in the order they are applied.
        shape: for each pair its local wires; equal shapes are built in one batch.
    """

    wires: tuple[int, ...]
    pairs: tuple[int, ...]
    shape: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class FusedAnsatz:
    """An ansatz as pairs and blocks, both in the order they are applied."""

    n_wires: int
    n_angles: int
    pairs: tuple[Pair, ...]
    blocks: tuple[Block, ...]
    real: bool


@lru_cache(maxsize=64)
def fuse(ansatz: Ansatz, max_wires: int = 4) -> FusedAnsatz:
    """Cut ``ansatz`` into blocks of at most ``max_wires`` wires.

    Args:
        ansatz: circuit on at least two wires.
        max_wires: largest block; 4 is fastest for 7 wires on a CPU.

    Raises:
        ValueError: fewer than two wires, or an unknown gate.
    """
    if ansatz.n_wires < 2:
        raise ValueError(f"Argument `ansatz` must have at least 2 wires, but has {ansatz.n_wires}.")
    if max_wires < 2:
        raise ValueError(f"Argument `max_wires` must be at least 2, but is {max_wires}.")
    pairs = _pairs(ansatz)
    real = all(op.name in ("ry", "cz") for op in ansatz.ops)
    return FusedAnsatz(
        ansatz.n_wires, ansatz.n_angles, pairs, _blocks(pairs, min(max_wires, ansatz.n_wires)), real
    )


def _pairs(ansatz: Ansatz) -> tuple[Pair, ...]:
    pending: list[list[Op]] = [[] for _ in range(ansatz.n_wires)]
    pairs: list[Pair] = []

    def take(a: int, b: int) -> tuple[tuple[Euler, ...], tuple[Euler, ...]]:
        taken = _euler(pending[a]), _euler(pending[b])
        pending[a], pending[b] = [], []
        return taken

    for op in ansatz.ops:
        if op.name in ("rz", "ry"):
            pending[op.wires[0]].append(op)
        elif op.name == "crx":
            a, b = op.wires
            pairs.append(Pair((a, b), take(a, b), crx=op.angle))
        elif op.name == "cz":
            a, b = op.wires
            pairs.append(Pair((a, b), take(a, b), cz=True))
        else:
            raise ValueError(f"Argument `ansatz` must use rz, ry, crx or cz, but has {op.name!r}.")
    left = [w for w in range(ansatz.n_wires) if pending[w]]
    for i in range(0, len(left), 2):
        a = left[i]
        b = left[i + 1] if i + 1 < len(left) else (a + 1) % ansatz.n_wires
        pairs.append(Pair((a, b), take(a, b)))
    # A circuit without gates is one identity pair, so that no later step meets an empty list.
    return tuple(pairs) or (Pair((0, 1), ((), ())),)


def _euler(ops: list[Op]) -> tuple[Euler, ...]:
    """Fit a run of RZ and RY into RZ-RY-RZ triples, missing angles being zero."""
    triples: list[list[int]] = []
    slot = 3
    for op in ops:
        wanted = 1 if op.name == "ry" else 0
        while slot < 3 and slot % 2 != wanted:
            slot += 1
        if slot >= 3:
            triples.append([ZERO, ZERO, ZERO])
            slot = wanted
        assert op.angle is not None
        triples[-1][slot] = op.angle
        slot += 1
    return tuple((a, b, c) for a, b, c in triples)


def _blocks(pairs: tuple[Pair, ...], max_wires: int) -> tuple[Block, ...]:
    """Greedy: a pair joins the earliest block that comes after its wires' last use and has room."""
    wires: list[list[int]] = []
    members: list[list[int]] = []
    last: dict[int, int] = {}
    for i, pair in enumerate(pairs):
        first = max((last[w] for w in pair.wires if w in last), default=0)
        for b in range(first, len(wires)):
            new = [w for w in pair.wires if w not in wires[b]]
            if len(wires[b]) + len(new) <= max_wires:
                break
        else:
            b, new = len(wires), list(pair.wires)
            wires.append([])
            members.append([])
        wires[b] += new
        members[b].append(i)
        last.update(dict.fromkeys(pair.wires, b))
    return tuple(
        Block(
            tuple(w),
            tuple(m),
            tuple((w.index(pairs[i].wires[0]), w.index(pairs[i].wires[1])) for i in m),
        )
        for w, m in zip(wires, members, strict=True)
    )

"""Evolution of states and effects in the Pauli basis, in torch, for many rows or outcomes at once.

Two layouts, each fast where it is used: the data-dependent front has its own matrix for every row,
so rows come first and the work is a batched product; the shared back has one matrix for all, so
rows (or outcomes) come last and the work is a plain one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backends.engine import pauli


@dataclass(frozen=True, eq=False)
class Block:
    """Channels ``(b, d, d)`` of ``b`` rows (1: the same for all) on one or two qubits."""

    qubits: tuple[int, ...]
    matrix: Tensor


def join(blocks: Sequence[Block]) -> list[Block]:
    """One-qubit blocks multiplied into the two-qubit block that follows them."""
    waiting: dict[int, Tensor] = {}
    joined: list[Block] = []
    for block in blocks:
        if len(block.qubits) == 1:
            (q,) = block.qubits
            waiting[q] = block.matrix @ waiting[q] if q in waiting else block.matrix
            continue
        matrix = block.matrix
        if waiting.keys() & set(block.qubits):
            eye = torch.eye(4, dtype=matrix.dtype, device=matrix.device)[None]
            a, b = (waiting.pop(q, eye) for q in block.qubits)
            pair = a[:, :, None, :, None] * b[:, None, :, None, :]
            matrix = matrix @ pair.reshape(-1, 16, 16)
        joined.append(Block(block.qubits, matrix))
    return joined + [Block((q,), matrix) for q, matrix in waiting.items()]


@dataclass(eq=False)
class _Cluster:
    """Qubits that have met, and their joint states ``(b, 4**k)``, first qubit most significant."""

    qubits: list[int]
    states: Tensor

    def apply(self, block: Block) -> None:
        """Multiply one matrix a row; its qubits come first, so that no matrix is copied."""
        order = [*block.qubits, *(q for q in self.qubits if q not in block.qubits)]
        self.reorder(order)
        shaped = self.states.reshape(len(self.states), block.matrix.shape[-1], -1)
        self.states = (block.matrix @ shaped).flatten(1)

    def reorder(self, qubits: Sequence[int]) -> None:
        """Change the order of the axes."""
        if list(qubits) != self.qubits:
            shaped = self.states.reshape(-1, *(4,) * len(qubits))
            axes = [self.qubits.index(q) + 1 for q in qubits]
            self.states = shaped.permute(0, *axes).flatten(1)
            self.qubits = list(qubits)


def prepare(blocks: Sequence[Block], qubits: Sequence[int], device: torch.device) -> Tensor:
    """States ``(b, 4**k)`` of ``qubits`` after blocks that start from all zero.

    Qubits that have not met are kept apart, so early gates cost little.
    """
    zero = torch.as_tensor(pauli.ZERO, device=device)[None]
    home = {q: _Cluster([q], zero) for q in qubits}
    for block in blocks:
        first = home[block.qubits[0]]
        other = home[block.qubits[-1]]
        if other is not first:
            first = _merged(first, other)
            home.update(dict.fromkeys(first.qubits, first))
        first.apply(block)
    whole = _Cluster([], torch.ones(1, 1, dtype=torch.float64, device=device))
    for cluster in {id(c): c for c in home.values()}.values():
        whole = _merged(whole, cluster)
    whole.reorder(qubits)
    return whole.states


def _merged(a: _Cluster, b: _Cluster) -> _Cluster:
    joint = a.states[:, :, None] * b.states[:, None, :]
    return _Cluster(a.qubits + b.qubits, joint.flatten(1))


@dataclass(eq=False)
class Register:
    """All qubits of a circuit, columns (rows or outcomes) last.

    Attributes:
        qubits: order of the axes, first one most significant; it changes as gates ask for it.
        values: ``(4**n, columns)``.
    """

    qubits: list[int]
    values: Tensor

    @classmethod
    def product(cls, qubits: Sequence[int], factors: dict[int, Tensor]) -> Register:
        """From each qubit's own values ``(4, columns)`` (columns may be 1)."""
        first = factors[qubits[0]]
        values = first
        for q in qubits[1:]:
            values = (values[:, None] * factors[q][None]).flatten(0, 1)
        return cls(list(qubits), values)

    def apply(self, matrix: Tensor, qubits: tuple[int, ...]) -> None:
        """Multiply one ``(d, d)`` matrix in from the left, for all columns."""
        if len(qubits) == 2:
            a, b = (self.qubits.index(q) for q in qubits)
            if a == b + 1:
                matrix = matrix.reshape(4, 4, 4, 4).permute(1, 0, 3, 2).reshape(16, 16)
                qubits = qubits[::-1]
            elif b != a + 1:
                self.reorder(_neighbours(self.qubits, *qubits))
        left = 4 ** self.qubits.index(qubits[0])
        columns = self.values.shape[1]
        shaped = self.values.reshape(left, matrix.shape[0], -1)
        self.values = torch.matmul(matrix, shaped).reshape(-1, columns)

    def reorder(self, qubits: Sequence[int]) -> None:
        """Change the order of the axes."""
        if list(qubits) != self.qubits:
            n = len(self.qubits)
            shaped = self.values.reshape(*(4,) * n, -1)
            axes = [self.qubits.index(q) for q in qubits]
            self.values = shaped.permute(*axes, n).reshape(4**n, -1)
            self.qubits = list(qubits)

    def contract(self, qubit: int, vector: Tensor) -> None:
        """Sum a qubit's axis against ``(4,)``."""
        at = self.qubits.index(qubit)
        shaped = self.values.reshape(4**at, 4, -1)
        self.values = torch.einsum("p,lpr->lr", vector, shaped).reshape(-1, self.values.shape[1])
        self.qubits.pop(at)


def _neighbours(order: Sequence[int], first: int, second: int) -> list[int]:
    rest = [q for q in order if q != second]
    rest.insert(rest.index(first) + 1, second)
    return rest

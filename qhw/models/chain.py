"""A circuit with shared weights as one matrix: a short chain of dense blocks with its adjoint.

Autograd would record a copy and a product for every gate; here the pairs' 4x4 gates are the only
input, and one function multiplies them into blocks, the blocks into the matrix, and walks the same
way back. Wire 0 is the most significant bit of every amplitude index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qhw.models.fusion import Block, FusedAnsatz


@dataclass(frozen=True, eq=False)
class ChainTables:
    """Index tables of a fused ansatz, made once.

    With ``k`` wires a block, ``N`` blocks of at most ``m`` pairs, ``P`` pairs and ``n`` wires:

    Attributes:
        embed: ``(N, m, 2**k, 2**k)``, where an entry of an embedded pair is found in the flat
            gates ``(P * 16,)`` followed by a 0 and a 1.
        collect: ``(P, 16, 2**(k-2))``, where an entry of a gate was put by ``embed``.
        gathers: ``(N + 1, 2**n)``; each moves the wires of the next block in front (the last one
            brings the rows into the order asked for).
        scatters: their inverses.
        start: ``(2**n, C)``, the columns of the identity that are followed.
    """

    embed: Tensor
    collect: Tensor
    gathers: tuple[Tensor, ...]
    scatters: tuple[Tensor, ...]
    start: Tensor


def chain_tables(
    plan: FusedAnsatz, columns: Sequence[int] | Tensor, rows: Sequence[int] | Tensor | None = None
) -> ChainTables:
    """Tables for the columns (amplitude indices) wanted, and the order of the rows.

    Args:
        plan: fused ansatz.
        columns: amplitude indices of the inputs that are followed.
        rows: amplitude index of every row of the result; 0, 1, 2, ... by default.
    """
    size = 2**plan.n_wires
    k = max(len(block.wires) for block in plan.blocks)
    embed, collect = _embedding(plan, k)
    gathers = []
    order = list(range(plan.n_wires))
    for block in plan.blocks:
        wires = _padded(block, k, plan.n_wires)
        new = [*wires, *(w for w in order if w not in wires)]
        gathers.append(_reorder(order, new))
        order = new
    last = _reorder(order, list(range(plan.n_wires)))
    gathers.append(last if rows is None else last[torch.as_tensor(rows)])
    start = torch.eye(size)[:, torch.as_tensor(columns)]
    return ChainTables(
        embed, collect, tuple(gathers), tuple(g.argsort() for g in gathers), start.contiguous()
    )


def chain_matrix(tables: ChainTables, gates: Tensor) -> Tensor:
    """The circuit's matrix from its pairs' gates.

    Args:
        tables: of the ansatz.
        gates: ``(P, 4, 4)``, complex; the first wire of a pair is the most significant bit.

    Returns:
        ``(2**n, C)``, dtype of the gates; differentiable.
    """
    matrix: Tensor = _Chain.apply(gates, tables)  # type: ignore[no-untyped-call]
    return matrix


class _Chain(torch.autograd.Function):
    """Gates -> blocks -> matrix. The gradient of ``B @ S`` is ``G S^H`` and ``B^H G``."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, gates: Tensor, tables: ChainTables
    ) -> Tensor:
        flat = torch.cat([gates.reshape(-1), gates.new_tensor([0, 1])])
        pairs = flat.index_select(0, tables.embed.reshape(-1)).reshape(tables.embed.shape)
        partial = [pairs[:, 0]]
        for j in range(1, pairs.shape[1]):
            partial.append(pairs[:, j] @ partial[-1])
        blocks = partial[-1].contiguous()
        wide = blocks.shape[-1]
        state = tables.start.to(gates.dtype)
        states = []
        for block, gather in zip(blocks.unbind(0), tables.gathers[:-1], strict=True):
            states.append(state.index_select(0, gather).view(wide, -1))
            state = torch.mm(block, states[-1]).view(state.shape)
        ctx.held = tables, pairs, partial, blocks, states  # type: ignore[attr-defined]
        return state.index_select(0, tables.gathers[-1])

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        tables, pairs, partial, blocks, states = ctx.held  # type: ignore[attr-defined]
        found = torch.empty_like(blocks)
        # The conjugate of the gradient needs transposes only, which cost no copies.
        grad = grads[0].conj().resolve_conj().index_select(0, tables.scatters[-1])
        shape = grad.shape
        for i in range(len(states) - 1, -1, -1):
            grad = grad.view(states[i].shape)
            torch.mm(grad, states[i].T, out=found[i])
            if i:  # the columns themselves are fixed
                grad = torch.mm(blocks[i].T, grad).view(shape)
                grad = grad.index_select(0, tables.scatters[i])
        into = torch.empty_like(pairs)
        for j in range(pairs.shape[1] - 1, 0, -1):
            into[:, j] = found @ partial[j - 1].mT
            found = pairs[:, j].mT @ found
        into[:, 0] = found
        collected = into.reshape(-1).index_select(0, tables.collect.reshape(-1))
        gates = collected.view(tables.collect.shape).sum(-1).view(-1, 4, 4)
        return gates.conj().resolve_conj(), None


def _padded(block: Block, k: int, n_wires: int) -> tuple[int, ...]:
    """The block's wires, filled up to ``k`` with wires it leaves alone."""
    free = [w for w in range(n_wires) if w not in block.wires]
    return (*block.wires, *free[: k - len(block.wires)])


def _reorder(old: list[int], new: list[int]) -> Tensor:
    """Rows of a state whose axes hold the wires ``old``, in the order of axes ``new``."""
    rows = torch.arange(2 ** len(old)).reshape([2] * len(old))
    return rows.permute([old.index(w) for w in new]).reshape(-1)


def _embedding(plan: FusedAnsatz, k: int) -> tuple[Tensor, Tensor]:
    """``embed`` and ``collect`` of :class:`ChainTables`."""
    count = len(plan.pairs)
    depth = max(len(block.pairs) for block in plan.blocks)
    zero, one = 16 * count, 16 * count + 1
    embed = torch.where(torch.eye(2**k, dtype=torch.bool), one, zero)
    embed = embed.repeat(len(plan.blocks), depth, 1, 1)
    collect = torch.empty(count, 16, 2 ** (k - 2), dtype=torch.long)
    for b, block in enumerate(plan.blocks):
        for j, (pair, wires) in enumerate(zip(block.pairs, block.shape, strict=True)):
            others = [w for w in range(k) if w not in wires]
            # Local amplitude index by (the pair's value, the other wires' value).
            index = _reorder(list(range(k)), [*wires, *others]).reshape(4, -1)
            row, column = index[:, None, :], index[None, :, :]
            entry = torch.arange(16).reshape(4, 4, 1)
            embed[b, j] = zero
            embed[b, j][row, column] = 16 * pair + entry
            place = ((b * depth + j) * 2**k + row) * 2**k + column
            collect[pair] = place.reshape(16, -1)
    return embed, collect

"""Differentiable simulation of an ansatz in torch, fast where the weights are shared by a batch.

When every sample of a batch meets the same weights, the circuit is one matrix a step:
:func:`circuit_matrix` builds it and :func:`born_probabilities` multiplies a batch of inputs into
it. Where every sample has its own angles, :func:`prepare_states` builds one state a sample.
Wire 0 is the most significant bit of every amplitude index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from qhw.circuits.ansatz import Ansatz
from qhw.models.fusion import Euler, FusedAnsatz, Pair, fuse

_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def circuit_matrix(
    ansatz: Ansatz, angles: Tensor, input_wires: Sequence[int] | None = None
) -> Tensor:
    """The circuit as a matrix from the amplitudes of the input wires to those of all wires.

    Gates: ``rz(t) = diag(e^{-it/2}, e^{it/2})``, ``ry(t)`` the real rotation by ``t/2``,
    ``crx`` a controlled ``exp(-i t X / 2)``.

    Args:
        ansatz: circuit of ``n`` wires.
        angles: ``(ansatz.n_angles,)`` radians, float32 or float64.
        input_wires: wires that carry the input, most significant first; the others start in
            |0>. All wires by default.

    Returns:
        ``(2**n, 2**len(input_wires))``, complex64 or complex128 after the angles; differentiable.

    Raises:
        ValueError: wrong shape or type of the angles, or wires that are out of range or repeated.
    """
    wires = tuple(range(ansatz.n_wires)) if input_wires is None else tuple(input_wires)
    _check_angles(ansatz, angles, batched=False)
    _check_wires("input_wires", wires, ansatz.n_wires)
    plan = fuse(ansatz)
    gates = _pair_gates(plan, angles, _COMPLEX[angles.dtype])
    state = _input_columns(wires, plan.n_wires, gates)
    order = list(range(plan.n_wires))
    for block_wires, matrix in _block_matrices(plan, gates):
        state, order = _apply(state, order, matrix, block_wires)
    return _in_order(state, order).reshape(2**plan.n_wires, -1)


def prepare_states(ansatz: Ansatz, angles: Tensor) -> Tensor:
    """One state a sample: the ansatz with that sample's angles, applied to |0...0>.

    Args:
        ansatz: circuit of ``n`` wires.
        angles: ``(B, ansatz.n_angles)`` radians, float32 or float64.

    Returns:
        Amplitudes ``(B, 2**n)``: real where the ansatz has only RY and CZ, else complex.

    Raises:
        ValueError: wrong shape or type of the angles.
    """
    _check_angles(ansatz, angles, batched=True)
    plan = fuse(ansatz)
    dtype = angles.dtype if plan.real else _COMPLEX[angles.dtype]
    gates = _pair_gates(plan, angles, dtype)
    n, batch = plan.n_wires, len(angles)
    state = torch.zeros(batch, 2**n, dtype=dtype, device=angles.device)
    state[:, 0] = 1
    state, order = state.reshape(batch, *[2] * n, 1), list(range(n))
    for i, pair in enumerate(plan.pairs):
        state, order = _apply(state, order, gates[:, i], pair.wires)
    return _in_order(state, order).reshape(batch, 2**n)


def born_probabilities(
    matrix: Tensor, inputs: Tensor, measured_wires: Sequence[int] | None = None
) -> Tensor:
    """Distribution over the measured wires of ``matrix @ input`` for a batch of inputs.

    Args:
        matrix: ``(2**n, k)`` complex.
        inputs: ``(B, k)`` amplitudes, real (signs allowed) or complex.
        measured_wires: most significant first; the others are traced out. All by default.

    Returns:
        ``(B, 2**len(measured_wires))`` real; sums to the squared norm of the input.

    Raises:
        ValueError: shapes that do not fit, or wires out of range or repeated.
    """
    n = len(matrix).bit_length() - 1
    wires = tuple(range(n)) if measured_wires is None else tuple(measured_wires)
    _check_wires("measured_wires", wires, n)
    if inputs.ndim != 2 or inputs.shape[1] != matrix.shape[1]:
        raise ValueError(
            f"Argument `inputs` must have shape (B, {matrix.shape[1]}), "
            f"but has {tuple(inputs.shape)}."
        )
    traced = [w for w in range(n) if w not in wires]
    rows = matrix.reshape(*[2] * n, -1).permute(*wires, *traced, n).reshape(len(matrix), -1)
    # Real and imaginary parts side by side: a real batch then needs one real matrix product,
    # and tracing out is a sum over neighbours.
    if inputs.is_complex():
        parts = torch.view_as_real(inputs @ rows.T)
    else:
        parts = inputs @ torch.view_as_real(rows).permute(1, 0, 2).reshape(matrix.shape[1], -1)
    return _sum_of_squares(parts.reshape(len(inputs), 2 ** len(wires), -1))


def _sum_of_squares(parts: Tensor) -> Tensor:
    result: Tensor = _SumOfSquares.apply(parts)  # type: ignore[no-untyped-call]
    return result


class _SumOfSquares(torch.autograd.Function):
    """Sum of squares over the last axis; autograd's own keeps one more copy of the batch."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, parts: Tensor) -> Tensor:
        ctx.save_for_backward(parts)
        if parts.shape[-1] == 2:
            return torch.addcmul(parts[..., 0].square(), parts[..., 1], parts[..., 1])
        return parts.square().sum(-1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (parts,) = ctx.saved_tensors  # type: ignore[attr-defined]
        result: Tensor = parts * (2 * grads[0].unsqueeze(-1))
        return result


def _check_angles(ansatz: Ansatz, angles: Tensor, *, batched: bool) -> None:
    shape = f"B, {ansatz.n_angles}" if batched else f"{ansatz.n_angles},"
    if angles.ndim != 1 + batched or angles.shape[-1] != ansatz.n_angles:
        raise ValueError(
            f"Argument `angles` must have shape ({shape}), but has {tuple(angles.shape)}."
        )
    if angles.dtype not in _COMPLEX:
        raise ValueError(f"Argument `angles` must be float32 or float64, but is {angles.dtype}.")


def _check_wires(name: str, wires: tuple[int, ...], n_wires: int) -> None:
    if len(set(wires)) != len(wires) or not all(0 <= w < n_wires for w in wires) or not wires:
        raise ValueError(
            f"Argument `{name}` must be distinct wires between 0 and {n_wires - 1}, but is {wires}."
        )


def _input_columns(wires: tuple[int, ...], n_wires: int, like: Tensor) -> Tensor:
    """Embedding of the input wires, ``(2,)*n + (2**m,)``."""
    m = len(wires)
    index = torch.zeros(2**m, dtype=torch.long, device=like.device)
    for k, w in enumerate(wires):
        bit = (torch.arange(2**m, device=like.device) >> (m - 1 - k)) & 1
        index += bit << (n_wires - 1 - w)
    columns = torch.zeros(2**n_wires, 2**m, dtype=like.dtype, device=like.device)
    columns[index, torch.arange(2**m, device=like.device)] = 1
    return columns.reshape(*[2] * n_wires, 2**m)


def _block_matrices(plan: FusedAnsatz, gates: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
    """Wires and ``(2**k, 2**k)`` matrix of every block; equal shapes are built in one batch."""
    groups: defaultdict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for b, block in enumerate(plan.blocks):
        groups[block.shape].append(b)
    matrices: dict[int, Tensor] = {}
    for shape, members in groups.items():
        k = len(plan.blocks[members[0]].wires)
        used = gates[torch.tensor([plan.blocks[b].pairs for b in members], device=gates.device)]
        eye = torch.eye(2**k, dtype=gates.dtype, device=gates.device).reshape(*[2] * k, 2**k)
        state, order = eye.expand(len(members), *eye.shape), list(range(k))
        for i, wires in enumerate(shape):
            state, order = _apply(state, order, used[:, i], wires)
        built = _in_order(state, order).reshape(len(members), 2**k, 2**k)
        matrices.update(zip(members, built.unbind(0), strict=True))
    return [(block.wires, matrices[b]) for b, block in enumerate(plan.blocks)]


def _apply(
    state: Tensor, order: list[int], matrix: Tensor, wires: Sequence[int]
) -> tuple[Tensor, list[int]]:
    """Multiply ``matrix`` into the axes that hold ``wires``.

    Args:
        state: ``batch + (2,)*n + (C,)``.
        order: the wire each of the ``n`` axes holds.
        matrix: ``batch + (2**k, 2**k)``.
        wires: ``k`` wires, the local MSB first.

    Returns:
        The state with the axes of ``wires`` in front, and the new order: moving axes back after
        every gate would double the copying.
    """
    b = matrix.ndim - 2
    new = [*wires, *(w for w in order if w not in wires)]
    axes = [b + order.index(w) for w in new]
    moved = state.permute(*range(b), *axes, state.ndim - 1)
    flat = moved.reshape(*moved.shape[:b], 2 ** len(wires), -1)
    return (matrix @ flat).reshape(moved.shape), new


def _in_order(state: Tensor, order: list[int]) -> Tensor:
    """Axes ``(wire 0, wire 1, ..., columns)``, batch axes in front kept."""
    b = state.ndim - 1 - len(order)
    axes = [b + order.index(w) for w in range(len(order))]
    return state.permute(*range(b), *axes, state.ndim - 1)


def _pair_gates(plan: FusedAnsatz, angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Every pair as a 4x4 matrix, ``batch + (P, 4, 4)``."""
    a = _rotations([p.rotations[0] for p in plan.pairs], angles, dtype)
    b = _rotations([p.rotations[1] for p in plan.pairs], angles, dtype)
    controlled = _controlled(plan.pairs, angles, dtype) @ b
    lower = torch.stack([b, controlled], dim=-3)
    gates = a[..., :, None, :, None] * lower[..., :, :, None, :]
    return gates.reshape(*gates.shape[:-4], 4, 4)


def _with_zero(angles: Tensor) -> Tensor:
    """Append the angle 0, so that index -1 (:data:`qhw.models.fusion.ZERO`) finds it."""
    return torch.cat([angles, angles.new_zeros(*angles.shape[:-1], 1)], dim=-1)


def _rotations(runs: Sequence[tuple[Euler, ...]], angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Runs of RZ-RY-RZ as 2x2 matrices, ``batch + (P, 2, 2)``."""
    depth = max(1, *(len(run) for run in runs))
    padded = [run + ((-1, -1, -1),) * (depth - len(run)) for run in runs]
    euler = _with_zero(angles)[..., torch.tensor(padded, device=angles.device)]
    matrices = _zyz(euler, dtype)
    result = matrices[..., 0, :, :]
    for d in range(1, depth):
        result = matrices[..., d, :, :] @ result
    return result


def _zyz(euler: Tensor, dtype: torch.dtype) -> Tensor:
    """``rz(c) ry(b) rz(a)`` for angles ``(..., 3)`` in the order applied; real if ``dtype`` is."""
    half = euler / 2
    cos, sin = half[..., 1].cos(), half[..., 1].sin()
    if not dtype.is_complex:
        return torch.stack([cos, -sin, sin, cos], dim=-1).reshape(*cos.shape, 2, 2)
    plus, minus = half[..., 0] + half[..., 2], half[..., 0] - half[..., 2]
    # torch.polar is no use here: its gradient is wrong where the modulus is negative.
    diagonal = torch.complex(cos * plus.cos(), -cos * plus.sin())
    other = torch.complex(sin * minus.cos(), -sin * minus.sin())
    return torch.stack([diagonal, -other.conj(), other, diagonal.conj()], dim=-1).reshape(
        *cos.shape, 2, 2
    )


def _controlled(pairs: Sequence[Pair], angles: Tensor, dtype: torch.dtype) -> Tensor:
    """What a pair does to its target when the control is 1, ``batch + (P, 2, 2)``."""
    device = angles.device
    sign = torch.tensor([-1.0 if p.cz else 1.0 for p in pairs], dtype=dtype, device=device)
    if not dtype.is_complex:
        return torch.diag_embed(torch.stack([torch.ones_like(sign), sign], dim=-1))
    index = torch.tensor([-1 if p.crx is None else p.crx for p in pairs], device=device)
    half = _with_zero(angles)[..., index] / 2
    cos = half.cos().to(dtype)
    other = torch.complex(torch.zeros_like(half), -half.sin())
    return torch.stack([cos, other, other, cos * sign], dim=-1).reshape(*half.shape, 2, 2)

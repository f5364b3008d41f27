"""Differentiable simulation of an ansatz in torch, fast where the weights are shared by a batch.

When every sample of a batch meets the same weights, the circuit is one matrix a step:
:func:`circuit_matrix`, or a :class:`SharedCircuit` made once, builds it and
:func:`born_probabilities` multiplies a batch of inputs into it. Where every sample has its own
angles, :func:`prepare_states` builds one state a sample. Wire 0 is the most significant bit of
every amplitude index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from qhw.circuits.ansatz import Ansatz
from qhw.models.chain import chain_matrix, chain_tables
from qhw.models.fusion import ZERO, FusedAnsatz, fuse

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
    _check_wires("input_wires", wires, ansatz.n_wires)
    return _shared(ansatz, wires)(angles)


class SharedCircuit:
    """An ansatz whose tables are made once, for weights that a whole batch shares.

    Args:
        ansatz: circuit of ``n`` wires.
        columns: amplitude indices of the inputs that are followed.
        rows: amplitude index of every row of the matrix; 0, 1, 2, ... by default.

    Raises:
        ValueError: a circuit that cannot be fused, see :func:`qhw.models.fusion.fuse`.
    """

    def __init__(
        self, ansatz: Ansatz, columns: Sequence[int], rows: Sequence[int] | None = None
    ) -> None:
        self._ansatz = ansatz
        self._plan = fuse(ansatz)
        self._tables = chain_tables(self._plan, columns, rows)
        self._gates = _GateTables(self._plan)

    def __call__(self, angles: Tensor) -> Tensor:
        """The rows and columns asked for, complex64 or complex128; differentiable.

        Args:
            angles: ``(ansatz.n_angles,)`` radians, float32 or float64.

        Raises:
            ValueError: wrong shape or type of the angles.
        """
        _check_angles(self._ansatz, angles, batched=False)
        return chain_matrix(self._tables, _pair_gates(self._gates, angles, _COMPLEX[angles.dtype]))


@lru_cache(maxsize=64)
def _shared(ansatz: Ansatz, wires: tuple[int, ...]) -> SharedCircuit:
    return SharedCircuit(ansatz, _columns(wires, ansatz.n_wires))


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
    gates = _pair_gates(_GateTables(plan), angles, dtype)
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


def _columns(wires: tuple[int, ...], n_wires: int) -> list[int]:
    """Amplitude index of every value of the input wires, the others being 0."""
    m = len(wires)
    return [
        sum(((value >> (m - 1 - k)) & 1) << (n_wires - 1 - w) for k, w in enumerate(wires))
        for value in range(2**m)
    ]


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


class _GateTables:
    """Where the angles of every pair are found; index -1 stands for the angle 0."""

    def __init__(self, plan: FusedAnsatz) -> None:
        pairs = plan.pairs
        runs = [p.rotations[side] for side in (0, 1) for p in pairs]
        depth = max(1, *(len(run) for run in runs))
        self.depth = depth
        self.euler = torch.tensor([run + ((ZERO,) * 3,) * (depth - len(run)) for run in runs])
        self.crx = torch.tensor([ZERO if p.crx is None else p.crx for p in pairs])
        self.sign = torch.tensor([-1.0 if p.cz else 1.0 for p in pairs])


def _pair_gates(tables: _GateTables, angles: Tensor, dtype: torch.dtype) -> Tensor:
    """Every pair as a 4x4 matrix, ``batch + (P, 4, 4)``."""
    padded = torch.cat([angles, angles.new_zeros(*angles.shape[:-1], 1)], dim=-1)
    steps = _zyz(padded[..., tables.euler], dtype)
    turned = steps[..., 0, :, :]
    for d in range(1, tables.depth):
        turned = _times(steps[..., d, :, :], turned)
    a, b = turned.tensor_split(2, dim=-3)
    controlled = _times(_controlled(tables, padded, dtype), b)
    lower = torch.stack([b, controlled], dim=-3)
    gates = a[..., :, None, :, None] * lower[..., :, :, None, :]
    return gates.reshape(*gates.shape[:-4], 4, 4)


def _times(left: Tensor, right: Tensor) -> Tensor:
    """Products of 2x2 matrices; a batched matrix product would wake threads for so little."""
    return left[..., :, :1] * right[..., :1, :] + left[..., :, 1:] * right[..., 1:, :]


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


def _controlled(tables: _GateTables, padded: Tensor, dtype: torch.dtype) -> Tensor:
    """What a pair does to its target when the control is 1, ``batch + (P, 2, 2)``."""
    sign = tables.sign.to(padded)
    if not dtype.is_complex:
        return torch.diag_embed(torch.stack([torch.ones_like(sign), sign], dim=-1))
    half = padded[..., tables.crx] / 2
    cos = half.cos()
    zero = torch.zeros_like(half)
    other = torch.complex(zero, -half.sin())
    diagonal = torch.complex(cos, zero), torch.complex(cos * sign, zero)
    return torch.stack([diagonal[0], other, other, diagonal[1]], dim=-1).reshape(*half.shape, 2, 2)

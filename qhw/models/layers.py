"""Differentiable simulation of an ansatz in torch, for weights that a whole batch shares.

Every sample of a batch meets the same weights, so that the circuit is one matrix a step:
:func:`circuit_matrix`, or a :class:`SharedCircuit` made once, builds it and
:func:`born_probabilities` multiplies a batch of inputs into it. Wire 0 is the most significant
bit of every amplitude index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from qhw.circuits.ansatz import Ansatz
from qhw.models.sweep import columns_after, gate_tables


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
    return torch.complex(*_shared(ansatz, wires)(angles))


class SharedCircuit:
    """An ansatz whose tables are made once, for weights that a whole batch shares.

    Args:
        ansatz: circuit of ``n`` wires.
        columns: amplitude indices of the inputs that are followed.
        order: the wires in the order in which they make a row's index, most significant first;
            0, 1, 2, ... by default.

    Raises:
        ValueError: a gate that cannot be simulated, see :func:`qhw.models.sweep.gate_tables`.
    """

    def __init__(
        self, ansatz: Ansatz, columns: Sequence[int], order: Sequence[int] | None = None
    ) -> None:
        n = ansatz.n_wires
        wires = tuple(range(n)) if order is None else tuple(order)
        _check_wires("order", wires, n)
        self._ansatz = ansatz
        self._gates = gate_tables(ansatz, [wires.index(w) for w in range(n)])
        start = torch.eye(2**n).reshape([2] * n + [-1]).permute(*wires, n).reshape(2**n, -1)
        self._start = start[:, torch.as_tensor(columns)].contiguous()

    def __call__(self, angles: Tensor) -> Tensor:
        """Real and imaginary parts of the columns, ``(2, 2**n, C)``; differentiable.

        Args:
            angles: ``(ansatz.n_angles,)`` radians, float32 or float64.

        Raises:
            ValueError: wrong shape or type of the angles.
        """
        n_angles = self._ansatz.n_angles
        if tuple(angles.shape) != (n_angles,):
            raise ValueError(
                f"Argument `angles` must have shape ({n_angles},), but has {tuple(angles.shape)}."
            )
        if angles.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"Argument `angles` must be float32 or float64, but is {angles.dtype}."
            )
        return columns_after(self._gates, self._start.to(angles.dtype), angles)


@lru_cache(maxsize=64)
def _shared(ansatz: Ansatz, wires: tuple[int, ...]) -> SharedCircuit:
    return SharedCircuit(ansatz, _columns(wires, ansatz.n_wires))


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

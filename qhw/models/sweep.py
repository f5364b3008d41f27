"""A circuit with shared weights as one matrix: its columns carried through gate by gate.

Neither autograd nor a product of matrices is needed: all columns pass one gate after another while
they are in the cache, and the adjoint walks the same gates back, undoing them instead of having
stored what came before (gates are unitary). Wire 0 is the most significant bit of the row index.

Source: the adjoint method, Jones and Gacon, arXiv 2009.02823.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from qhw.circuits.ansatz import Ansatz, Op
from qhw.models.jit import kernel

TURN, CRX, CZ = 0, 1, 2
_NONE = -1
_BLANK = (_NONE, _NONE, _NONE)


@dataclass(frozen=True, eq=False)
class Gates:
    """The gates of a circuit as tables, in the order they are applied.

    Attributes:
        n_wires: number of wires.
        n_angles: length of the angle vector.
        kinds: ``(S,)``: 0 RZ-RY-RZ on one wire, 1 controlled RX, 2 CZ.
        wires: ``(S, 2)``: the wire, or control and target.
        angles: ``(S, 3)``: indices of the angles of RZ, RY, RZ; of the CRX in the first column;
            -1 stands for the angle 0.
    """

    n_wires: int
    n_angles: int
    kinds: NDArray[np.int64]
    wires: NDArray[np.int64]
    angles: NDArray[np.int64]


def gate_tables(ansatz: Ansatz, places: Sequence[int]) -> Gates:
    """Tables of an ansatz; runs of rotations on a wire become RZ-RY-RZ triples.

    Args:
        ansatz: circuit of ``n`` wires.
        places: where each wire stands in a row's index, 0 for the most significant bit.

    Raises:
        ValueError: a gate that is not rz, ry, crx or cz.
    """
    pending: list[list[Op]] = [[] for _ in range(ansatz.n_wires)]
    rows: list[tuple[Any, ...]] = []

    def turn(wire: int) -> None:
        rows.extend((TURN, wire, wire, triple) for triple in _triples(pending[wire]))
        pending[wire] = []

    for op in ansatz.ops:
        if op.name in ("rz", "ry"):
            pending[op.wires[0]].append(op)
            continue
        if op.name not in ("crx", "cz"):
            raise ValueError(f"Argument `ansatz` must use rz, ry, crx or cz, but has {op.name!r}.")
        for wire in op.wires:
            turn(wire)
        if op.name == "cz":
            rows.append((CZ, *op.wires, _BLANK))
        else:
            assert op.angle is not None
            rows.append((CRX, *op.wires, (op.angle, _NONE, _NONE)))
    for wire in range(ansatz.n_wires):
        turn(wire)
    table = np.array([(kind, a, b, *angles) for kind, a, b, angles in rows], np.int64)
    table = table.reshape(-1, 6)
    table[:, 1:3] = np.asarray(places)[table[:, 1:3]]
    parts = (np.ascontiguousarray(p) for p in (table[:, 0], table[:, 1:3], table[:, 3:]))
    return Gates(ansatz.n_wires, ansatz.n_angles, *parts)


def _triples(ops: list[Op]) -> list[tuple[int, ...]]:
    """A run of RZ and RY as RZ-RY-RZ triples, missing angles being zero."""
    triples: list[list[int]] = []
    slot = 3
    for op in ops:
        wanted = 1 if op.name == "ry" else 0
        while slot < 3 and slot % 2 != wanted:
            slot += 1
        if slot >= 3:
            triples.append(list(_BLANK))
            slot = wanted
        assert op.angle is not None
        triples[-1][slot] = op.angle
        slot += 1
    return [tuple(triple) for triple in triples]


def columns_after(gates: Gates, start: Tensor, angles: Tensor) -> Tensor:
    """The circuit applied to real columns.

    Gates: ``rz(t) = diag(e^{-it/2}, e^{it/2})``, ``ry(t)`` the real rotation by ``t/2``, ``crx`` a
    controlled ``exp(-i t X / 2)``.

    Args:
        gates: of the circuit.
        start: ``(2**n, C)`` real, what the columns are before the first gate.
        angles: ``(n_angles,)`` radians, dtype of ``start``; float32 or float64, on the CPU.

    Returns:
        ``(2, 2**n, C)``, real parts and imaginary parts; differentiable in the angles.
    """
    planes: Tensor = _Columns.apply(angles, start, gates)  # type: ignore[no-untyped-call]
    return planes


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, angles: Tensor, start: Tensor, gates: Gates
    ) -> Tensor:
        planes = start.new_zeros(2, *start.shape)
        planes[0] = start
        held = angles.detach().numpy()
        matrices = np.empty((len(gates.kinds), 4), held.dtype)
        _matrices(gates.kinds, gates.angles, held, matrices)
        flat = planes.numpy().reshape(2, -1)
        _forward(flat, gates.n_wires, gates.kinds, gates.wires, matrices)
        ctx.gates, ctx.matrices = gates, matrices  # type: ignore[attr-defined]
        ctx.save_for_backward(angles, planes)
        return planes

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        angles, planes = ctx.saved_tensors  # type: ignore[attr-defined]
        gates: Gates = ctx.gates  # type: ignore[attr-defined]
        state = planes.detach().clone().numpy().reshape(2, -1)
        adjoint = grads[0].detach().clone(memory_format=torch.contiguous_format)
        slopes = np.zeros((len(gates.kinds), 4))
        _backward(
            state,
            adjoint.numpy().reshape(2, -1),
            gates.n_wires,
            gates.kinds,
            gates.wires,
            ctx.matrices,  # type: ignore[attr-defined]
            slopes,
        )
        by_angle = np.zeros(gates.n_angles)
        _chain_rule(gates.kinds, gates.angles, angles.detach().numpy(), slopes, by_angle)
        return torch.from_numpy(by_angle).to(angles.dtype), None, None


def rows_after(gates: Gates, angles: Tensor) -> Tensor:
    """The circuit applied to |0...0> once for every row of angles.

    Args:
        gates: of the circuit, as for :func:`columns_after`.
        angles: ``(B, n_angles)`` radians, float32 or float64, on the CPU.

    Returns:
        ``(B, 2, 2**n)``, real parts and imaginary parts; differentiable in the angles.
    """
    planes: Tensor = _Rows.apply(angles, gates)  # type: ignore[no-untyped-call]
    return planes


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, angles: Tensor, gates: Gates) -> Tensor:
        planes = angles.new_zeros(len(angles), 2, 2**gates.n_wires)
        planes[:, 0, 0] = 1
        held = np.ascontiguousarray(angles.detach().numpy())
        matrices = np.empty((len(angles), len(gates.kinds), 4), held.dtype)
        _forward_rows(planes.numpy(), gates.n_wires, *_tables(gates), held, matrices)
        ctx.gates, ctx.matrices = gates, matrices  # type: ignore[attr-defined]
        ctx.save_for_backward(angles, planes)
        return planes

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        angles, planes = ctx.saved_tensors  # type: ignore[attr-defined]
        gates: Gates = ctx.gates  # type: ignore[attr-defined]
        by_angle = np.zeros((len(angles), gates.n_angles))
        _backward_rows(
            planes.detach().clone().numpy(),
            grads[0].detach().clone(memory_format=torch.contiguous_format).numpy(),
            gates.n_wires,
            *_tables(gates),
            np.ascontiguousarray(angles.detach().numpy()),
            ctx.matrices,  # type: ignore[attr-defined]
            by_angle,
        )
        return torch.from_numpy(by_angle).to(angles.dtype), None


def _tables(gates: Gates) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return gates.kinds, gates.wires, gates.angles


# -- kernels ------------------------------------------------------------------------------------
# A turn is [[d, -conj(o)], [o, conj(d)]], kept as (Re d, Im d, Re o, Im o); a controlled RX as
# (cos, sin) of half its angle. Columns lie flat, so that the amplitudes a gate mixes are runs of
# neighbours. `slopes` are derivatives by those numbers.


@kernel
def _angle(angles, index):  # type: ignore[no-untyped-def]
    return float(angles[index]) if index >= 0 else 0.0


@kernel
def _matrices(kinds, index, angles, matrices):  # type: ignore[no-untyped-def]
    for s in range(len(kinds)):
        first = _angle(angles, index[s, 0])
        if kinds[s] == TURN:
            half, last = 0.5 * _angle(angles, index[s, 1]), _angle(angles, index[s, 2])
            plus, minus = 0.5 * (first + last), 0.5 * (first - last)
            matrices[s, 0] = math.cos(half) * math.cos(plus)
            matrices[s, 1] = -math.cos(half) * math.sin(plus)
            matrices[s, 2] = math.sin(half) * math.cos(minus)
            matrices[s, 3] = -math.sin(half) * math.sin(minus)
        else:
            matrices[s, 0] = math.cos(0.5 * first)
            matrices[s, 1] = math.sin(0.5 * first)


@kernel
def _chain_rule(kinds, index, angles, slopes, found):  # type: ignore[no-untyped-def]
    for s in range(len(kinds)):
        first = _angle(angles, index[s, 0])
        if kinds[s] == TURN:
            half, last = 0.5 * _angle(angles, index[s, 1]), _angle(angles, index[s, 2])
            plus, minus = 0.5 * (first + last), 0.5 * (first - last)
            c, d = math.cos(half), math.sin(half)
            cp, sp, cm, sm = math.cos(plus), math.sin(plus), math.cos(minus), math.sin(minus)
            dr, di, er, ei = slopes[s, 0], slopes[s, 1], slopes[s, 2], slopes[s, 3]
            by_plus = -c * (dr * sp + di * cp)
            by_minus = -d * (er * sm + ei * cm)
            by_half = d * (di * sp - dr * cp) + c * (er * cm - ei * sm)
            if index[s, 0] >= 0:
                found[index[s, 0]] += 0.5 * (by_plus + by_minus)
            if index[s, 1] >= 0:
                found[index[s, 1]] += 0.5 * by_half
            if index[s, 2] >= 0:
                found[index[s, 2]] += 0.5 * (by_plus - by_minus)
        elif kinds[s] == CRX:
            c, d = math.cos(0.5 * first), math.sin(0.5 * first)
            found[index[s, 0]] += 0.5 * (c * slopes[s, 1] - d * slopes[s, 0])


@kernel
def _turn(re, im, p, q, run, dr, di, er, ei):  # type: ignore[no-untyped-def]
    a, b, c, d = re[p : p + run], re[q : q + run], im[p : p + run], im[q : q + run]
    for j in range(run):
        r0, r1, i0, i1 = a[j], b[j], c[j], d[j]
        a[j] = dr * r0 - di * i0 - er * r1 - ei * i1
        c[j] = dr * i0 + di * r0 - er * i1 + ei * r1
        b[j] = er * r0 - ei * i0 + dr * r1 + di * i1
        d[j] = er * i0 + ei * r0 + dr * i1 - di * r1


@kernel
def _crx(re, im, p, q, run, cos, sin):  # type: ignore[no-untyped-def]
    a, b, c, d = re[p : p + run], re[q : q + run], im[p : p + run], im[q : q + run]
    for j in range(run):
        r0, r1, i0, i1 = a[j], b[j], c[j], d[j]
        a[j] = cos * r0 + sin * i1
        c[j] = cos * i0 - sin * r1
        b[j] = cos * r1 + sin * i0
        d[j] = cos * i1 - sin * r0


@kernel
def _negate(values, q, run):  # type: ignore[no-untyped-def]
    part = values[q : q + run]
    for j in range(run):
        part[j] = -part[j]


@kernel
def _turn_products(state, adjoint, p, q, run, sums):  # type: ignore[no-untyped-def]
    """Terms of the slopes, summed apart for every place in a run: so they add up in vectors."""
    a, b = state[0][p : p + run], state[0][q : q + run]
    c, d = state[1][p : p + run], state[1][q : q + run]
    ga, gb = adjoint[0][p : p + run], adjoint[0][q : q + run]
    gc, gd = adjoint[1][p : p + run], adjoint[1][q : q + run]
    w, x, y, z = sums[0], sums[1], sums[2], sums[3]
    for j in range(run):
        r0, r1, i0, i1 = a[j], b[j], c[j], d[j]
        u0, u1, v0, v1 = ga[j], gb[j], gc[j], gd[j]
        w[j] += u0 * r0 + v0 * i0 + u1 * r1 + v1 * i1
        x[j] += v0 * r0 - u0 * i0 - v1 * r1 + u1 * i1
        y[j] += u1 * r0 + v1 * i0 - u0 * r1 - v0 * i1
        z[j] += v1 * r0 - u1 * i0 + v0 * r1 - u0 * i1


@kernel
def _crx_products(state, adjoint, p, q, run, sums):  # type: ignore[no-untyped-def]
    a, b = state[0][p : p + run], state[0][q : q + run]
    c, d = state[1][p : p + run], state[1][q : q + run]
    ga, gb = adjoint[0][p : p + run], adjoint[0][q : q + run]
    gc, gd = adjoint[1][p : p + run], adjoint[1][q : q + run]
    w, x = sums[0], sums[1]
    for j in range(run):
        r0, r1, i0, i1 = a[j], b[j], c[j], d[j]
        u0, u1, v0, v1 = ga[j], gb[j], gc[j], gd[j]
        w[j] += u0 * r0 + v0 * i0 + u1 * r1 + v1 * i1
        x[j] += u0 * i1 - v0 * r1 + u1 * i0 - v1 * r0


@kernel
def _apply(planes, n, kind, a, b, matrix):  # type: ignore[no-untyped-def]
    """One gate on wire ``a``, or with control ``a`` and target ``b``."""
    re, im = planes[0], planes[1]
    columns = re.size >> n
    one, two = columns << (n - 1 - a), columns << (n - 1 - b)
    if kind == TURN:
        for p in range(0, re.size, 2 * one):
            _turn(re, im, p, p + one, one, matrix[0], matrix[1], matrix[2], matrix[3])
        return
    run, wide = min(one, two), max(one, two)
    for x in range(0, re.size, 2 * wide):
        for p in range(x + one, x + one + wide, 2 * run):
            if kind == CRX:
                _crx(re, im, p, p + two, run, matrix[0], matrix[1])
            else:
                _negate(re, p + two, run)
                _negate(im, p + two, run)


@kernel
def _slopes(state, adjoint, n, kind, a, b, sums, slopes):  # type: ignore[no-untyped-def]
    """Derivatives by a gate's numbers, from the state before it and the adjoint after it."""
    size = state.shape[1]
    columns = size >> n
    one, two = columns << (n - 1 - a), columns << (n - 1 - b)
    sums[:] = 0
    if kind == TURN:
        run = min(one, sums.shape[1])
        for x in range(0, size, 2 * one):
            for p in range(x, x + one, run):
                _turn_products(state, adjoint, p, p + one, run, sums)
    elif kind == CRX:
        short, wide = min(one, two), max(one, two)
        run = min(short, sums.shape[1])
        for x in range(one, size, 2 * wide):
            for y in range(x, x + wide, 2 * short):
                for p in range(y, y + short, run):
                    _crx_products(state, adjoint, p, p + two, run, sums)
    for k in range(4):
        for j in range(sums.shape[1]):
            slopes[k] += sums[k, j]


@kernel
def _forward(planes, n, kinds, wires, matrices):  # type: ignore[no-untyped-def]
    for s in range(len(kinds)):
        _apply(planes, n, kinds[s], wires[s, 0], wires[s, 1], matrices[s])


@kernel
def _backward(state, adjoint, n, kinds, wires, matrices, slopes):  # type: ignore[no-untyped-def]
    inverse = np.empty_like(matrices[0])
    sums = np.empty((4, 2 * (state.shape[1] >> n)), state.dtype)
    for s in range(len(kinds) - 1, -1, -1):
        # A rotation's inverse: conj(d) and -o; a controlled RX has only its sine turned.
        inverse[0] = matrices[s, 0]
        inverse[1:] = -matrices[s, 1:]
        _apply(state, n, kinds[s], wires[s, 0], wires[s, 1], inverse)
        _slopes(state, adjoint, n, kinds[s], wires[s, 0], wires[s, 1], sums, slopes[s])
        _apply(adjoint, n, kinds[s], wires[s, 0], wires[s, 1], inverse)


@kernel
def _forward_rows(planes, n, kinds, wires, index, angles, matrices):  # type: ignore[no-untyped-def]
    for b in range(len(angles)):
        _matrices(kinds, index, angles[b], matrices[b])
        _forward(planes[b], n, kinds, wires, matrices[b])


@kernel
def _backward_rows(state, adjoint, n, kinds, wires, index, angles, matrices, found):  # type: ignore[no-untyped-def]
    slopes = np.empty((len(kinds), 4))
    for b in range(len(angles)):
        slopes[:] = 0
        _backward(state[b], adjoint[b], n, kinds, wires, matrices[b], slopes)
        _chain_rule(kinds, index, angles[b], slopes, found[b])

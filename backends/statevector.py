"""Noiseless evaluation of a compiled template for many rows of angles at once, in numpy.

The state is kept as ``(2,) * n + (B,)``: qubit ``q`` is axis ``n - 1 - q`` and rows are last, so
every gate is a few whole-array operations whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import CircuitInstruction, Instruction, Parameter

from backends.base import CompiledTemplate
from backends.binding import angle_values, bind_rows, columns_of
from backends.checks import measured_qubits
from backends.dynamic.circuit import is_dynamic
from backends.dynamic.exact import course_probabilities

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_CHUNK_AMPLITUDES = 2**18
"""Amplitudes evolved at once (4 MB): larger batches fall out of the processor's cache."""
_IGNORED = ("measure", "barrier", "delay")
_ROTATIONS = ("rx", "ry", "rz")
_NO_ANGLES = np.empty((1, 0))


def measured_probabilities(compiled: CompiledTemplate, angles: FloatArray) -> FloatArray:
    """Exact outcome probabilities ``(B, 2**m)`` of a compiled template.

    Args:
        compiled: any template of gates and final measurements.
        angles: checked matrix ``(B, P)``, radians.
    """
    if is_dynamic(compiled.circuit):
        return _dynamic_probabilities(compiled, angles)
    n, m = compiled.circuit.num_qubits, compiled.n_measured
    rows = max(1, _CHUNK_AMPLITUDES >> n)
    out = np.empty((len(angles), 2**m))
    kept = [n - 1 - q for q in measured_qubits(compiled.circuit)]
    summed = tuple(sorted(set(range(n)) - set(kept)))
    rank = {axis: i for i, axis in enumerate(sorted(kept))}
    for start in range(0, len(angles), rows):
        chunk = angles[start : start + rows]
        psi = states(compiled, chunk)
        p = (psi.real**2 + psi.imag**2).sum(axis=summed)
        p = p.transpose([*(rank[axis] for axis in kept), m])
        out[start : start + rows] = p.reshape(2**m, -1).T
    return out


def _dynamic_probabilities(compiled: CompiledTemplate, angles: FloatArray) -> FloatArray:
    n = compiled.circuit.num_qubits
    rows = []
    for bound in bind_rows(compiled, angles):
        start = np.zeros((2,) * n + (1,), dtype=np.complex128)
        start[(0,) * n] = np.exp(1j * float(bound.global_phase))
        rows.append(course_probabilities(bound, start, _apply_bound))
    return np.array(rows).reshape(len(angles), 2**compiled.n_measured)


def _apply_bound(psi: ComplexArray, item: CircuitInstruction, axes: list[int]) -> ComplexArray:
    return _apply(psi, item, axes, {}, _NO_ANGLES)


def states(compiled: CompiledTemplate, angles: FloatArray) -> ComplexArray:
    """State before measurement, ``(2,) * n + (B,)``, axis 0 = highest qubit."""
    n = compiled.circuit.num_qubits
    columns = columns_of(compiled)
    psi = np.zeros((2,) * n + (len(angles),), dtype=np.complex128)
    psi[(0,) * n] = np.exp(1j * angle_values(compiled.circuit.global_phase, columns, angles))
    index = {qubit: i for i, qubit in enumerate(compiled.circuit.qubits)}
    for item in compiled.circuit.data:
        if item.operation.name not in _IGNORED:
            axes = [n - 1 - index[q] for q in item.qubits]
            psi = _apply(psi, item, axes, columns, angles)
    return psi


def _apply(
    psi: ComplexArray,
    item: CircuitInstruction,
    axes: Sequence[int],
    columns: dict[Parameter, int],
    angles: FloatArray,
) -> ComplexArray:
    operation = item.operation
    if operation.name in ("cz", "cx"):
        part = (slice(None),) * psi.ndim
        on = _at(_at(part, axes[0], 1), axes[1], 1)
        if operation.name == "cz":
            psi[on] *= -1.0
            return psi
        off = _at(_at(part, axes[0], 1), axes[1], 0)
        psi[on], psi[off] = psi[off].copy(), psi[on].copy()
        return psi
    if operation.name in _ROTATIONS:
        half = np.asarray(angle_values(operation.params[0], columns, angles)) / 2
        if operation.name == "rz":
            for value, sign in ((0, -1j), (1, 1j)):
                psi[_at((slice(None),) * psi.ndim, axes[0], value)] *= np.exp(sign * half)
            return psi
        flip = -1.0 if operation.name == "ry" else -1j
        return _rotate(psi, np.cos(half), flip * np.sin(half), axes[0])
    return _general(psi, operation, axes, columns, angles)


def _at(part: tuple[slice | int, ...], axis: int, value: int) -> tuple[slice | int, ...]:
    return (*part[:axis], value, *part[axis + 1 :])


def _rotate(
    psi: ComplexArray,
    stay: FloatArray,
    flip: FloatArray | ComplexArray,
    axis: int,
) -> ComplexArray:
    """``[[stay, flip], [-conj(flip), stay]]``: RY (real flip) or RX (imaginary flip)."""
    part = (slice(None),) * psi.ndim
    zero, one = psi[_at(part, axis, 0)], psi[_at(part, axis, 1)]
    new = np.empty_like(psi)
    new[_at(part, axis, 0)] = stay * zero + flip * one
    new[_at(part, axis, 1)] = stay * one - np.conj(flip) * zero
    return new


def _general(
    psi: ComplexArray,
    operation: Instruction,
    axes: Sequence[int],
    columns: dict[Parameter, int],
    angles: FloatArray,
) -> ComplexArray:
    """Any gate by its own matrix; one matrix a row when it has free angles."""
    k = len(axes)
    values = [angle_values(p, columns, angles) for p in operation.params]
    if any(isinstance(v, np.ndarray) for v in values):
        table = np.broadcast_arrays(*values, np.zeros(len(angles)))[:-1]
        matrix = np.stack([type(operation)(*row).to_matrix() for row in zip(*table, strict=True)])
    else:
        matrix = np.asarray(operation.to_matrix())[None]
    # Qiskit's first qubit is the least significant bit of a gate matrix.
    order = list(axes)[::-1]
    moved = np.moveaxis(psi, order, range(k))
    flat = moved.reshape(2**k, -1, psi.shape[-1])
    result = np.einsum(
        "bij,jrb->irb", np.broadcast_to(matrix, (psi.shape[-1], *matrix.shape[1:])), flat
    )
    return np.moveaxis(result.reshape(moved.shape), range(k), order)

"""From a matrix of angles to bound circuits, or to the value of every gate angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression

from backends.base import CompiledTemplate
from backends.checks import check_angles

FloatArray = NDArray[np.float64]


def columns_of(compiled: CompiledTemplate) -> dict[Parameter, int]:
    """Column of the angle matrix of each parameter that is still in the compiled circuit.

    The compiler may drop a parameter that changes nothing measured; its column is then unused.
    """
    column = {name: i for i, name in enumerate(compiled.parameter_names)}
    return {p: column[p.name] for p in compiled.circuit.parameters}


def bind_rows(compiled: CompiledTemplate, angles: ArrayLike) -> list[QuantumCircuit]:
    """One bound circuit per row of ``angles`` ``(B, P)``; nothing is compiled again.

    Raises:
        BackendError: angles of the wrong shape or not finite.
    """
    x = check_angles(compiled, angles)
    used = columns_of(compiled)
    # In Qiskit's own parameter order a plain list of values binds fastest.
    order = [used[p] for p in compiled.circuit.parameters]
    return [compiled.circuit.assign_parameters(row.tolist()) for row in x[:, order]]


def angle_values(
    angle: ParameterExpression | float, columns: dict[Parameter, int], angles: FloatArray
) -> FloatArray | float:
    """Value of one gate angle for every row: ``(B,)``, or a number when it has no parameter.

    Args:
        angle: a number, a parameter, or an expression of parameters.
        columns: from :func:`columns_of`.
        angles: ``(B, P)`` radians.
    """
    if not isinstance(angle, ParameterExpression) or not angle.parameters:
        return float(angle)
    if isinstance(angle, Parameter):
        return angles[:, columns[angle]]
    slopes = {p: angle.gradient(p) for p in angle.parameters}
    if any(isinstance(slope, ParameterExpression) for slope in slopes.values()):
        return np.array([float(angle.bind(_row(angle, columns, row))) for row in angles])
    offset = float(angle.bind(dict.fromkeys(angle.parameters, 0.0)))
    total = np.full(len(angles), offset)
    for p, slope in slopes.items():
        total += float(np.real(slope)) * angles[:, columns[p]]
    return total


def _row(
    angle: ParameterExpression, columns: dict[Parameter, int], row: FloatArray
) -> dict[Parameter, float]:
    return {p: float(row[columns[p]]) for p in angle.parameters}

"""Parameter-shift rules: derivatives of expectation values from their values at shifted angles.

As a function of one angle ``t``, all others fixed, an expectation value is a finite Fourier sum
``a_0 + sum_l (a_l cos(w_l t) + b_l sin(w_l t))``. Its frequencies ``w_l`` follow from the gates the
angle stands in: a rotation with coefficient ``c`` adds ``c`` to, or takes it from, every frequency
that is there. Any rule that is right for these frequencies is exact.

Sources: Schuld et al., PRA 99, 032331 (2019), the two-term rule; Anselmetti et al., NJP 23, 113010
(2021), the four-term rule; Wierichs et al., Quantum 6, 677 (2022), equidistant frequencies and the
general case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterExpression
from scipy.linalg import qr
from scipy.optimize import linprog

FloatArray = NDArray[np.float64]

MAX_FREQUENCIES = 500
"""Of one parameter: twice as many circuits are run for its derivative."""
_MAX_OPTIMAL = 64
"""Frequencies up to which the weights of a general rule are the least there are."""
_WORST = 50.0
"""Sum of a rule's weights, in units of the highest frequency, the least that there can be; more
would be noise only."""
_SAME = 1e-9
"""Relative distance below which two frequencies are one."""
_FINE = 4
"""Candidate shifts of the general rule in a quarter of the fastest period."""
_ROTATIONS = ["rx", "ry", "rz", "cz"]


class ShiftError(ValueError):
    """A derivative that parameter-shift rules do not give; the line says of what and why."""


@dataclass(frozen=True, eq=False)
class ShiftRule:
    """``f'(t) = sum_j weights[j] f(t + shifts[j])``.

    Attributes:
        shifts: ``(S,)`` radians; none where the function is constant.
        weights: ``(S,)``.
    """

    shifts: FloatArray
    weights: FloatArray


def shift_rule(frequencies: Iterable[float]) -> ShiftRule:
    """The rule for a Fourier sum of some frequencies, each with what one radian of angle adds.

    One frequency gives the two-term rule, ``{1/2, 1}`` the four-term rule of controlled rotations.
    Equidistant ones have a closed form; for others, weights of the least sum of magnitudes are
    found, which is least noise for given shots.

    Args:
        frequencies: above 0, distinct.

    Raises:
        ShiftError: so many that are not equidistant.

    Example:
        >>> rule = shift_rule([1.0])
        >>> (rule.shifts / np.pi).round(6).tolist(), rule.weights.round(6).tolist()
        ([0.5, -0.5], [0.5, -0.5])
    """
    omega = np.sort(np.asarray(list(frequencies), dtype=np.float64))
    if not len(omega):
        return ShiftRule(np.zeros(0), np.zeros(0))
    count, base = len(omega), float(omega[0])
    if np.allclose(omega, base * np.arange(1, count + 1), rtol=_SAME, atol=0):
        half = (2 * np.arange(1, count + 1) - 1) * np.pi / (2 * count)
        signs = (-1.0) ** np.arange(count)
        return _odd(half / base, base * signs / (2 * count * np.sin(half / 2) ** 2))
    return _general(omega)


def _odd(shifts: FloatArray, weights: FloatArray) -> ShiftRule:
    """From weights of ``(f(t + s) - f(t - s)) / 2``."""
    return ShiftRule(np.concatenate([shifts, -shifts]), np.concatenate([weights, -weights]) / 2)


def _general(omega: FloatArray) -> ShiftRule:
    # Riesz' interpolation needs odd multiples of the first of these alone, infinitely many of them
    step = np.pi / (2 * omega[-1] * _FINE)
    reach = max(4 * len(omega), 2 * round(omega[-1] / omega[0]))
    shifts = step * np.arange(1, _FINE * min(reach, 16 * len(omega) + 512) + 1)
    table = np.sin(np.outer(omega, shifts))
    used = _of_least_sum(table, omega) if len(omega) <= _MAX_OPTIMAL else None
    if used is None:
        used = qr(table, mode="r", pivoting=True)[-1][: len(omega)]
    weights = np.linalg.lstsq(table[:, used], omega, rcond=None)[0]
    right = np.allclose(table[:, used] @ weights, omega, rtol=1e-11, atol=0)
    if not right or np.abs(weights).sum() > _WORST * omega[-1]:
        raise ShiftError(
            f"Argument `wrt` must name parameters that a shift rule is for, but the {len(omega)} "
            "frequencies of one are too close to tell apart"
        )
    return _odd(shifts[used], weights)


def _of_least_sum(table: FloatArray, omega: FloatArray) -> NDArray[np.int64] | None:
    """Columns with weights other than 0 in the solution of ``table @ weights = omega`` whose
    magnitudes have the least sum; ``None`` where it is not exact."""
    both = np.hstack([table, -table])
    found = linprog(np.ones(both.shape[1]), A_eq=both, b_eq=omega, method="highs")
    if not found.success:
        return None
    signed = found.x[: table.shape[1]] - found.x[table.shape[1] :]
    used = np.flatnonzero(np.abs(signed) > _SAME * omega[-1])
    weights = np.linalg.lstsq(table[:, used], omega, rcond=None)[0]
    return used if np.allclose(table[:, used] @ weights, omega, rtol=1e-11, atol=0) else None


def frequencies(coefficients: Iterable[float]) -> tuple[float, ...]:
    """Frequencies above 0 of an angle that stands in rotations with some coefficients, rising.

    Raises:
        ShiftError: more than :data:`MAX_FREQUENCIES`.

    Example:
        >>> frequencies([0.5, -0.5]), frequencies([1, 1, 2])
        ((0.5, 1.0), (1.0, 2.0, 3.0, 4.0))
    """
    steps = sorted((abs(c) for c in coefficients if c), reverse=True)
    found: FloatArray = np.zeros(1)
    for step in steps:
        more = np.sort(np.abs(np.concatenate([found, found + step, found - step])))
        apart = np.diff(more, prepend=-1.0) > _SAME * steps[0]
        found = more[apart]
        if len(found) > MAX_FREQUENCIES + 1:
            raise ShiftError(
                f"Argument `wrt` must name parameters of at most {MAX_FREQUENCIES} frequencies, "
                f"but one stands in {len(steps)} rotations that give more"
            )
    return tuple(found[found > _SAME * steps[0]].tolist()) if steps else ()


class Occurrences:
    """Where a circuit's parameters stand, all gates written as rotations.

    Args:
        circuit: in plain gates; parameters may be free. Of what measurements decide, every course
            counts: frequencies that are not there do no harm.

    Raises:
        ShiftError: a parameter stands in a loop that measurements end.
    """

    def __init__(self, circuit: QuantumCircuit) -> None:
        native = transpile(circuit, basis_gates=_ROTATIONS, optimization_level=0)
        self._angles = [a for a in _angles(native) if a.parameters]
        self._slopes: dict[tuple[ParameterExpression, Parameter], ParameterExpression | float] = {}

    def coefficients(self, name: str, values: Mapping[str, float]) -> tuple[float, ...]:
        """Derivative of every rotation's angle by a parameter, where it has that parameter.

        Args:
            name: of the parameter.
            values: of all parameters, radians.

        Raises:
            ShiftError: the angle is no linear function of the parameter.
        """
        found = []
        for angle in self._angles:
            for parameter in (p for p in angle.parameters if p.name == name):
                slope = self._slope(angle, parameter)
                here = _value(slope, values)
                for other in (-values[name], values[name] + 1.234, values[name] - 2.345):
                    if not np.isclose(_value(slope, {**values, name: other}), here, rtol=_SAME):
                        raise ShiftError(
                            "Argument `wrt` must name parameters that angles are linear in, but "
                            f"{name} stands in {angle}"
                        )
                found.append(here)
        return tuple(found)

    def _slope(self, angle: ParameterExpression, by: Parameter) -> ParameterExpression | float:
        key = (angle, by)
        if key not in self._slopes:
            self._slopes[key] = angle.gradient(by)
        return self._slopes[key]


def _angles(circuit: QuantumCircuit) -> Iterator[ParameterExpression]:
    """Angles of all gates, those in blocks included."""
    for item in circuit.data:
        blocks = getattr(item.operation, "blocks", ())
        for block in blocks:
            if item.operation.name == "while_loop" and block.parameters:
                raise ShiftError(
                    "Argument `wrt` must name parameters of which no loop is repeated until a "
                    f"measurement ends it, but {block.parameters[0].name} stands in one"
                )
            yield from _angles(block)
        if not blocks:
            angles = getattr(item.operation, "params", ())
            yield from (a for a in angles if isinstance(a, ParameterExpression))


def _value(slope: ParameterExpression | complex, values: Mapping[str, float]) -> float:
    if not isinstance(slope, ParameterExpression):
        return float(np.real(slope))
    return float(slope.bind({p: values[p.name] for p in slope.parameters}))


def rules_of(
    circuit: QuantumCircuit, names: Sequence[str], parameter_names: Sequence[str], rows: FloatArray
) -> list[list[ShiftRule]]:
    """The rule of each parameter in each row; they differ where parameters are multiplied.

    Args:
        circuit: in plain gates.
        names: of the parameters.
        parameter_names: columns of ``rows``.
        rows: ``(B, P)`` radians.

    Returns:
        B lists of rules, one for each of the names.

    Raises:
        ShiftError: a parameter that has no such rule.
    """
    places = Occurrences(circuit)
    known: dict[tuple[float, ...], ShiftRule] = {}
    found = []
    for row in rows:
        values = dict(zip(parameter_names, row.tolist(), strict=True))
        rules = []
        for name in names:
            key = tuple(sorted(map(abs, places.coefficients(name, values))))
            if key not in known:
                known[key] = shift_rule(frequencies(key))
            rules.append(known[key])
        found.append(rules)
    return found

"""Derivatives of expectation values by parameter-shift rules: rows to run, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter, ParameterVector
from scipy.sparse import csr_array

from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import Measured
from qhw.circuits.shift_rules import ShiftError, rules_of
from qhw.circuits.workload import Workload
from qhw.mitigation.expectation import Expectations

FloatArray = NDArray[np.float64]
ParameterLike: TypeAlias = str | Parameter | ParameterVector


@dataclass(frozen=True, eq=False)
class ShiftedRows:
    """Rows of angles, and the shifted ones that their derivatives need.

    Attributes:
        work: the B rows, then the shifted ones.
        parameters: P of them.
        weights: ``(B * P, rows)``: derivatives, row by row, are these sums of values.
    """

    work: Workload
    parameters: tuple[str, ...]
    weights: csr_array

    @property
    def rows(self) -> int:
        """B."""
        return int(self.weights.shape[0]) // len(self.parameters)

    def settings(self, settings: ExpectSettings) -> ExpectSettings:
        """Settings of the rows alone as those of all."""
        more = {"rows": len(self.work), "angles_sha256": self.work.rows_sha256()}
        return settings.model_copy(update=more)

    def combined(self, values: FloatArray) -> FloatArray:
        """Derivatives ``(B, K, P)`` from values ``(rows, K)``; NaN where one is NaN."""
        return self._shaped(self.weights @ values)

    def standard_error(self, found: Measured) -> FloatArray:
        """``(B, K, P)``: rows are independent but for the errors of a calibration they share."""
        own, common = errors_of(found.found, len(self.work))
        variance = self._shaped(self.weights.power(2) @ own**2)
        for part in common:
            variance = variance + self.combined(part) ** 2
        return np.sqrt(variance)

    def _shaped(self, flat: FloatArray) -> FloatArray:
        table = np.asarray(flat).reshape(self.rows, len(self.parameters), -1)
        return np.ascontiguousarray(table.transpose(0, 2, 1))


def all_rows(table: FloatArray, found: Expectations, rows: int) -> FloatArray:
    """A table ``(kept, K)`` of a result with a line for every row that ran, NaN where none is."""
    if found.kept is None:
        return table
    out = np.full((rows, table.shape[1]), np.nan)
    out[found.kept] = table
    return out


def errors_of(found: Expectations, rows: int) -> tuple[FloatArray, list[FloatArray]]:
    """Own errors of every value, and what each error of the calibration changes in it."""
    own = np.zeros_like(found.values)
    common = np.zeros((0, *found.values.shape))
    for group in found.groups:
        own = own + group.mitigated.own_error**2
        part = group.mitigated.common
        common = part if not len(common) else common + part
    return all_rows(np.sqrt(own), found, rows), [all_rows(c, found, rows) for c in common]


def shifted_rows(
    work: Workload, wrt: ParameterLike | Sequence[ParameterLike] | None = None
) -> ShiftedRows:
    """What runs for the derivatives of a workload's expectation values.

    Args:
        work: circuit and rows.
        wrt: parameters, by name or themselves; a vector's name stands for all its elements.
            ``None`` for all.

    Raises:
        ShiftError: no parameter, one that the circuit lacks, or one without a shift rule.
    """
    names = _names(work, wrt)
    rules = rules_of(work.circuit, names, work.parameter_names, work.angles)
    rows, labels = [work.angles], list(work.row_names)
    at: list[int] = []
    columns: list[int] = []
    weights: list[float] = []
    for b, of_row in enumerate(rules):
        for p, (name, rule) in enumerate(zip(names, of_row, strict=True)):
            shifted = np.repeat(work.angles[b : b + 1], len(rule.shifts), axis=0)
            shifted[:, work.parameter_names.index(name)] += rule.shifts
            at += [b * len(names) + p] * len(rule.shifts)
            columns += range(len(labels), len(labels) + len(rule.shifts))
            weights += rule.weights.tolist()
            rows.append(shifted)
            labels += [f"{work.row_names[b]}, {name} {shift:+.4f}" for shift in rule.shifts]
    shape = (len(work) * len(names), len(labels))
    return ShiftedRows(
        replace(work, angles=np.concatenate(rows), row_names=tuple(labels), known=None),
        names,
        csr_array((weights, (at, columns)), shape=shape),
    )


def _names(work: Workload, wrt: ParameterLike | Sequence[ParameterLike] | None) -> tuple[str, ...]:
    if not work.parameter_names:
        raise ShiftError("Argument `gradient` must be left out of a circuit without parameters")
    if wrt is None:
        return work.parameter_names
    asked = [wrt] if isinstance(wrt, str | Parameter | ParameterVector) else list(wrt)
    found: list[str] = []
    for one in asked:
        name = str(getattr(one, "name", one))
        elements = [n for n in work.parameter_names if n == name or n.startswith(f"{name}[")]
        if not elements:
            known = ", ".join(work.parameter_names[:4]) + ", ..." * (len(work.parameter_names) > 4)
            raise ShiftError(
                f"Argument `wrt` must name parameters of the circuit ({known}), but has {name!r}"
            )
        found += [n for n in elements if n not in found]
    if not found:
        raise ShiftError("Argument `wrt` must name at least one parameter, but is empty")
    return tuple(found)

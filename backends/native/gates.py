"""Native gates that Qiskit does not have."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterExpression

__all__ = ["GPi2Gate", "GPiGate"]


class _PhasedPulse(Gate):
    """Rotation by a fixed angle about an axis of the equator, at angle ``phi`` from x."""

    _name: str
    _turn: float

    def __init__(self, phi: ParameterExpression | float, label: str | None = None) -> None:
        super().__init__(self._name, 1, [phi], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(1)
        self.definition.r(self._turn, self.params[0], 0)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray[np.complex128]:
        del dtype, copy
        phi, cos, sin = float(self.params[0]), math.cos(self._turn / 2), math.sin(self._turn / 2)
        return np.array([[cos, -1j * sin * np.exp(-1j * phi)], [-1j * sin * np.exp(1j * phi), cos]])


class GPiGate(_PhasedPulse):
    """IonQ's GPi: half a turn about the axis at ``phi`` radians, global phase aside."""

    _name, _turn = "gpi", math.pi


class GPi2Gate(_PhasedPulse):
    """IonQ's GPi2: a quarter turn about the axis at ``phi`` radians, global phase aside."""

    _name, _turn = "gpi2", math.pi / 2

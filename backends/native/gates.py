"""Native gates that Qiskit or Aer do not have."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterExpression
from qiskit.circuit.library import UnitaryGate

__all__ = ["UNKNOWN_TO_AER", "GPi2Gate", "GPiGate", "for_aer"]

UNKNOWN_TO_AER = ("gpi", "gpi2", "iswap")
"""Written as matrices that have these names for labels."""


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


def for_aer(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with bound gates that Aer lacks as matrices, which keep their names as labels."""
    if not any(item.operation.name in UNKNOWN_TO_AER for item in circuit.data):
        return circuit
    found = circuit.copy_empty_like()
    for item in circuit.data:
        name = item.operation.name
        if name in UNKNOWN_TO_AER:
            found.append(UnitaryGate(item.operation.to_matrix(), label=name), item.qubits)
        else:
            found.append(item)
    return found

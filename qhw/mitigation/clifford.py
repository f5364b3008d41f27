"""Training circuits: a compiled circuit with most of its one-qubit angles snapped to Clifford ones.

Two-qubit gates, pulses and waits stay where they are, so the noise does too; what the circuit
should give is known exactly.

Source: Czarnik, Arrasmith, Coles and Cincio, Quantum 5, 592 (2021).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction

from backends.base import CompiledTemplate
from backends.binding import angle_values, columns_of

FloatArray = NDArray[np.float64]

QUARTER = np.pi / 2
_KNOWN = 1e-9
_UNTOUCHED = ("delay", "measure", "barrier")


def near_clifford(
    compiled: CompiledTemplate, row: FloatArray, keep: float, rng: np.random.Generator
) -> CompiledTemplate:
    """The circuit of one row of angles, most one-qubit angles at the nearest multiple of pi/2.

    Args:
        compiled: native or canonical template.
        row: ``(P,)`` radians, columns ``compiled.parameter_names``.
        keep: chance of a one-qubit gate, among those that are not Clifford, to keep its angles.
        rng: of the choice; also of the direction in which an angle half way is snapped.

    Returns:
        A template of the same gates without free angles: any angles run it.
    """
    columns, rows = columns_of(compiled), np.asarray(row, dtype=np.float64)[None]
    circuit = compiled.circuit.copy_empty_like()
    circuit.global_phase = 0.0
    for item in compiled.circuit.data:
        operation = item.operation
        if not operation.params or operation.name in _UNTOUCHED:
            circuit.append(item)
            continue
        values = [float(np.ravel(angle_values(p, columns, rows))[0]) for p in operation.params]
        if len(item.qubits) == 1 and not _is_clifford(values) and rng.random() >= keep:
            values = [_snapped(v, rng) for v in values]
        circuit.append(_with(operation, values), item.qubits)
    return replace(compiled, circuit=circuit)


def _with(operation: Instruction, values: list[float]) -> Instruction:
    made = operation.to_mutable()
    made.params = values
    return made


def _is_clifford(values: list[float]) -> bool:
    return all(abs(v / QUARTER - round(v / QUARTER)) < _KNOWN for v in values)


def _snapped(value: float, rng: np.random.Generator) -> float:
    # an exact half has no nearest multiple; `round` would always take the even one
    turns = value / QUARTER
    low = np.floor(turns)
    if abs(turns - low - 0.5) < _KNOWN:
        return float(low + rng.integers(2)) * QUARTER
    return float(np.round(turns)) * QUARTER

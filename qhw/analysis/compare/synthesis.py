"""What the gates' own approximation changes: evolutions that are run as product formulas.

Qiskit writes a ``PauliEvolutionGate`` as a few Trotter steps, whatever the device. A circuit that
holds one has two exact values: that of the evolution, and that of the gates which run in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ControlledGate, Gate, Instruction
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp, Statevector

from backends.base import BackendError
from backends.checks import measured_qubits
from backends.delays import check_delays
from qhw.mitigation.observables import Observable

MAX_QUBITS = 14
_KEY = "exact of the evolution"
_COMPOSITE = (Instruction, Gate, ControlledGate)
"""Made by users; Qiskit's own other gates hold no evolution, and some take long to define."""


def evolves(circuit: QuantumCircuit) -> bool:
    """Whether a circuit holds a ``PauliEvolutionGate``, inside other instructions or not."""
    return any(_evolves(item.operation) for item in circuit.data)


def _evolves(operation: Instruction) -> bool:
    inner = getattr(operation, "base_gate", None) or getattr(operation, "base_op", None)
    if isinstance(operation, PauliEvolutionGate) or (inner is not None and _evolves(inner)):
        return True
    if type(operation) not in _COMPOSITE:
        return False
    return operation.definition is not None and evolves(operation.definition)


def evolution_values(
    circuit: QuantumCircuit, observables: Sequence[Observable]
) -> list[float] | None:
    """Exact value of every observable, evolutions being what they stand for.

    Args:
        circuit: bound and measured.
        observables: on its measured wires.

    Returns:
        ``None`` where the circuit is too wide for a statevector.
    """
    if circuit.num_qubits > MAX_QUBITS:
        return None
    bare = check_delays(circuit).remove_final_measurements(inplace=False)
    state = Statevector(bare)
    wires = measured_qubits(circuit)
    found = []
    for observable in observables:
        terms = [(string, list(wires), c) for string, c in observable.terms]
        operator = SparsePauliOp.from_sparse_list(terms, num_qubits=circuit.num_qubits)
        found.append(float(state.expectation_value(operator).real))
    return found


def evolved_distribution(circuit: QuantumCircuit) -> NDArray[np.float64]:
    """Exact outcome distribution ``(1, 2**m)``, evolutions being what they stand for.

    Args:
        circuit: bound and measured.

    Raises:
        BackendError: it is too wide for a statevector.
    """
    if circuit.num_qubits > MAX_QUBITS:
        raise BackendError(
            f"Argument `circuit` must have at most {MAX_QUBITS} qubits for the exact value of its "
            f"evolutions, but has {circuit.num_qubits}."
        )
    state = Statevector(check_delays(circuit).remove_final_measurements(inplace=False))
    qubits = list(reversed(measured_qubits(circuit)))
    return np.asarray(state.probabilities(qubits), dtype=np.float64)[None]


def remembered(compiled: QuantumCircuit) -> tuple[bool, list[float] | None]:
    """Whether a compiled circuit of a run of version 2 holds evolutions, and their exact values.

    These were written into it, where now the workload is kept.
    """
    metadata = compiled.metadata or {}
    return _KEY in metadata, metadata.get(_KEY)

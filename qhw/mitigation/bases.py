"""One compiled circuit in every measurement basis.

The circuit is compiled once, with a free rotation before every measurement. Fixing those rotations
gives one circuit for each basis, all in the same place: nothing that decides the place or the
two-qubit gates knows which basis will be read.
"""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from backends.base import BackendError, CompiledTemplate
from backends.checks import check_circuit
from backends.dynamic.circuit import is_dynamic
from backends.plain import add_classical_register, measured_form, plain, with_written_bits
from backends.rewrite import fixed
from qhw.mitigation.base import MitigationError

BITS_ALONE = (
    "Argument `observables` must be of Z and I for a dynamic circuit, whose bits are written on "
    "the way and read as they are at its end"
)
_TURNS = "measurement basis"
"""Name of the free rotations: no name of a circuit's own parameters."""
_ANGLES = {"Z": (0.0, 0.0), "X": (0.0, -np.pi / 2), "Y": (-np.pi / 2, -np.pi / 2)}
"""Rotation about z, then about y, that turns a Pauli's axis to z."""


def with_free_basis(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a free rotation before every measurement; a dynamic one as it is.

    Free, so that no compiler may drop what a measurement of z alone would not see.

    Args:
        circuit: as in :func:`estimate_observables`.

    Raises:
        BackendError: as :func:`as_measured`.
        MitigationError: a parameter has the name of the rotations.
    """
    if is_dynamic(circuit):  # whatever it measures on the way is no basis of ours to choose
        return measured_form(circuit)
    measured = as_measured(circuit)
    taken = [p.name for p in circuit.parameters if p.name.startswith(_TURNS)]
    if taken:
        raise MitigationError(
            f"Argument `circuit` must not have parameters named {_TURNS!r}, but has {taken[0]!r}"
        )
    m = measured.num_clbits
    turns = ParameterVector(_TURNS, 2 * m)
    turned = measured.copy_empty_like()
    for item in measured.data:
        if item.operation.name == "measure":
            wire = m - 1 - measured.find_bit(item.clbits[0]).index
            turned.rz(turns[2 * wire], item.qubits[0])
            turned.ry(turns[2 * wire + 1], item.qubits[0])
        turned.append(item)
    return turned


def as_measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit in plain gates on the bits that are measured; all qubits where none is.

    Raises:
        BackendError: measurements that are not last, a reset of a qubit in use, classical control,
            or an angle that is not finite.
    """
    measured = with_written_bits(plain(circuit))
    if not measured.num_clbits:
        add_classical_register(measured, circuit.num_qubits)
        measured.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    check_circuit(measured)
    return measured


def in_basis(compiled: CompiledTemplate, basis: str) -> CompiledTemplate:
    """One measurement basis of a compiled :func:`with_free_basis`.

    Args:
        compiled: with its rotations free.
        basis: X, Y or Z for every measured wire, wire 0 leftmost.

    Raises:
        BackendError: X or Y of a dynamic circuit, which has no rotations.
    """
    if not any(name.startswith(_TURNS) for name in compiled.parameter_names):
        if set(basis) - {"Z"}:
            raise BackendError(f"{BITS_ALONE}, but {basis} is asked for")
        return compiled
    values = {}
    for wire, letter in enumerate(basis):
        for i, angle in enumerate(_ANGLES[letter]):
            values[f"{_TURNS}[{2 * wire + i}]"] = angle
    return fixed(compiled, values)

"""Circuits to and from other compilers as OpenQASM 2: gates go, measurements stay here."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit, qasm2, transpile

from backends.base import BackendError
from backends.native.routing import Routed

BASIS = ("u3", "cx")


def gates_alone(circuit: QuantumCircuit) -> str:
    """The gates of a bound circuit in :data:`BASIS`, on one register ``q``.

    Raises:
        BackendError: it has delays, which these compilers do not keep.
    """
    bare = QuantumCircuit(circuit.num_qubits)
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        if item.operation.name == "delay":
            raise BackendError("Argument `circuit` must have no delays for this compiler.")
        if item.operation.name not in ("measure", "barrier"):
            bare.append(item.operation, [index[q] for q in item.qubits])
    return str(qasm2.dumps(transpile(bare, basis_gates=list(BASIS), optimization_level=0)))


def measured_again(
    wide: QuantumCircuit, circuit: QuantumCircuit, start: Sequence[int], end: Sequence[int]
) -> Routed:
    """What came back, on the device's qubits that it uses, measured as the circuit was.

    Args:
        wide: on the device's qubits.
        circuit: that was given.
        start: device qubit where each of its qubits begins.
        end: where it ends.
    """
    index = {qubit: i for i, qubit in enumerate(wide.qubits)}
    acting = {index[q] for item in wide.data for q in item.qubits}
    used = sorted(acting | {*start, *end})
    place = {q: i for i, q in enumerate(used)}
    out = QuantumCircuit(len(used), global_phase=wide.global_phase)
    out.add_bits(circuit.clbits)
    for register in circuit.cregs:
        out.add_register(register)
    for item in wide.data:
        out.append(item.operation, [place[index[q]] for q in item.qubits])
    own = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        if item.operation.name == "measure":
            out.measure(place[end[own[item.qubits[0]]]], item.clbits[0])
    return Routed(
        circuit=out,
        qubits=tuple(used),
        start=tuple(place[q] for q in start),
        end=tuple(place[q] for q in end),
        swaps=0,
    )

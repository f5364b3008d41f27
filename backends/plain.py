"""Circuits as people write them in the one form that is compiled: gates, then measurements.

A circuit starts in the ground state. So a reset of a qubit that nothing touched does nothing, an
initialisation there is a state preparation, and a box of instructions is what stands in it. Bits
that nothing writes have no value to read. All else that is no fixed sequence of gates is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    Clbit,
    ControlledGate,
    Gate,
    Instruction,
    ParameterExpression,
    Qubit,
)

from backends.base import BackendError
from backends.checks import check_circuit, check_measures_last
from backends.dynamic.circuit import is_dynamic, opened

_WAITS = ("barrier", "delay")
_CONTROL = ("break_loop", "continue_loop", "store")
_MAX_DEPTH = 64
MAX_IDLE_QUBITS = 24
"""A circuit of more qubits that measures nothing was written for a device, not for all of these."""

Bits: TypeAlias = Sequence[Qubit] | Sequence[Clbit]


def plain(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with boxes opened and without resets of fresh qubits.

    Args:
        circuit: parameters may be free. Its layout, if it has one, is not kept.

    Returns:
        A new circuit of the same qubits and bits.

    Raises:
        BackendError: a reset of a qubit in use, classical control, or an angle that is infinite or
            no number; the line names the instruction, counted from 0, and the qubit.
    """
    opened = _Opened(circuit)
    if not _finite(circuit.global_phase):
        raise BackendError(
            "Argument `circuit` must have finite angles, but its global phase is "
            f"{circuit.global_phase}."
        )
    if circuit.num_vars:
        raise BackendError(
            "Argument `circuit` must not have classical control, but has classical variables."
        )
    for place, item in enumerate(circuit.data):
        if item.is_standard_gate() and _plainly_finite(item.params):
            opened.keep(item)
            continue
        opened.place = place
        opened.take(item.operation, item.qubits, item.clbits)
    return opened.out


def plain_measured(circuit: QuantumCircuit) -> QuantumCircuit:
    """:func:`plain` on the bits that measurements write, in their order: what backends compile.

    Raises:
        BackendError: as :func:`plain`; no measurement, or one that is not last.
    """
    found = with_written_bits(plain(circuit))
    check_circuit(found)
    return found


def measured_form(circuit: QuantumCircuit) -> QuantumCircuit:
    """:func:`plain_measured`, or of a dynamic circuit the form in which it is compiled.

    Raises:
        BackendError: as :func:`plain_measured`; as :func:`~backends.dynamic.circuit.opened`.
    """
    return checked_angles(opened(circuit)) if is_dynamic(circuit) else plain_measured(circuit)


def checked_angles(circuit: QuantumCircuit) -> QuantumCircuit:
    """A dynamic circuit, whose angles must be finite.

    Raises:
        BackendError: one is not.
    """
    checker = _Opened(circuit)
    for place, item in enumerate(circuit.data):
        checker.place = place
        for inner in _all_inside(item.operation, item.qubits):
            checker.check_angles(*inner)
    return circuit


def _all_inside(operation: Any, qubits: Bits) -> Iterable[tuple[Any, Bits]]:
    blocks = getattr(operation, "blocks", ())
    if not blocks and operation.name != "delay":
        yield operation, qubits
    for block in blocks:
        for item in block.data:
            yield from _all_inside(item.operation, qubits)


def plain_bound(circuit: QuantumCircuit) -> QuantumCircuit:
    """:func:`plain` without free parameters; it may measure nothing.

    Raises:
        BackendError: as :func:`plain`; a free parameter, or a measurement that is not last.
    """
    if circuit.parameters:
        names = [p.name for p in circuit.parameters]
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise BackendError(
            f"Argument `circuit` must have every parameter bound, but {len(names)} are free "
            f"({shown})."
        )
    opened = plain(circuit)
    check_measures_last(opened)
    return opened


def qubits_in_use(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Qubits that anything but a barrier or a delay acts on, ascending."""
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    acting = (item for item in circuit.data if item.operation.name not in _WAITS)
    return tuple(sorted({index[q] for item in acting for q in item.qubits}))


def qubits_to_measure(circuit: QuantumCircuit, *, placed: bool) -> tuple[int, ...]:
    """Qubits that matter: those in use where the circuit measures, else as a rule all of them.

    Args:
        circuit: from :func:`plain`.
        placed: it was written for a device's qubits. Of such a circuit without measurements, and
            of one of more than :data:`MAX_IDLE_QUBITS` qubits, only those in use are measured.

    Returns:
        Qubits, ascending; all where none is in use.
    """
    every = tuple(range(circuit.num_qubits))
    used = qubits_in_use(circuit) or every
    measures = any(item.operation.name == "measure" for item in circuit.data)
    return used if measures or placed or len(every) > MAX_IDLE_QUBITS else every


def on_qubits(circuit: QuantumCircuit, kept: Sequence[int]) -> QuantumCircuit:
    """The circuit on some of its qubits, which must hold all that are in use.

    Args:
        circuit: any.
        kept: ascending.

    Returns:
        A circuit whose qubit i is ``kept[i]``; the circuit itself where all are kept.
    """
    if len(kept) == circuit.num_qubits:
        return circuit
    place = {circuit.qubits[q]: i for i, q in enumerate(kept)}
    out = QuantumCircuit(
        len(kept), name=circuit.name, global_phase=circuit.global_phase, metadata=circuit.metadata
    )
    _add_bits(out, circuit.cregs, circuit.clbits)
    for item in circuit.data:
        qubits = [place[q] for q in item.qubits if q in place]
        if item.operation.name == "barrier":
            if qubits:
                out.barrier(qubits)
        elif len(qubits) == len(item.qubits):
            out.append(item.operation, qubits, item.clbits)
    return out


def add_classical_register(circuit: QuantumCircuit, size: int) -> None:
    """Add a register called ``c``, or ``c1`` and so on where a quantum register has the name."""
    taken = {register.name for register in circuit.qregs}
    names = (f"c{number or ''}" for number in range(len(taken) + 1))
    circuit.add_register(ClassicalRegister(size, next(n for n in names if n not in taken)))


class _Opened:
    """The circuit so far, and which qubits are no longer in the ground state for sure."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.out = circuit.copy_empty_like()
        self.out._layout = None
        self.place = 0
        self._index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
        self._touched: set[Qubit] = set()

    def keep(self, item: CircuitInstruction) -> None:
        """Take a gate that nothing is to be asked of."""
        self._touched.update(item.qubits)
        self.out._append(item)

    def take(self, operation: Any, qubits: Bits, clbits: Bits, depth: int = 0) -> None:
        """Take an instruction, or what stands in it."""
        name = operation.name
        if depth > _MAX_DEPTH:
            raise BackendError(
                f"Argument `circuit` must nest instructions at most {_MAX_DEPTH} deep, but "
                f"instruction {self.place}, {name}, nests deeper."
            )
        if name == "box" and getattr(operation, "blocks", ()):
            self._open(operation.blocks[0], qubits, clbits, depth)
        elif getattr(operation, "blocks", ()) or name in _CONTROL:
            raise BackendError(
                f"Argument `circuit` must not have classical control, but instruction "
                f"{self.place} is {name}{self._on(qubits)}."
            )
        elif name == "reset":
            self._reset(qubits[0])
        elif _resets(operation):
            self._open(operation.definition, qubits, clbits, depth)
        else:
            if name not in _WAITS:  # lengths of delays are checked where a clock is known
                self.check_angles(operation, qubits)
                self._touched.update(qubits)
            self.out.append(operation, qubits, clbits)

    def _open(self, body: QuantumCircuit, qubits: Bits, clbits: Bits, depth: int) -> None:
        if not _finite(body.global_phase):
            raise self._infinite(f"a global phase in its {body.name}", body.global_phase, qubits)
        if body.num_vars:
            raise BackendError(
                f"Argument `circuit` must not have classical control, but instruction "
                f"{self.place} has classical variables."
            )
        outer: dict[Any, Any] = dict(zip(body.qubits, qubits, strict=True))
        outer |= dict(zip(body.clbits, clbits, strict=True))
        self.out.global_phase += body.global_phase
        for item in body.data:
            inner = [outer[q] for q in item.qubits], [outer[c] for c in item.clbits]
            self.take(item.operation, *inner, depth + 1)

    def _reset(self, qubit: Qubit) -> None:
        if qubit in self._touched:
            raise BackendError(
                "Argument `circuit` must not reset qubits in use, but instruction "
                f"{self.place} resets qubit {self._index[qubit]} after other instructions on it; "
                "only a reset before everything else is left out."
            )

    def check_angles(self, operation: Any, qubits: Bits) -> None:
        """Refuse an operation with an angle that is not finite."""
        for name, value in _angles(operation, set()):
            if not _finite(value):
                raise self._infinite(name, value, qubits)

    def _infinite(self, name: str, value: object, qubits: Bits) -> BackendError:
        return BackendError(
            f"Argument `circuit` must have finite angles, but instruction {self.place}, "
            f"{name}{self._on(qubits)}, has {str(value)[:40]}."
        )

    def _on(self, qubits: Bits) -> str:
        shown = [str(self._index[q]) for q in qubits[:4]]
        more = ", ..." if len(qubits) > 4 else ""
        return f" on qubit{'s' * (len(qubits) > 1)} {', '.join(shown)}{more}" if shown else ""


def _resets(operation: Any) -> bool:
    """Whether an instruction is no unitary: its definition may reset qubits or measure them."""
    if isinstance(operation, Instruction) and not isinstance(operation, Gate):
        return operation.name not in (*_WAITS, "measure") and operation.definition is not None
    return (
        type(operation) in (Gate, ControlledGate)
        and _folded(operation)
        and any(
            item.operation.name == "reset" or _resets(item.operation)
            for item in operation.definition.data
        )
    )


def _folded(operation: Any) -> bool:
    """Whether a gate is known by its definition alone."""
    known = type(operation)
    mine = known in (Gate, Instruction, ControlledGate) or known.__module__ == "qiskit.qasm2.parse"
    return mine and operation.definition is not None


def _angles(operation: Any, seen: set[tuple[str, str]]) -> Iterable[tuple[str, Any]]:
    """Numbers of an operation and of what defines it, each with the name of its gate."""
    operation = getattr(operation, "base_op", operation)
    for value in getattr(operation, "params", ()):
        yield operation.name, value
    if not _folded(operation):
        return
    key = (operation.name, repr(operation.params))
    if key in seen:
        return
    seen.add(key)
    yield operation.name, operation.definition.global_phase
    for item in operation.definition.data:
        yield from _angles(item.operation, seen)


def _plainly_finite(values: Iterable[Any]) -> bool:
    """Whether all are ordinary numbers that are finite; cheaper than :func:`_finite`."""
    return all(type(value) is float and math.isfinite(value) for value in values)


def _finite(value: Any) -> bool:
    """Whether a number, or an array of them, is finite; true of free parameters and of words."""
    if isinstance(value, ParameterExpression):
        if value.parameters:
            return True
        value = complex(value.numeric())
    try:
        return bool(np.isfinite(value).all())
    except TypeError:  # words, or a whole number beyond every float
        return not isinstance(value, int)


def with_written_bits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the bits alone that a measurement writes."""
    written = {bit for item in circuit.data for bit in item.clbits}
    if len(written) == circuit.num_clbits:
        return circuit
    out = QuantumCircuit(
        name=circuit.name, global_phase=circuit.global_phase, metadata=circuit.metadata
    )
    out.add_bits(circuit.qubits)
    for register in circuit.qregs:
        out.add_register(register)
    if written:
        add_classical_register(out, len(written))
    kept = [bit for bit in circuit.clbits if bit in written]
    new = dict(zip(kept, out.clbits, strict=True))
    for item in circuit.data:
        out.append(item.operation, item.qubits, [new[bit] for bit in item.clbits])
    return out


def _add_bits(
    out: QuantumCircuit, registers: Iterable[ClassicalRegister], bits: Iterable[Clbit]
) -> None:
    out.add_bits(bits)
    for register in registers:
        out.add_register(register)

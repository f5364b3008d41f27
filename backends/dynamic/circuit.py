"""Dynamic circuits in the form that is compiled: gates, measurements, resets, ``if``, ``while``.

Boxes and loops over known values are written out, ``switch`` becomes a chain of ``if``, and every
condition is on single bits of one register.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import (
    CASE_DEFAULT,
    Clbit,
    ForLoopOp,
    IfElseOp,
    Qubit,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr

from backends.base import BackendError
from backends.dynamic.conditions import MAX_BITS, Condition, bits_read, on_bits

WORDS = {
    "if_else": "if",
    "while_loop": "while",
    "reset": "reset of a qubit in use",
    "measure": "measurement before the end",
}
"""What makes a circuit dynamic, as people call it."""
_DECIDED = ("if_else", "while_loop", "for_loop", "switch_case")
_MAX_DEPTH = 64
_MAX_OPERATIONS = 1_000_000


def is_dynamic(circuit: QuantumCircuit) -> bool:
    """Whether a circuit is more than gates and then measurements of different bits."""
    return not _measures_last(circuit) and next(dynamic_parts(circuit), None) is not None


def decides(circuit: QuantumCircuit) -> bool:
    """Whether what is measured decides what is done, of a circuit from :func:`opened`."""
    return not {"if_else", "while_loop"}.isdisjoint(circuit.count_ops())


def _measures_last(circuit: QuantumCircuit) -> bool:
    """Whether all measurements stand at the end: most circuits, told at a glance."""
    kinds: Mapping[str, int] = circuit.count_ops()
    if any(name in kinds for name in (*_DECIDED, "reset", "initialize", "box")):
        return False
    left = kinds.get("measure", 0)
    places: set[Any] = set()
    for item in reversed(circuit.data):
        if item.operation.name == "measure":
            places.update((item.qubits[0], item.clbits[0]))
            left -= 1
        elif item.operation.name != "barrier":
            break
    return bool(left == 0 and len(places) == 2 * kinds.get("measure", 0))


def dynamic_parts(circuit: QuantumCircuit) -> Iterator[str]:
    """Names of the instructions that make a circuit dynamic, in order."""
    touched: set[Qubit] = set()
    measured: set[Qubit] = set()
    written: set[Clbit] = set()
    for name, qubits, bits in _without_boxes(circuit):
        if name == "barrier":
            continue
        if name in _DECIDED:
            yield name
        elif name in ("reset", "initialize") and touched.intersection(qubits):
            yield "reset"
        elif measured.intersection(qubits) or written.intersection(bits):
            yield "measure"
        if name == "measure":
            measured.update(qubits)
            written.update(bits)
        if name not in ("delay", "reset"):
            touched.update(qubits)


def _without_boxes(
    circuit: QuantumCircuit, depth: int = 0
) -> Iterator[tuple[str, Sequence[Qubit], Sequence[Clbit]]]:
    """Names, qubits and bits of instructions, those in boxes in place of the box."""
    for item in circuit.data:
        blocks = getattr(item.operation, "blocks", ())
        if item.operation.name != "box" or not blocks or depth > _MAX_DEPTH:
            yield item.operation.name, item.qubits, item.clbits
            continue
        qubits, bits = _within(blocks[0], item.qubits, item.clbits)
        for name, on, to in _without_boxes(blocks[0], depth + 1):
            yield name, [qubits[q] for q in on], [bits[c] for c in to]


def opened(circuit: QuantumCircuit) -> QuantumCircuit:
    """A dynamic circuit in the form that is compiled; its bits in one register, in order.

    Raises:
        BackendError: ``break``, ``continue``, classical variables, or conditions that are not on
            bits; the line names the instruction.
    """
    if circuit.num_vars:
        raise BackendError(
            "Argument `circuit` must decide by classical bits alone, but has classical variables."
        )
    taken = {register.name for register in circuit.qregs}
    name = next(n for n in ("c", "c_", "bits") if n not in taken)
    register = ClassicalRegister(circuit.num_clbits, name)
    out = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        register,
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    opener = _Opener(out)
    bits = dict(zip(circuit.clbits, register, strict=True))
    opener.take(circuit, dict(zip(circuit.qubits, circuit.qubits, strict=True)), bits, out)
    return _on_written_bits(out)


def every_operation(circuit: QuantumCircuit) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """Operations, those in blocks in place of the decision, and qubits by index."""
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        qubits = tuple(index[q] for q in item.qubits)
        blocks = getattr(item.operation, "blocks", ())
        if not blocks:
            yield item.operation, qubits
        for block in blocks:
            for operation, inner in every_operation(block):
                yield operation, tuple(qubits[i] for i in inner)


def written_by(circuit: QuantumCircuit) -> dict[int, int]:
    """Qubit that is measured into each bit last, as the circuit stands; both by index."""
    return {circuit.find_bit(bit).index: index for bit, index in _writers(circuit)}


def _writers(circuit: QuantumCircuit) -> Iterator[tuple[Clbit, int]]:
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    for item in circuit.data:
        if item.operation.name == "measure":
            yield item.clbits[0], index[item.qubits[0]]
        for block in getattr(item.operation, "blocks", ()):
            outer = dict(zip(block.clbits, item.clbits, strict=True))
            for bit, inner in _writers(block):
                yield outer[bit], index[item.qubits[inner]]


def _on_written_bits(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the bits alone that measurements write.

    Raises:
        BackendError: it reads another one.
    """
    kept = sorted(written_by(circuit))
    if len(kept) == circuit.num_clbits:
        return circuit
    read = {circuit.find_bit(c).index for item in circuit.data for c in item.clbits}
    if unwritten := sorted(read - set(kept)):
        raise BackendError(
            f"Argument `circuit` must measure into bits before it decides by them, but never "
            f"measures into bit {unwritten[0]}."
        )
    register = ClassicalRegister(len(kept), circuit.cregs[0].name)
    out = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        register,
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    new = {circuit.clbits[i]: bit for i, bit in zip(kept, register, strict=True)}
    _Opener(out).take(circuit, dict(zip(circuit.qubits, circuit.qubits, strict=True)), new, out)
    return out


class _Opener:
    """Writes circuits out, counting what is written."""

    def __init__(self, whole: QuantumCircuit) -> None:
        self._whole = whole
        self._count = 0
        self._touched: set[Qubit] = set()
        self._depth = 0

    def take(
        self,
        circuit: QuantumCircuit,
        qubits: Mapping[Qubit, Qubit],
        bits: Mapping[Clbit, Clbit],
        out: QuantumCircuit,
    ) -> None:
        """Write a circuit's instructions to the end of another."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BackendError(
                f"Argument `circuit` must nest instructions at most {_MAX_DEPTH} deep, but nests "
                "deeper."
            )
        for place, item in enumerate(circuit.data):
            self._count += 1
            if self._count > _MAX_OPERATIONS:
                raise _too_many()
            on = [qubits[q] for q in item.qubits]
            to = [bits[c] for c in item.clbits]
            self._one(item.operation, on, to, bits, out, place)
        self._depth -= 1

    def _one(
        self,
        operation: Any,
        on: Sequence[Qubit],
        to: Sequence[Clbit],
        bits: Mapping[Clbit, Clbit],
        out: QuantumCircuit,
        place: int,
    ) -> None:
        name = operation.name
        if name == "reset" and out is self._whole and on[0] not in self._touched:
            return  # it is in the ground state
        if name not in ("barrier", "delay"):
            self._touched.update(on)
        blocks: Sequence[QuantumCircuit] = getattr(operation, "blocks", ())
        if isinstance(operation, IfElseOp):
            condition = on_bits(operation.condition, bits)
            inner = [self._block(block, on, to, bits) for block in operation.blocks]
            _append(out, IfElseOp, condition, *inner)
        elif isinstance(operation, WhileLoopOp):
            condition = on_bits(operation.condition, bits)
            (body,) = operation.blocks
            _append(out, WhileLoopOp, condition, self._block(body, on, to, bits))
        elif isinstance(operation, ForLoopOp):
            self._repeat(operation, on, to, bits, out)
        elif isinstance(operation, SwitchCaseOp):
            self._cases(operation, on, to, bits, out)
        elif name == "box" and blocks:
            self.take(blocks[0], *_within(blocks[0], on, to), out)
        elif name in ("break_loop", "continue_loop", "store"):
            raise BackendError(
                f"Argument `circuit` must not have {name}, but instruction {place} is one."
            )
        elif name in ("initialize",) and operation.definition is not None:
            self.take(operation.definition, *_within(operation.definition, on, to), out)
        else:
            out.append(operation, on, to)

    def _block(
        self,
        block: QuantumCircuit,
        on: Sequence[Qubit],
        to: Sequence[Clbit],
        bits: Mapping[Clbit, Clbit],
    ) -> QuantumCircuit:
        """A block on the whole circuit's qubits and bits."""
        out = self._whole.copy_empty_like()
        out.global_phase = block.global_phase
        qubits, inner = _within(block, on, to)
        self.take(block, qubits, {**bits, **inner}, out)
        return out

    def _repeat(
        self,
        operation: ForLoopOp,
        on: Sequence[Qubit],
        to: Sequence[Clbit],
        bits: Mapping[Clbit, Clbit],
        out: QuantumCircuit,
    ) -> None:
        values, parameter, body = operation.params
        if self._count + len(values) * len(body.data) > _MAX_OPERATIONS:
            raise _too_many()
        for value in values:
            here = body if parameter is None else body.assign_parameters({parameter: value})
            qubits, inner = _within(here, on, to)
            self.take(here, qubits, {**bits, **inner}, out)

    def _cases(
        self,
        operation: SwitchCaseOp,
        on: Sequence[Qubit],
        to: Sequence[Clbit],
        bits: Mapping[Clbit, Clbit],
        out: QuantumCircuit,
    ) -> None:
        """Cases exclude each other: the value is looked at once, before any block."""
        target: Any = operation.target
        cases = [(labels, block) for labels, block in operation.cases_specifier()]
        labelled = [label for labels, _ in cases for label in labels if label is not CASE_DEFAULT]
        if len({*labelled}) > 2**MAX_BITS:
            raise BackendError("Argument `circuit` must have fewer cases in a switch.")
        self._chain(target, cases, on, to, bits, out)

    def _chain(
        self,
        target: Any,
        cases: Sequence[tuple[Any, QuantumCircuit]],
        on: Sequence[Qubit],
        to: Sequence[Clbit],
        bits: Mapping[Clbit, Clbit],
        out: QuantumCircuit,
    ) -> None:
        if not cases:
            return
        (labels, block), *rest = cases
        if CASE_DEFAULT in labels:
            qubits, inner = _within(block, on, to)
            self.take(block, qubits, {**bits, **inner}, out)
            return
        label, *others = labels
        condition = on_bits(_is(target, label), bits)
        otherwise = self._whole.copy_empty_like()
        left = [(tuple(others), block), *rest] if others else rest
        self._chain(target, left, on, to, bits, otherwise)
        _append(out, IfElseOp, condition, self._block(block, on, to, bits), otherwise)


def _is(target: Any, label: int) -> Any:
    return (target, int(label)) if not isinstance(target, expr.Expr) else expr.equal(target, label)


def _within(
    block: QuantumCircuit, on: Sequence[Qubit], to: Sequence[Clbit]
) -> tuple[dict[Qubit, Qubit], dict[Clbit, Clbit]]:
    return dict(zip(block.qubits, on, strict=True)), dict(zip(block.clbits, to, strict=True))


def _append(out: QuantumCircuit, kind: Any, condition: Condition, *blocks: QuantumCircuit) -> None:
    """Write blocks of a decision, on the qubits and bits that they need."""
    items = [item for block in blocks for item in block.data]
    used = {q for item in items for q in item.qubits}
    read = {*bits_read(condition), *(c for item in items for c in item.clbits)}
    qubits = [q for q in out.qubits if q in used]
    bits = [c for c in out.clbits if c in read]
    inner = []
    for block in blocks:
        small = QuantumCircuit(qubits, bits, global_phase=block.global_phase)
        for item in block.data:
            small.append(item.operation, item.qubits, item.clbits)
        inner.append(small)
    if qubits:  # else nothing is decided
        out.append(kind(condition, *inner), qubits, bits)


def _too_many() -> BackendError:
    return BackendError(
        f"Argument `circuit` must have at most {_MAX_OPERATIONS} operations when loops are written "
        "out, but has more."
    )

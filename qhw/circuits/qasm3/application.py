"""Gates, measurements, resets and waits of OpenQASM 3 written into the circuit."""

from __future__ import annotations

import ast as python
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openqasm3
from openqasm3 import ast
from qiskit import QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    Gate,
    Parameter,
    ParameterExpression,
    Qubit,
)
from qiskit.circuit.library import Barrier, Measure, Reset
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator

from qhw.circuits.qasm3.arithmetic import divided
from qhw.circuits.qasm3.expressions import Expressions
from qhw.circuits.qasm3.faults import Qasm3Error, refuse
from qhw.circuits.qasm3.gates import GATES
from qhw.circuits.qasm3.pieces import Flat
from qhw.circuits.qasm3.scope import Cells, Defined, State, Variable
from qhw.circuits.qasm3.values import Qubits, Time, said
from qhw.circuits.qasm_scan import MAX_CONTROL_MODIFIERS, MAX_NESTING, MAX_POWER_QUBITS

_NUMBER = re.compile(r"[+-]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SIMPLE = re.compile(r"(?:[\d.\s()+\-/*]|(?<=\d)[eE](?=[\d+-])|\bpi\b)*")
_MAX_SIMPLE = 200
_MAX_KEPT = 200_000
_SAME_TO = 1e-10
_MAX_TIMES = 64
"""Times that a gate with free angles is repeated."""


class Application:
    """Writes quantum statements.

    Args:
        state: of the program.
        expressions: of the same state.
    """

    def __init__(self, state: State, expressions: Expressions) -> None:
        self._state = state
        self._expressions = expressions
        self._made: dict[Any, Gate] = {}
        self._defining = False
        self._numbers: dict[str, list[Any]] = {}
        self._operations = {
            name: (Reset(), Measure())[name == "measure"] for name in ("reset", "measure")
        }

    def flat(self, item: Flat) -> None:
        """Write a flat statement.

        Raises:
            Qasm3Error: without a place.
        """
        self._state.step()
        if item.name == "measure":
            qubit, bit = item.operands
            self.measure(self._flat_qubits(*qubit), self._flat_cells(*bit), None)
            return
        operands = [self._flat_qubits(*one) for one in item.operands]
        if item.name == "barrier":
            self._barrier([bit for one in operands for bit in one.bits])
        elif item.name == "reset":
            for one in operands:
                self._reset(one)
        else:
            gate = self._make(item.name, self._flat_angles(item.arguments), len(operands))
            self.append(gate, operands, None, self._defined(item.name).operations)

    def gate(self, node: ast.QuantumGate) -> None:
        """Write a gate.

        Raises:
            Qasm3Error: with the place.
        """
        if node.duration is not None:
            refuse(node, "gates with durations are not read")
        operands = [self._expressions.qubits(one) for one in node.qubits]
        name, controls = node.name.name, self._controls(node.modifiers, len(operands), node)
        angles = [self._angle(part) for part in node.arguments]
        exact = bool(node.modifiers) or self._defining
        gate = self._make(name, angles, len(operands) - controls, exact=exact)
        cost = self._defined(name).operations * (len(operands) ** 2 if controls else 1)
        modified, times = self._modified(gate, node.modifiers, node)
        self.append(modified, operands, node, cost * times)

    def phase(self, node: ast.QuantumPhase) -> None:
        """Write a global phase, or one that controls turn into a gate.

        Raises:
            Qasm3Error: with the place.
        """
        angle = self._angle(node.argument)
        operands = [self._expressions.qubits(one) for one in node.qubits]
        self._controls(node.modifiers, len(operands) + 1, node)
        if not node.modifiers or not operands:
            for modifier in node.modifiers:
                if modifier.modifier is ast.GateModifierName.inv:
                    angle = -angle
                elif modifier.modifier is ast.GateModifierName.pow:
                    angle = angle * self._power(modifier)
                else:
                    refuse(node, "a controlled phase must name a qubit for every control")
            self._state.circuit.global_phase += angle
            return
        bare = QuantumCircuit(0, global_phase=angle).to_gate()
        self.append(self._modified(bare, node.modifiers, node)[0], operands, node)

    def define(self, node: ast.QuantumGateDefinition) -> None:
        """Define a gate.

        Raises:
            Qasm3Error: with the place.
        """
        name = node.name.name
        free = [Parameter(part.name) for part in node.arguments]
        bits = [Qubit() for _ in node.qubits]
        inside = QuantumCircuit(bits)
        names: dict[str, Any] = {p.name: p for p in free}
        names |= {
            part.name: Qubits((bit,), True) for part, bit in zip(node.qubits, bits, strict=True)
        }
        state, outer = self._state, self._state.circuit
        before, state.circuit = state._operations, inside
        depths = [0]
        self._defining = True
        try:
            with state.scope(names, alone=True):
                for statement in node.body:
                    self._inside(statement, depths)
        finally:
            state.circuit, self._defining = outer, False
        operations = max(1, state._operations - before)
        state._operations = before
        if max(depths) >= MAX_NESTING:
            refuse(node, f"must nest gate definitions at most {MAX_NESTING} deep, but nests deeper")
        # Qiskit takes gates for what their names say
        made = _Definition(f"{name}_defined" if name in GATES else name, inside, free)
        size = len(free), len(bits)
        if _means(name, inside, free):
            found = Defined(GATES[name][0], *size, exact=made)
        else:
            found = Defined(made, *size, operations, max(depths) + 1)
        state.declare(name, found)

    def _inside(self, statement: Any, depths: list[int]) -> None:
        self._state.step()
        if isinstance(statement, ast.QuantumGate):
            depths.append(self._defined(statement.name.name).depth)
            self.gate(statement)
        elif isinstance(statement, ast.QuantumPhase):
            self.phase(statement)
        elif isinstance(statement, ast.QuantumBarrier):
            self.barrier(statement)
        elif isinstance(statement, ast.ForInLoop):
            variable = statement.identifier.name
            if not isinstance(statement.set_declaration, ast.RangeDefinition):
                refuse(statement, "loops in gates must be over ranges")
            kind = self._expressions.kind(statement.type)
            for value in self._expressions.range(statement.set_declaration):
                with self._state.scope({variable: Variable(kind, value)}):
                    for inner in statement.block:
                        self._inside(inner, depths)
        else:
            refuse(statement, "a gate must be defined by gates alone")

    def measure(self, qubits: Qubits, cells: Cells | None, node: Any) -> None:
        """Measure qubits into bits; ``None``: into bits that nobody reads.

        Raises:
            Qasm3Error: the numbers differ.
        """
        if cells is None:
            cells = self._state.add_bits("unread", len(qubits.bits))
        if len(cells.bits) != len(qubits.bits):
            refuse(
                node, f"{len(qubits.bits)} qubits must not be measured into {len(cells.bits)} bits"
            )
        self._state.count(len(qubits.bits))
        self._state.measured(cells)
        for qubit, bit in zip(qubits.bits, cells.bits, strict=True):
            self._write(self._operations["measure"], (qubit,), (bit,))

    def reset(self, node: ast.QuantumReset) -> None:
        """Reset qubits."""
        self._reset(self._expressions.qubits(node.qubits))

    def barrier(self, node: ast.QuantumBarrier) -> None:
        """A barrier; on all qubits where it names none."""
        named = [self._expressions.qubits(one) for one in node.qubits]
        bits = [bit for one in named for bit in one.bits]
        self._barrier(bits or list(self._state.circuit.qubits))

    def delay(self, node: ast.DelayInstruction) -> None:
        """A wait; on all qubits where it names none.

        Raises:
            Qasm3Error: with the place, no duration.
        """
        time = self._expressions.value(node.duration)
        if not isinstance(time, Time):
            refuse(node, f"a delay must have a duration, but has {said(time)}")
        named = [bit for one in node.qubits for bit in self._expressions.qubits(one).bits]
        bits = named or list(self._state.circuit.qubits)
        self._state.count(len(bits))
        value = int(time.value) if time.unit == "dt" else time.value
        for bit in bits:
            self._state.circuit.delay(value, bit, unit=time.unit)

    def append(
        self, gate: Gate, operands: Sequence[Qubits], node: Any, operations: int = 1
    ) -> None:
        """Write a gate on registers, element by element.

        Raises:
            Qasm3Error: other sizes, or a qubit twice.
        """
        if len(operands) != gate.num_qubits:
            refuse(
                node, f"{gate.name} acts on {gate.num_qubits} qubits, but is given {len(operands)}"
            )
        for qubits in _together(operands, node):
            self._state.count(operations)
            if len(set(qubits)) < len(qubits):
                refuse(node, f"{gate.name} must act on different qubits")
            self._write(gate, qubits, ())

    def _write(self, operation: Any, qubits: tuple[Any, ...], bits: tuple[Any, ...]) -> None:
        circuit = self._state.circuit
        if self._state.depth:
            circuit.append(operation, qubits, bits)
        else:
            circuit._append(CircuitInstruction(operation, qubits, bits))

    def _barrier(self, bits: Sequence[Any]) -> None:
        self._state.count(1)
        self._state.circuit.append(Barrier(len(bits)), bits)

    def _reset(self, qubits: Qubits) -> None:
        self._state.count(len(qubits.bits))
        for bit in qubits.bits:
            self._write(self._operations["reset"], (bit,), ())

    def _defined(self, name: str) -> Defined:
        found = self._state.find(name)
        if found is None and name in GATES:
            found = Defined(*GATES[name])
            self._state.scopes[0][name] = found
        if not isinstance(found, Defined):
            fault = "is not defined" if found is None else "is no gate"
            raise Qasm3Error(f"gate {name!r} {fault}")
        return found

    def _make(self, name: str, angles: list[Any], qubits: int, *, exact: bool = False) -> Gate:
        found = self._defined(name)
        if found.angles != len(angles):
            raise Qasm3Error(f"{name} has {found.angles} angles, but is given {len(angles)}")
        if found.qubits != qubits:
            raise Qasm3Error(f"{name} acts on {found.qubits} qubits, but is given {qubits}")
        made = found.exact if exact and found.exact is not None else found.made
        key = (made, *angles)
        gate = self._made.get(key)
        if gate is None:
            gate = made(*angles)
            if len(self._made) < _MAX_KEPT:
                self._made[key] = gate
        return gate

    def _angle(self, node: ast.Expression) -> Any:
        return _as_angle(self._expressions.value(node), node)

    def _controls(self, modifiers: Sequence[Any], operands: int, node: Any) -> int:
        """How many controls modifiers add.

        Raises:
            Qasm3Error: more than qubits, or a power of a gate that is too large.
        """
        controls, chained = 0, 0
        for modifier in modifiers:
            if modifier.modifier is ast.GateModifierName.pow:
                if operands > MAX_POWER_QUBITS:
                    refuse(node, f"only gates of at most {MAX_POWER_QUBITS} qubits are powered")
            elif modifier.modifier is not ast.GateModifierName.inv:
                chained += 1
                controls += self._count_of(modifier)
        if chained > MAX_CONTROL_MODIFIERS:
            refuse(node, f"must have at most {MAX_CONTROL_MODIFIERS} modifiers `ctrl @` on a gate")
        if controls and controls >= operands:
            refuse(node, f"must name a qubit for each of {controls} controls and the gate's own")
        return controls

    def _count_of(self, modifier: ast.QuantumGateModifier) -> int:
        count = 1 if modifier.argument is None else self._expressions.whole(modifier.argument)
        if count < 1:
            refuse(modifier, f"the number of controls must be 1 or more, but is {count}")
        return count

    def _power(self, modifier: ast.QuantumGateModifier) -> float:
        if modifier.argument is None:
            refuse(modifier, "pow needs an exponent")
        value = self._expressions.value(modifier.argument)
        if not isinstance(value, int | float):
            refuse(modifier, f"an exponent must be a known number, but is {said(value)}")
        return value

    def _modified(self, gate: Gate, modifiers: Sequence[Any], node: Any) -> tuple[Gate, int]:
        """A modified gate, and how many times the gate itself is in it."""
        times = 1
        try:
            for modifier in reversed(modifiers):
                if modifier.modifier is ast.GateModifierName.inv:
                    gate = gate.inverse()
                elif modifier.modifier is ast.GateModifierName.pow:
                    power = self._power(modifier)
                    if _is_free(gate) and float(power).is_integer():
                        gate, times = _repeated(gate, int(power), node), times * abs(int(power))
                    else:
                        gate = gate.power(power)
                else:
                    count = self._count_of(modifier)
                    on_one = modifier.modifier is ast.GateModifierName.ctrl
                    gate = gate.control(count, ctrl_state=(1 << count) - 1 if on_one else 0)
        except TypeError:  # free angles where Qiskit takes numbers
            refuse(node, f"{gate.name} cannot be modified so while its angles are free")
        except QiskitError as error:
            refuse(node, f"the modified gate cannot be made: {str(error)[:200]}")
        return gate, max(1, times)

    def _flat_qubits(self, name: str, index: int | None) -> Qubits:
        found = self._state.find(name)
        if not isinstance(found, Qubits):
            fault = "is not defined" if found is None else "must be qubits, but is not"
            raise Qasm3Error(f"{name!r} {fault}")
        if index is None:
            return found
        if found.scalar:
            raise Qasm3Error(f"{name!r} is one qubit and must not be indexed")
        _check_index(index, len(found.bits))
        return Qubits((found.bits[index],), scalar=True)

    def _flat_cells(self, name: str, index: int | None) -> Cells:
        found = self._state.find(name)
        cells = found.value if isinstance(found, Variable) else found
        if not isinstance(cells, Cells):
            raise Qasm3Error(f"{name!r} must be bits that are measured into, but is not")
        if index is None:
            return cells
        _check_index(index, len(cells.bits))
        return Cells((cells.bits[index],), scalar=True)

    def _flat_angles(self, text: str) -> list[Any]:
        if not text:
            return []
        kept = self._numbers.get(text)
        if kept is not None:
            return kept
        parts = [part.strip() for part in text.split(",")] if "(" not in text else [text]
        found = [_simple(part) for part in parts]
        if all(value is not None for value in found):
            if len(self._numbers) < _MAX_KEPT:
                self._numbers[text] = found
            return found
        return [self._angle(node) for node in _parsed(text)]


class _Definition:
    """Makes gates of a definition."""

    def __init__(self, name: str, inside: QuantumCircuit, free: list[Parameter]) -> None:
        self.name, self._inside, self._free = name, inside, free

    def __call__(self, *angles: Any) -> Gate:
        gate = Gate(self.name, self._inside.num_qubits, list(angles))
        values = dict(zip(self._free, angles, strict=True))
        used = set(self._inside.parameters)
        gate.definition = self._inside.assign_parameters(
            {p: a for p, a in values.items() if p in used}
        )
        return gate


def _is_free(gate: Gate) -> bool:
    """Whether angles of a gate are free, as inside a definition."""
    return any(isinstance(p, ParameterExpression) and p.parameters for p in gate.params)


def _repeated(gate: Gate, times: int, node: Any) -> Gate:
    """A whole power of a gate whose angles are free: the gate, or its inverse, so many times.

    Raises:
        Qasm3Error: too many.
    """
    if abs(times) > _MAX_TIMES:
        refuse(node, f"a power of a gate with free angles must be up to {_MAX_TIMES}")
    inside = QuantumCircuit(gate.num_qubits)
    one = gate.inverse() if times < 0 else gate
    for _ in range(abs(times)):
        inside.append(one, range(gate.num_qubits))
    made = Gate(f"{gate.name}_times_{times}".replace("-", "m"), gate.num_qubits, list(gate.params))
    made.definition = inside
    return made


def _means(name: str, inside: QuantumCircuit, free: Sequence[Parameter]) -> bool:
    """Whether a definition is of the gate that its name stands for, up to a global phase."""
    known = GATES.get(name)
    if known is None or known[1:] != (len(free), inside.num_qubits):
        return False
    angles = [0.3 + 0.7 * i for i in range(len(free))]
    try:
        mine = Operator(_Definition(name, inside, list(free))(*angles))
        return bool(mine.equiv(Operator(known[0](*angles)), atol=_SAME_TO))
    except (QiskitError, ValueError, TypeError):
        return False


def _together(operands: Sequence[Qubits], node: Any) -> Iterator[tuple[Any, ...]]:
    """Qubits of each gate of a broadcast."""
    if all(len(one.bits) == 1 for one in operands):
        yield tuple(one.bits[0] for one in operands)
        return
    sizes = {len(one.bits) for one in operands if not one.scalar}
    if len(sizes) > 1:
        refuse(node, f"registers of different sizes must not stand together, but have {sizes}")
    (size,) = sizes
    for i in range(size):
        yield tuple(one.bits[0 if one.scalar else i] for one in operands)


def _check_index(index: int, size: int) -> None:
    if index >= size:
        raise Qasm3Error(f"the index {index} must be within its {size} elements, but is not")


def _simple(text: str) -> Any:
    """A number, or a formula of numbers and pi; ``None`` for anything else."""
    if _NUMBER.fullmatch(text):
        return float(text.replace(" ", ""))
    if len(text) > _MAX_SIMPLE or "**" in text or "//" in text or not _SIMPLE.fullmatch(text):
        return None
    try:
        value = _worked_out(python.parse(text.strip(), mode="eval").body)
        return float(value)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, Qasm3Error):
        return None  # the reference parser says what is wrong, and where


def _worked_out(node: python.expr) -> Any:
    if isinstance(node, python.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, python.Name):
        return np.pi if node.id == "pi" else None
    if isinstance(node, python.UnaryOp) and isinstance(node.op, python.USub):
        return -_worked_out(node.operand)
    if isinstance(node, python.BinOp):
        left, right = _worked_out(node.left), _worked_out(node.right)
        if isinstance(node.op, python.Add):
            return left + right
        if isinstance(node.op, python.Sub):
            return left - right
        if isinstance(node.op, python.Mult):
            return left * right
        if isinstance(node.op, python.Div):
            return divided(left, right)
    raise ValueError(type(node).__name__)


def _parsed(text: str) -> list[Any]:
    program = openqasm3.parse(f"angles({text});")
    call: Any = program.statements[0]
    return list(call.expression.arguments)


def _as_angle(value: Any, node: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | ParameterExpression):
        refuse(node, f"an angle must be a number, but is {said(value)}")
    return value if isinstance(value, ParameterExpression) else float(value)

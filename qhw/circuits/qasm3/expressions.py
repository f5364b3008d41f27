"""Expressions of OpenQASM 3, worked out while a program is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from openqasm3 import ast

from qhw.circuits.qasm3.arithmetic import CONSTANTS, FUNCTIONS, binary, call, truth, unary
from qhw.circuits.qasm3.faults import Qasm3Error, refuse
from qhw.circuits.qasm3.scope import Cells, Defined, State, Variable, called
from qhw.circuits.qasm3.values import NAMES, Bits, Condition, Kind, Qubits, Time, cast, said
from qhw.circuits.qasm_scan import MAX_BITS

MAX_WIDTH = 4096
"""Bits of a number's type."""


class Expressions:
    """Works expressions out in the scope of a state.

    Args:
        state: of the program.
        run: runs a subroutine, for its value.
    """

    def __init__(self, state: State, run: Callable[[ast.FunctionCall], Any]) -> None:
        self._state = state
        self._run = run
        self._ways: dict[type, Callable[[Any], Any]] = {
            ast.Identifier: self._name,
            ast.IntegerLiteral: lambda node: node.value,
            ast.FloatLiteral: lambda node: node.value,
            ast.ImaginaryLiteral: lambda node: complex(0.0, node.value),
            ast.BooleanLiteral: lambda node: node.value,
            ast.BitstringLiteral: lambda node: Bits.of(node.value, node.width),
            ast.DurationLiteral: lambda node: Time(node.value, node.unit.name),
            ast.ArrayLiteral: lambda node: [self.value(part) for part in node.values],
            ast.UnaryExpression: lambda node: unary(node.op.name, self.value(node.expression)),
            ast.BinaryExpression: self._binary,
            ast.IndexExpression: self._indexed,
            ast.IndexedIdentifier: self._indexed_name,
            ast.Concatenation: self._joined,
            ast.Cast: lambda node: cast(self.kind(node.type), self.value(node.argument)),
            ast.FunctionCall: self._called,
            ast.SizeOf: self._size,
        }

    def value(self, node: Any) -> Any:
        """What an expression is worth.

        Raises:
            Qasm3Error: with the place.
        """
        way = self._ways.get(type(node))
        if way is None:
            refuse(node, f"{called(node)} is not read")
        try:
            return way(node)
        except Qasm3Error as error:
            if error.line is None:
                refuse(node, str(error))
            raise
        except (ArithmeticError, TypeError, ValueError) as error:
            refuse(node, f"it cannot be worked out: {str(error)[:200]}")

    def whole(self, node: ast.Expression) -> int:
        """A whole number known before any shot.

        Raises:
            Qasm3Error: with the place.
        """
        value = self.value(node)
        if isinstance(value, Bits) and value.known:
            return value.whole
        if not isinstance(value, int):
            refuse(node, f"must be a whole number known before any shot, but is {said(value)}")
        return int(value)

    def condition(self, node: ast.Expression) -> bool | Condition:
        """A truth, known or measured.

        Raises:
            Qasm3Error: with the place.
        """
        value = self.value(node)
        try:
            return truth(value)
        except Qasm3Error as error:
            refuse(node, str(error))

    def qubits(self, node: Any) -> Qubits:
        """Qubits that an operand names.

        Raises:
            Qasm3Error: with the place.
        """
        value = self.value(node)
        if not isinstance(value, Qubits):
            refuse(node, f"must be qubits, but is {said(value)}")
        return value

    def cells(self, node: Any) -> Cells:
        """Places of bits that an operand names.

        Raises:
            Qasm3Error: with the place.
        """
        indices = node.indices if isinstance(node, ast.IndexedIdentifier) else []
        name = node.name.name if isinstance(node, ast.IndexedIdentifier) else node.name
        found = self._state.find(name)
        cells = found.value if isinstance(found, Variable) else found
        if not isinstance(cells, Cells):
            refuse(node, f"{name!r} must be bits that are measured into, but is not")
        for index in indices:
            numbers, scalar = self.indices(index, len(cells.bits), node)
            cells = Cells(tuple(cells.bits[i] for i in numbers), scalar)
        return cells

    def kind(self, node: Any) -> Kind:
        """A type as declared.

        Raises:
            Qasm3Error: with the place, one that is not read or too large.
        """
        if isinstance(node, ast.ArrayType | ast.ArrayReferenceType):
            if not isinstance(node.dimensions, list):
                refuse(node, "arrays without a shape are not read")
            shape = tuple(self.whole(part) for part in node.dimensions)
            elements = math.prod(max(side, 0) for side in shape)
            if not 1 <= elements <= MAX_BITS:
                refuse(node, f"an array must have 1 to {MAX_BITS} elements, but has {elements}")
            return Kind("array", None, self.kind(node.base_type), shape)
        name = NAMES.get(type(node))
        if name is None:
            refuse(node, f"{called(node)} is not read")
        given = getattr(node, "size", None)
        size = None if given is None else self.whole(given)
        if size is not None and not 1 <= size <= (MAX_BITS if name == "bit" else MAX_WIDTH):
            refuse(node, f"a type must have 1 to {MAX_WIDTH} bits, but has {size}")
        return Kind(name, size)

    def range(self, node: ast.RangeDefinition, last: int | None = None) -> range:
        """Whole numbers from start to end, both included.

        Args:
            node: the range.
            last: index of the last element, of a range within something; else both ends are needed.

        Raises:
            Qasm3Error: with the place.
        """
        step = 1 if node.step is None else self.whole(node.step)
        if step == 0:
            refuse(node, "the step of a range must not be 0")
        if last is None and (node.start is None or node.end is None):
            refuse(node, "a range must have a start and an end here")
        ends = [
            (0 if (number == 0) == (step > 0) else last) if part is None else self.whole(part)
            for number, part in enumerate((node.start, node.end))
        ]
        start, end = (
            int(place) + (last + 1 if last is not None and place < 0 else 0)  # type: ignore[operator, arg-type]
            for place in ends
        )
        return range(start, end + (1 if step > 0 else -1), step)

    def indices(self, index: Any, size: int, node: Any) -> tuple[Sequence[int], bool]:
        """Elements that an index names of so many, and whether it is a single one.

        Raises:
            Qasm3Error: with the place, some are not there.
        """
        if isinstance(index, ast.DiscreteSet):
            numbers: Sequence[int] = [self.whole(part) for part in index.values]
            scalar = False
        else:
            if len(index) != 1:
                refuse(node, "one index is needed")
            scalar = not isinstance(index[0], ast.RangeDefinition)
            numbers = [self.whole(index[0])] if scalar else self.range(index[0], size - 1)
        if len(numbers) > MAX_BITS:
            refuse(node, f"an index must name at most {MAX_BITS} elements")
        for number in numbers:
            if not -size <= number < size:
                refuse(node, f"the index {number} must be within its {size} elements, but is not")
        return [number % size for number in numbers], scalar

    def _name(self, node: ast.Identifier) -> Any:
        found = self._state.find(node.name)
        if isinstance(found, Variable):
            if isinstance(found.value, Cells):
                return self._state.bits_in(found.value)
            return found.value
        if isinstance(found, Cells):
            return self._state.bits_in(found)
        if found is None and node.name in CONSTANTS:
            return CONSTANTS[node.name]
        if found is None:
            raise Qasm3Error(f"{node.name!r} is not defined")
        if isinstance(found, Defined | ast.SubroutineDefinition | ast.ExternDeclaration):
            raise Qasm3Error(f"{node.name!r} has no value")
        return found

    def _binary(self, node: ast.BinaryExpression) -> Any:
        left = self.value(node.lhs)
        if node.op.name in ("&&", "||"):
            known = truth(left)
            if isinstance(known, bool) and known == (node.op.name == "||"):
                return known  # what follows is not looked at, as everywhere
        return binary(node.op.name, left, self.value(node.rhs))

    def _indexed(self, node: ast.IndexExpression) -> Any:
        return self._element(self.value(node.collection), [node.index], node)

    def _indexed_name(self, node: ast.IndexedIdentifier) -> Any:
        return self._element(self._name(node.name), node.indices, node)

    def _element(self, value: Any, indices: Sequence[Any], node: Any) -> Any:
        for index in indices:
            if isinstance(value, list):
                value = self._of_array(value, index, node)
                continue
            if isinstance(value, int) and not isinstance(value, bool):
                value = Bits.of(value, self._width(node))
            if not isinstance(value, Qubits | Bits) or value.scalar:
                raise Qasm3Error(f"{said(value)} must not be indexed")
            entries: tuple[Any, ...] = value.bits if isinstance(value, Qubits) else value.entries
            numbers, scalar = self.indices(index, len(entries), node)
            value = type(value)(tuple(entries[i] for i in numbers), scalar)
        return value

    def _of_array(self, value: list[Any], index: Any, node: Any) -> Any:
        if isinstance(index, ast.DiscreteSet):
            return [value[i] for i in self.indices(index, len(value), node)[0]]
        found: Any = value
        for number, part in enumerate(index):
            if not isinstance(found, list):
                raise Qasm3Error("there are more indices than dimensions")
            places, scalar = self.indices([part], len(found), node)
            if not scalar:
                rest = [*index[number + 1 :]]
                chosen = [found[i] for i in places]
                return [self._of_array(one, rest, node) for one in chosen] if rest else chosen
            found = found[places[0]]
        return found

    def _width(self, node: Any) -> int:
        """Bits of a number that is indexed."""
        inner = node.collection if isinstance(node, ast.IndexExpression) else node.name
        found = self._state.find(inner.name) if isinstance(inner, ast.Identifier) else None
        if isinstance(found, Variable) and found.kind.size is not None:
            return found.kind.size
        return 32

    def _joined(self, node: ast.Concatenation) -> Any:
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, Qubits) and isinstance(right, Qubits):
            joined: Any = Qubits(left.bits + right.bits)
            size = len(joined.bits)
        elif isinstance(left, Bits) and isinstance(right, Bits):
            joined = Bits(left.entries + right.entries)
            size = len(joined.entries)
        elif isinstance(left, list) and isinstance(right, list):
            joined = left + right
            size = len(joined)
        else:
            raise Qasm3Error(f"{said(left)} and {said(right)} must not be joined")
        if size > MAX_BITS:
            raise Qasm3Error(f"must join at most {MAX_BITS} elements, but joins {size}")
        return joined

    def _called(self, node: ast.FunctionCall) -> Any:
        name = node.name.name
        if name in FUNCTIONS and self._state.find(name) is None:
            return call(name, [self.value(part) for part in node.arguments])
        return self._run(node)

    def _size(self, node: ast.SizeOf) -> int:
        value = self.value(node.target)
        depth = 0 if node.index is None else self.whole(node.index)
        for _ in range(depth):
            value = value[0] if isinstance(value, list) else None
        if isinstance(value, Qubits):
            return len(value.bits)
        if isinstance(value, Bits):
            return len(value.entries)
        if isinstance(value, list):
            return len(value)
        raise Qasm3Error("sizeof needs an array or a register with so many dimensions")

"""Statements of OpenQASM 3, run as far as it is known before any shot what they do.

Loops, subroutines, arrays, aliases and constants are worked out here; what measurements decide
becomes control flow of the circuit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Parameter

from qhw.circuits.qasm3.application import Application
from qhw.circuits.qasm3.arithmetic import binary
from qhw.circuits.qasm3.elements import set_element
from qhw.circuits.qasm3.expressions import Expressions
from qhw.circuits.qasm3.faults import Qasm3Error, refuse
from qhw.circuits.qasm3.given import given_value, kind_of, returned_name
from qhw.circuits.qasm3.leaving import (
    BreakError,
    ContinueError,
    EndError,
    LeftError,
    ReturnError,
)
from qhw.circuits.qasm3.pragmas import pragma
from qhw.circuits.qasm3.scope import Cells, State, Variable, called
from qhw.circuits.qasm3.values import (
    Bits,
    Condition,
    Kind,
    Qubits,
    Time,
    cast,
    default,
    said,
)
from qhw.circuits.qasm3.written import names_written


class Statements:
    """Runs statements.

    Args:
        state: of the program.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.expressions = Expressions(state, self._subroutine)
        self.application = Application(state, self.expressions)
        self._loops: list[int | None] = []
        """Of the loops around: their depth where they are written out, else ``None``."""
        self._returned: Cells | None = None
        self._ways: dict[type, Callable[[Any], None]] = {
            ast.Include: self._include,
            ast.QubitDeclaration: self._qubits,
            ast.ClassicalDeclaration: self._classical,
            ast.ConstantDeclaration: self._constant,
            ast.IODeclaration: self._input,
            ast.AliasStatement: self._alias,
            ast.QuantumGateDefinition: self.application.define,
            ast.QuantumGate: self.application.gate,
            ast.QuantumPhase: self.application.phase,
            ast.QuantumMeasurementStatement: self._measure,
            ast.QuantumReset: self.application.reset,
            ast.QuantumBarrier: self.application.barrier,
            ast.DelayInstruction: self.application.delay,
            ast.Box: self._box,
            ast.ClassicalAssignment: self._assign,
            ast.ExpressionStatement: lambda node: self._expression(node.expression),
            ast.SubroutineDefinition: lambda node: state.declare(node.name.name, node),
            ast.ExternDeclaration: lambda node: state.declare(node.name.name, node),
            ast.BranchingStatement: self._branch,
            ast.ForInLoop: self._for,
            ast.WhileLoop: self._while,
            ast.SwitchStatement: self._switch,
            ast.CompoundStatement: lambda node: self._block(node.statements),
            ast.BreakStatement: lambda node: self._leave_loop(node, BreakError()),
            ast.ContinueStatement: lambda node: self._leave_loop(node, ContinueError()),
            ast.ReturnStatement: self._return,
            ast.EndStatement: self._end,
            ast.Pragma: lambda node: pragma(node, self.application, self.expressions),
        }

    def run(self, statements: Iterable[Any]) -> None:
        """Run statements of a program; those after ``end`` are not.

        Raises:
            Qasm3Error: with the place.
        """
        try:
            self._run(statements)
        except (BreakError, ContinueError, ReturnError) as error:
            raise Qasm3Error("break, continue and return must stand in a loop or def") from error

    def _run(self, statements: Iterable[Any]) -> None:
        for node in statements:
            way = self._ways.get(type(node))
            if way is None:
                refuse(node, f"{called(node)} is not read")
            try:
                self._state.step()
                way(node)
            except Qasm3Error as error:
                if error.line is None:
                    refuse(node, str(error))
                raise

    def _block(self, statements: Sequence[Any]) -> None:
        with self._state.scope():
            self._run(statements)

    def _include(self, node: ast.Include) -> None:
        if node.filename not in ("stdgates.inc", "qelib1.inc"):
            refuse(node, f"only stdgates.inc is included, but {node.filename[:80]!r} is asked for")

    def _qubits(self, node: ast.QubitDeclaration) -> None:
        size = None if node.size is None else self.expressions.whole(node.size)
        self._state.add_qubits(node.qubit.name, size)

    def _classical(self, node: ast.ClassicalDeclaration) -> None:
        name, kind = node.identifier.name, self.expressions.kind(node.type)
        start = node.init_expression
        if kind.name != "bit":
            value = default(kind) if start is None else cast(kind, self._worth(start))
            self._state.declare(name, Variable(kind, value, depth=self._state.depth))
            return
        if self._returned is not None and name == self._return_name:
            cells: Cells = self._returned
            if len(cells.bits) != (kind.size or 1):
                refuse(node, f"must have {len(cells.bits)} bits, as many as what it is returned to")
        else:
            cells = self._state.add_bits(name, kind.size)
        self._state.declare(name, Variable(kind, cells, depth=self._state.depth))
        if start is not None:
            self._write(cells, start, node)

    _return_name = ""

    def _constant(self, node: ast.ConstantDeclaration) -> None:
        kind = self.expressions.kind(node.type)
        value = cast(kind, self.expressions.value(node.init_expression))
        self._state.declare(node.identifier.name, Variable(kind, value, constant=True))

    def _input(self, node: ast.IODeclaration) -> None:
        name, kind = node.identifier.name, self.expressions.kind(node.type)
        if node.io_identifier is ast.IOKeyword.output:
            self._classical(ast.ClassicalDeclaration(node.type, node.identifier, None))
            return
        self._state.inputs.append(name)
        given = self._state.values.get(name)
        if given is not None:
            value: Any = given_value(kind, given, name)
        elif kind.name in ("float", "angle"):
            value = Parameter(name)
        else:
            refuse(
                node, f"the input {name!r} decides what the circuit is: give it by --bind {name}="
            )
        if kind.name == "bit":
            cells = self._state.add_bits(name, kind.size)
            self._state.set_bits(cells, cast(kind, value))
            value = cells
        else:
            value = cast(kind, value)
        self._state.declare(name, Variable(kind, value, depth=self._state.depth))

    def _alias(self, node: ast.AliasStatement) -> None:
        value = self.expressions.value(node.value)
        name = node.target.name
        if isinstance(value, Bits):
            if not isinstance(node.value, ast.Identifier | ast.IndexExpression):
                refuse(node, "aliases of bits must be of one register or a part of it")
            inner: Any = node.value
            if isinstance(inner, ast.IndexExpression):
                collection: Any = inner.collection
                inner = ast.IndexedIdentifier(collection, [inner.index])
            self._state.declare(name, self.expressions.cells(inner))
        elif isinstance(value, Qubits):
            if len(set(value.bits)) < len(value.bits):
                refuse(node, "an alias must name each qubit once")
            self._state.declare(name, value)
        else:
            refuse(node, f"an alias must be of qubits or bits, but is of {said(value)}")

    def _measure(self, node: ast.QuantumMeasurementStatement) -> None:
        qubits = self.expressions.qubits(node.measure.qubit)
        cells = None if node.target is None else self.expressions.cells(node.target)
        self.application.measure(qubits, cells, node)

    def _box(self, node: ast.Box) -> None:
        if node.duration is None:
            self._block(node.body)
            return
        time = self.expressions.value(node.duration)
        if not isinstance(time, Time):
            refuse(node, f"a box must have a duration, but has {said(time)}")
        with self._state.circuit.box(duration=time.value, unit=time.unit):
            self._block(node.body)

    def _worth(self, node: Any) -> Any:
        if isinstance(node, ast.QuantumMeasurement):
            refuse(node, "measurements must be kept in bits")
        return self.expressions.value(node)

    def _write(self, cells: Cells, node: Any, place: Any) -> None:
        """Assign to bits: what is measured, what a subroutine returns, or what is known."""
        if isinstance(node, ast.QuantumMeasurement):
            self.application.measure(self.expressions.qubits(node.qubit), cells, place)
            return
        if isinstance(node, ast.Cast) and isinstance(node.argument, ast.FunctionCall):
            node = node.argument
        if isinstance(node, ast.FunctionCall):
            value = self._subroutine(node, cells)
            if isinstance(value, Qubits):
                self.application.measure(value, cells, place)
                return
        else:
            value = self.expressions.value(node)
        kind = Kind("bit", None if cells.scalar else len(cells.bits))
        self._state.set_bits(cells, cast(kind, value))

    def _assign(self, node: ast.ClassicalAssignment) -> None:
        to: Any = node.lvalue
        indexed = isinstance(to, ast.IndexedIdentifier)
        name = to.name.name if indexed else to.name
        found = self._state.find(name)
        held = found.value if isinstance(found, Variable) else found
        right: Any = node.rvalue
        if node.op.name != "=":
            left: Any = to
            sides = self.expressions.value(left), self.expressions.value(right)
            right = _Worth(binary(node.op.name[:-1], *sides))
        if isinstance(held, Cells):
            cells = self.expressions.cells(node.lvalue)
            if isinstance(right, _Worth):
                kind = Kind("bit", None if cells.scalar else len(cells.bits))
                self._state.set_bits(cells, cast(kind, right.value))
            else:
                self._write(cells, right, node)
            return
        if not isinstance(found, Variable):
            refuse(node, f"{name!r} must be a variable, but is not")
        if found.constant:
            refuse(node, f"{name!r} is constant and must not be assigned to")
        if found.depth < self._state.depth:
            refuse(node, f"{name!r} must not be assigned to where measurements decide whether")
        value = right.value if isinstance(right, _Worth) else self._worth(right)
        if indexed:
            set_element(found, node.lvalue, value, self.expressions)  # type: ignore[arg-type]
        else:
            found.value = cast(found.kind, value)

    def _expression(self, node: Any) -> None:
        if isinstance(node, ast.FunctionCall):
            self._subroutine(node)
        elif isinstance(node, ast.QuantumMeasurement):
            self.application.measure(self.expressions.qubits(node.qubit), None, node)
        else:
            self.expressions.value(node)

    def _subroutine(self, node: ast.FunctionCall, returned: Cells | None = None) -> Any:
        """Run a subroutine where it is called; its value, or the qubits that it measures last."""
        found = self._state.find(node.name.name)
        if isinstance(found, ast.ExternDeclaration):
            refuse(node, f"the external function {node.name.name!r} is not read")
        if not isinstance(found, ast.SubroutineDefinition):
            refuse(node, f"the function {node.name.name!r} is not defined")
        if len(found.arguments) != len(node.arguments):
            refuse(
                node,
                f"{node.name.name!r} has {len(found.arguments)} arguments, but is given "
                f"{len(node.arguments)}",
            )
        names = {
            argument.name.name: self._argument(argument, value)
            for argument, value in zip(found.arguments, node.arguments, strict=True)
        }
        before = self._returned, self._return_name, self._loops
        self._returned, self._return_name, self._loops = returned, returned_name(found), []
        self._state.calls += 1
        depth = self._state.depth
        try:
            with self._state.scope(names, alone=True):
                self._run(found.body)
        except ReturnError as error:
            if self._state.depth != depth:
                refuse(node, "return must not stand where measurements decide whether")
            return error.value
        finally:
            self._state.calls -= 1
            self._returned, self._return_name, self._loops = before
        return None

    def _argument(self, argument: Any, value: Any) -> Any:
        if isinstance(argument, ast.QuantumArgument):
            qubits = self.expressions.qubits(value)
            size = 1 if argument.size is None else self.expressions.whole(argument.size)
            if len(qubits.bits) != size:
                refuse(value, f"must be {size} qubits, but is {len(qubits.bits)}")
            return Qubits(qubits.bits, argument.size is None)
        given = self.expressions.value(value)
        if isinstance(argument.type, ast.ArrayReferenceType):
            if not isinstance(given, list):
                refuse(value, f"must be an array, but is {said(given)}")
            return Variable(kind_of(given, self.expressions, argument.type), given)
        kind = self.expressions.kind(argument.type)
        if kind.name == "bit":
            bits = cast(kind, given)
            if not bits.known:
                return self.expressions.cells(value)
        return Variable(kind, cast(kind, given), depth=self._state.depth)

    def _return(self, node: ast.ReturnStatement) -> None:
        if self._state.depth and not self._state.calls:
            refuse(node, "return must stand in a def")
        value = node.expression
        if isinstance(value, ast.QuantumMeasurement):
            raise ReturnError(self.expressions.qubits(value.qubit))
        raise ReturnError(None if value is None else self.expressions.value(value))

    def _end(self, node: ast.EndStatement) -> None:
        if self._state.depth:
            refuse(node, "end must not stand where measurements decide whether")
        raise EndError

    def _branch(self, node: ast.BranchingStatement) -> None:
        condition = self.expressions.condition(node.condition)
        if isinstance(condition, bool):
            self._block(node.if_block if condition else node.else_block)
            return
        self._forget([*node.if_block, *node.else_block])
        self._state.count(1)
        with self._state.circuit.if_test(_test(condition)) as otherwise:
            self._decided(node.if_block)
        if node.else_block:
            with otherwise:
                self._decided(node.else_block)

    def _forget(self, statements: Sequence[Any]) -> None:
        """Bits that statements may write hold from now on what a device says."""
        for name in names_written(statements):
            found = self._state.find(name)
            cells = found.value if isinstance(found, Variable) else found
            if isinstance(cells, Cells):
                self._state.forget(cells.bits)

    def _decided(self, statements: Sequence[Any]) -> None:
        """Run a block of which measurements decide whether it is run."""
        self._state.depth += 1
        try:
            self._block(statements)
        finally:
            self._state.depth -= 1

    def _for(self, node: ast.ForInLoop) -> None:
        kind, chosen = self.expressions.kind(node.type), node.set_declaration
        values: Iterable[Any]
        if isinstance(chosen, ast.RangeDefinition):
            values = self.expressions.range(chosen)
        elif isinstance(chosen, ast.DiscreteSet):
            values = [self.expressions.value(part) for part in chosen.values]
        else:
            found = self.expressions.value(chosen)
            if isinstance(found, Bits):
                found = [Bits((entry,), scalar=True) for entry in found.entries]
            if not isinstance(found, list):
                refuse(
                    node, f"a loop must be over a range, set or array, but is over {said(found)}"
                )
            values = found
        self._loops.append(self._state.depth)
        try:
            for value in values:
                self._state.step()
                variable = Variable(kind, cast(kind, value), depth=self._state.depth)
                with self._state.scope({node.identifier.name: variable}):
                    try:
                        self._run(node.block)
                    except ContinueError:
                        continue
        except BreakError:
            pass
        finally:
            self._loops.pop()

    def _while(self, node: ast.WhileLoop) -> None:
        while True:
            self._state.step()
            condition = self.expressions.condition(node.while_condition)
            if not isinstance(condition, bool):
                break
            if not condition:
                return
            self._loops.append(self._state.depth)
            try:
                self._block(node.block)
            except ContinueError:
                continue
            except BreakError:
                return
            finally:
                self._loops.pop()
        self._forget(node.block)
        condition = self.expressions.condition(node.while_condition)
        assert isinstance(condition, Condition)
        self._loops.append(None)
        self._state.count(1)
        try:
            with self._state.circuit.while_loop(_test(condition)):
                self._decided(node.block)
        finally:
            self._loops.pop()

    def _leave_loop(self, node: Any, how: LeftError) -> None:
        if not self._loops:
            refuse(node, "break and continue must stand in a loop")
        depth = self._loops[-1]
        if depth is None:
            if isinstance(how, BreakError):
                self._state.circuit.break_loop()
            else:
                self._state.circuit.continue_loop()
        elif depth == self._state.depth:
            raise how
        else:
            refuse(
                node, "a loop over known values must not be left where measurements decide whether"
            )

    def _switch(self, node: ast.SwitchStatement) -> None:
        value = self.expressions.value(node.target)
        if isinstance(value, Bits) and not value.known:
            self._measured_switch(node, value)
            return
        whole = value.whole if isinstance(value, Bits) else value
        for labels, block in node.cases:
            if any(self.expressions.whole(label) == whole for label in labels):
                self._block(block.statements)
                return
        if node.default is not None:
            self._block(node.default.statements)

    def _measured_switch(self, node: ast.SwitchStatement, value: Bits) -> None:
        if value.register is not None:
            target: Any = value.register
        elif len(value.entries) == 1:
            (target,) = value.entries
        else:
            refuse(node, "switch must be over a whole register or a bit")
        blocks = [block for _, block in node.cases]
        if node.default is not None:
            blocks.append(node.default)
        self._forget([s for block in blocks for s in block.statements])
        self._state.count(1)
        with self._state.circuit.switch(target) as case:
            for labels, block in node.cases:
                with case(*(self.expressions.whole(label) for label in labels)):
                    self._decided(block.statements)
            if node.default is not None:
                with case(case.DEFAULT):
                    self._decided(node.default.statements)


class _Worth(ast.Expression):
    """A value in place of an expression."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def run_program(statements: Iterable[Callable[[], None]]) -> None:
    """Run what a program consists of, up to its ``end``.

    Raises:
        Qasm3Error: with the place.
    """
    try:
        for one in statements:
            one()
    except EndError:
        return


def _test(condition: Condition) -> Any:
    return condition.expression if condition.equality is None else condition.equality

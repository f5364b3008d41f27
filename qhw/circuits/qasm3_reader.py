"""OpenQASM 3 by its reference parser and Qiskit's importer; what that misreads is refused."""

from __future__ import annotations

import io
import traceback
from contextlib import redirect_stderr

import openqasm3
from openqasm3 import ast
from openqasm3.parser import QASM3ParsingError
from openqasm3.visitor import QASMVisitor
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit_qasm3_import import ConversionError, convert

_FAULTS = (ArithmeticError, AttributeError, LookupError, QiskitError, TypeError, ValueError)
"""What the importer raises on input that it did not foresee."""


class Qasm3Error(ValueError):
    """Text that is not read; the message names the place."""


def read_qasm3(text: str) -> QuantumCircuit:
    """The circuit of OpenQASM 3 text.

    Raises:
        Qasm3Error: it does not parse, has an index that the importer would misread, or a part that
            the importer does not know.
    """
    try:
        # the lexer tells its errors on stderr as well
        with redirect_stderr(io.StringIO()):
            program = openqasm3.parse(text)
    except QASM3ParsingError as error:
        raise Qasm3Error(str(error) or _place(error)) from error
    _Indices().visit(program)
    try:
        found: QuantumCircuit = convert(program)
    except ConversionError as error:
        raise Qasm3Error(str(error)) from error
    except _FAULTS as error:
        said = str(error).strip("\"'") or type(error).__name__
        raise Qasm3Error(f"{_place_in(error)}{said}") from error
    return found


def _place_in(error: BaseException) -> str:
    """The statement that the importer was at: its own faults name none."""
    spans = (
        getattr(frame.f_locals.get("node"), "span", None)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
    inner = [span for span in spans if span is not None]
    return f"{inner[-1].start_line},{inner[-1].start_column}: " if inner else ""


def _place(error: QASM3ParsingError) -> str:
    """Where the parser gave up: it says so only in its cause."""
    fault: BaseException | None = error.__cause__
    while fault is not None and getattr(fault, "offendingToken", None) is None:
        inner = fault.args[0] if fault.args else None
        fault = inner if isinstance(inner, BaseException) else None
    token = getattr(fault, "offendingToken", None)
    if token is None:
        return "it cannot be parsed"
    return f"{token.line},{token.column}: {token.text!r} is not expected here"


class _Indices(QASMVisitor[None]):
    """Refuses ranges that the importer takes for others: it slices as Python does.

    There a range ends before its end, one that reaches out of the register is cut short, and a
    negative end counts from behind; gates would silently act on other qubits, or on none.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def visit_QubitDeclaration(self, node: ast.QubitDeclaration) -> None:  # noqa: N802
        """Note a register's size."""
        self._declare(node.qubit.name, node.size)

    def visit_ClassicalDeclaration(self, node: ast.ClassicalDeclaration) -> None:  # noqa: N802
        """Note a register's size."""
        if isinstance(node.type, ast.BitType):
            self._declare(node.identifier.name, node.type.size)
        self.generic_visit(node)

    def visit_AliasStatement(self, node: ast.AliasStatement) -> None:  # noqa: N802
        """An alias may have any size: its ranges are only looked at for their signs."""
        self._sizes.pop(node.target.name, None)
        self.generic_visit(node)

    def visit_IndexExpression(self, node: ast.IndexExpression) -> None:  # noqa: N802
        """Check ``q[a:b]``."""
        if isinstance(node.collection, ast.Identifier):
            self._check(node.collection.name, node.index)
        self.generic_visit(node)

    def visit_IndexedIdentifier(self, node: ast.IndexedIdentifier) -> None:  # noqa: N802
        """Check ``q[a:b]`` where it is written to."""
        for index in node.indices:
            self._check(node.name.name, index)
        self.generic_visit(node)

    def _declare(self, name: str, size: ast.Expression | None) -> None:
        if isinstance(size, ast.IntegerLiteral):
            self._sizes[name] = size.value

    def _check(self, name: str, index: ast.IndexElement) -> None:
        ranges = index if isinstance(index, list) else []
        for found in ranges:
            if not isinstance(found, ast.RangeDefinition):
                continue
            for part in (found.start, found.end, found.step):
                if part is not None and not isinstance(part, ast.IntegerLiteral):
                    self._refuse(found, name, "must have whole numbers from 0 on")
            size, end, start = self._sizes.get(name), found.end, found.start
            for part in (start, end):
                if isinstance(part, ast.IntegerLiteral) and size is not None and part.value >= size:
                    self._refuse(found, name, f"must end within its {size} elements")

    def _refuse(self, node: ast.RangeDefinition, name: str, wish: str) -> None:
        span = node.span
        where = "" if span is None else f"{span.start_line},{span.start_column}: "
        raise Qasm3Error(f"{where}the range of {name!r} {wish}, but does not")

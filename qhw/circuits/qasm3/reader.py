"""OpenQASM 3 text as a circuit."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from functools import partial
from typing import Any

import openqasm3
from openqasm3.parser import QASM3ParsingError
from qiskit import QuantumCircuit

from qhw.circuits.qasm3.faults import Qasm3Error, UnknownInputsError
from qhw.circuits.qasm3.pieces import Flat, Pieces
from qhw.circuits.qasm3.scope import State
from qhw.circuits.qasm3.statements import Statements, run_program

MAX_PARSED = 1_500_000
"""Characters left to the reference parser, which takes a second and 30 MB for 100,000."""
_OLD_REGISTER = re.compile(r"\b(qubit|bit)(\s+)([^\W\d]\w*)(\s*)(\[[^\[\]{};]*\])(?=\s*;)")
"""``qubit q[3];``, as drafts of the language had it and many files still do."""
_OLD_LOOP = re.compile(r"\bfor(\s+)([^\W\d]\w*)(\s+in\b)")
"""``for i in [0:2]``, likewise."""
_TOLD = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
"""How the parser says what it refuses by its own rules."""


def read_qasm3(text: str, values: Mapping[str, object] | None = None) -> QuantumCircuit:
    """The circuit of OpenQASM 3 text.

    Loops, subroutines, arrays and aliases are written out; what measurements decide becomes
    control flow. Gates need not be defined where ``stdgates.inc``, Qiskit or Braket define them.

    Args:
        text: without comments.
        values: of inputs, by name; angles without one stay free.

    Raises:
        Qasm3Error: it does not parse, or has a part that is not read; with the place.
    """
    text = _OLD_LOOP.sub(r"for\1int \2\3", _OLD_REGISTER.sub(r"\1\5\2\3\4", text))
    pieces = Pieces.of(text)
    if len(pieces.rest) > MAX_PARSED:
        raise Qasm3Error(
            f"must have at most {MAX_PARSED} characters in other than flat statements, but has "
            f"{len(pieces.rest)}"
        )
    state = State(values or {})
    try:
        run_program(_steps(pieces, Statements(state)))
    except Qasm3Error as error:
        if error.line is None:
            raise
        raise Qasm3Error(f"{pieces.place(error.line, error.column)}: {error}") from error
    if unknown := sorted(set(state.values) - set(state.inputs)):
        raise UnknownInputsError(unknown, state.inputs)
    state.place_on_device()
    return state.circuit


def _steps(pieces: Pieces, statements: Statements) -> Iterator[Callable[[], None]]:
    """What is run, in order."""
    parsed = _parsed(pieces)
    place = 0
    for number, run in enumerate(pieces.runs):
        first = place
        while place < len(parsed) and pieces.piece(_line(parsed[place])) <= number:
            place += 1
        yield partial(statements.run, parsed[first:place])
        for item in run:
            yield partial(_flat, item, statements, pieces)


def _flat(item: Flat, statements: Statements, pieces: Pieces) -> None:
    try:
        statements.application.flat(item)
    except Qasm3Error as error:
        raise Qasm3Error(f"{pieces.place_of(item.offset)}: {error}") from error


def _line(node: Any) -> int:
    return int(node.span.start_line)


def _parsed(pieces: Pieces) -> list[Any]:
    try:
        # the lexer tells its errors on stderr as well
        with redirect_stderr(io.StringIO()):
            return list(openqasm3.parse(pieces.rest).statements)
    except QASM3ParsingError as error:
        raise _not_parsed(error) from error


def _not_parsed(error: QASM3ParsingError) -> Qasm3Error:
    """Where the parser gave up: it says so only in its cause, or in words of its own."""
    fault: BaseException | None = error.__cause__
    while fault is not None and getattr(fault, "offendingToken", None) is None:
        inner = fault.args[0] if fault.args else None
        fault = inner if isinstance(inner, BaseException) else None
    token = getattr(fault, "offendingToken", None)
    if token is None and (told := _TOLD.fullmatch(str(error))):
        return Qasm3Error(told[3], int(told[1]), int(told[2]))
    if token is None:
        return Qasm3Error(str(error) or "it cannot be parsed")
    return Qasm3Error(f"{token.text!r} is not expected here", token.line, token.column)

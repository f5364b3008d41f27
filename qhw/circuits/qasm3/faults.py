"""What is said of a program that is not read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from openqasm3 import ast


class Qasm3Error(ValueError):
    """Text that is not read; the message names the place, once it is known.

    Attributes:
        line: counted from 1, of the text that was parsed; ``None`` where not known yet.
        column: counted from 0.
    """

    def __init__(self, message: str, line: int | None = None, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


class UnknownInputsError(Qasm3Error):
    """Values are given for inputs that a program does not have.

    Attributes:
        unknown: their names.
        inputs: what it has.
    """

    def __init__(self, unknown: Sequence[str], inputs: Sequence[str]) -> None:
        super().__init__(f"has no input {unknown[0]!r}")
        self.unknown, self.inputs = tuple(unknown), tuple(inputs)


def refuse(node: ast.QASMNode | None, message: str) -> NoReturn:
    """Raise with the place of a node."""
    span = None if node is None else node.span
    if span is None:
        raise Qasm3Error(message)
    raise Qasm3Error(message, span.start_line, span.start_column)

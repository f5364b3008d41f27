"""Pragmas of Braket."""

from __future__ import annotations

import ast as python
import re
from typing import Any

from openqasm3 import ast

from qhw.circuits.qasm3.application import Application
from qhw.circuits.qasm3.expressions import Expressions
from qhw.circuits.qasm3.faults import refuse
from qhw.circuits.qasm3.gates import unitary
from qhw.circuits.qasm3.values import Qubits

_UNITARY = re.compile(r"braket\s+unitary\s*\((.*)\)\s+([^()]+)", re.DOTALL)
_IGNORED = re.compile(r"braket\s+(verbatim|result)\b")
_MAX_MATRIX = 200_000


def pragma(node: ast.Pragma, application: Application, expressions: Expressions) -> None:
    """Do what one says: a matrix as a gate; what is asked of Braket's service is left out.

    Raises:
        Qasm3Error: another pragma, or a matrix or qubits that are none.
    """
    command = node.command.strip()
    if _IGNORED.match(command):
        return  # what is asked of Braket's service, not of the circuit
    if found := _UNITARY.fullmatch(command):
        qubits = [_operand(part, node, expressions) for part in found[2].split(",")]
        application.append(unitary(_matrix(found[1], node)), qubits, node)
        return
    refuse(node, f"the pragma {command[:80]!r} is not read")


def _operand(text: str, node: Any, expressions: Expressions) -> Qubits:
    found = re.fullmatch(r"\s*(\w+|\$\d+)\s*(?:\[\s*(\d+)\s*\])?\s*;?\s*", text)
    if found is None:
        refuse(node, f"{text[:80]!r} must be a qubit")
    name: Any = ast.Identifier(found[1])
    index = [] if found[2] is None else [[ast.IntegerLiteral(int(found[2]))]]
    return expressions.qubits(ast.IndexedIdentifier(name, index) if index else name)  # type: ignore[arg-type]


def _matrix(text: str, node: Any) -> Any:
    """A matrix of complex numbers, as Braket writes them.

    Raises:
        Qasm3Error: it is none.
    """
    if len(text) > _MAX_MATRIX:
        refuse(node, "the matrix is too large")
    plain = re.sub(r"(?<=[\d.])\s*im\b", "j", text).strip()
    if not re.fullmatch(r"[\d\s.eEj+\-*\[\],()]*", plain):
        refuse(node, "a matrix must be of numbers in square brackets")
    try:
        return python.literal_eval(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        refuse(node, f"a matrix must be of numbers in square brackets: {error}")

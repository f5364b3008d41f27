"""What comes from outside of a subroutine or a program: arguments, inputs, where results go."""

from __future__ import annotations

from typing import Any

from openqasm3 import ast

from qhw.circuits.qasm3.expressions import Expressions
from qhw.circuits.qasm3.faults import Qasm3Error
from qhw.circuits.qasm3.values import Bits, Kind, no_cast


def kind_of(value: list[Any], expressions: Expressions, declared: Any) -> Kind:
    """Of an array that is handed over."""
    shape: list[int] = []
    inner: Any = value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    return Kind("array", None, expressions.kind(declared.base_type), tuple(shape))


def returned_name(found: ast.SubroutineDefinition) -> str:
    """The variable that a subroutine returns, where all its returns are of one."""
    names = {
        node.expression.name if isinstance(node.expression, ast.Identifier) else ""
        for node in found.body
        if isinstance(node, ast.ReturnStatement)
    }
    return names.pop() if len(names) == 1 else ""


def given_value(kind: Kind, value: object, name: str) -> Any:
    """An input's value as its kind has it.

    Raises:
        Qasm3Error: it is of another kind.
    """
    if isinstance(value, str) and kind.name == "bit" and set(value) <= {"0", "1"} and value:
        return Bits.of(int(value, 2), len(value))
    if isinstance(value, list) and kind.name == "array":
        return value
    if isinstance(value, bool | int | float):
        if kind.name in ("int", "uint") and value != int(value):
            raise Qasm3Error(f"the value of {name!r} must be a whole number, but is {value}")
        return value
    raise no_cast(value, kind.name)

"""Assignments to a part of a variable."""

from __future__ import annotations

from typing import Any

from openqasm3 import ast

from qhw.circuits.qasm3.arithmetic import binary
from qhw.circuits.qasm3.expressions import Expressions
from qhw.circuits.qasm3.faults import refuse
from qhw.circuits.qasm3.scope import Variable
from qhw.circuits.qasm3.values import Kind, cast, said


def set_element(
    found: Variable, node: ast.IndexedIdentifier, value: Any, expressions: Expressions
) -> None:
    """Assign to a bit of a number, to an element of an array, or to a range of them.

    Raises:
        Qasm3Error: what is indexed has no such part, or the value does not fit.
    """
    indices = [part for index in node.indices for part in _parts(index, node)]
    held: Any = found.value
    if found.kind.name in ("int", "uint") and len(indices) == 1:
        bit = expressions.whole(indices[0])
        one = 1 if binary("!=", value, 0) else 0
        found.value = cast(found.kind, found.value & ~(1 << bit) | one << bit)
        return
    for depth, part in enumerate(indices):
        if not isinstance(held, list):
            refuse(node, f"{said(held)} must not be indexed")
        numbers, scalar = expressions.indices([part], len(held), node)
        if depth + 1 < len(indices) and scalar:
            held = held[numbers[0]]
            continue
        if depth + 1 < len(indices):
            refuse(node, "only the last index of an assignment may be a range")
        shape = found.kind.shape[depth + 1 :]
        kind = Kind("array", None, found.kind.element, shape) if shape else found.kind.element
        assert kind is not None
        values = [value] if scalar else value
        if not isinstance(values, list) or len(values) != len(numbers):
            refuse(node, f"must be {len(numbers)} elements, but is {said(value)}")
        for i, one_value in zip(numbers, values, strict=True):
            held[i] = cast(kind, one_value)


def _parts(index: Any, node: Any) -> list[Any]:
    if isinstance(index, ast.DiscreteSet):
        refuse(node, "a set must not be assigned to")
    return list(index)

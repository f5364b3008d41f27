"""Names that statements may write to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openqasm3 import ast
from openqasm3.visitor import QASMVisitor


class _Targets(QASMVisitor[None]):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_QuantumMeasurementStatement(  # noqa: N802
        self, node: ast.QuantumMeasurementStatement
    ) -> None:
        """Note where it is measured into."""
        if node.target is not None:
            self._note(node.target)

    def visit_ClassicalAssignment(self, node: ast.ClassicalAssignment) -> None:  # noqa: N802
        """Note what is assigned to."""
        self._note(node.lvalue)

    def _note(self, node: Any) -> None:
        inner = node.name if isinstance(node, ast.IndexedIdentifier) else node
        self.names.add(inner.name)


def names_written(statements: Iterable[Any]) -> list[str]:
    """Names that statements measure into or assign to, in order of the alphabet."""
    found = _Targets()
    for node in statements:
        found.visit(node)
    return sorted(found.names)

"""Compiled templates as files: QPY (exact, Qiskit) and OpenQASM 3 (readable anywhere)."""

from __future__ import annotations

import io

from qiskit import qasm3, qpy

from backends.base import CompiledTemplate


def to_qpy_bytes(compiled: CompiledTemplate) -> bytes:
    """The compiled circuit, parameters free, in Qiskit's QPY format."""
    buffer = io.BytesIO()
    qpy.dump(compiled.circuit, buffer)
    return buffer.getvalue()


def to_openqasm3(compiled: CompiledTemplate) -> str:
    """OpenQASM 3 text: free angles are ``input`` parameters, waits are ``delay`` statements.

    Qiskit writes parameter ``d[3]`` as the identifier ``_d_3_``, OpenQASM having no brackets in
    names.
    """
    text: str = qasm3.dumps(compiled.circuit)
    return text

"""Circuits from files that a user brings: OpenQASM 2 and 3, and QPY; nothing in them is run.

OpenQASM includes are limited to the standard gate libraries, so no other file is opened. QPY below
version 13 stores angle expressions as text, read by a parser that runs nothing since
CVE-2025-2000, or as symengine's own bytes, which are not read. A few bytes may ask for a huge
circuit:
sizes are bounded before anything is built.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from qiskit import QuantumCircuit, qasm2, qpy
from qiskit.circuit import Gate, Instruction
from qiskit.exceptions import QiskitError

from backends.delays import lost_units, with_stated_clock
from calibration.documents import read_bounded
from qhw.circuits.qasm3.faults import UnknownInputsError
from qhw.circuits.qasm3.reader import read_qasm3
from qhw.circuits.qasm_scan import TooLargeError, check_size, version_of, without_comments
from qhw.circuits.qpy_scan import check_headers
from qhw.circuits.written_out import check_written_out

SUFFIXES = (".qasm", ".qasm2", ".qasm3", ".qpy")
MAX_BYTES = 32 * 2**20
"""Larger files are refused: a bound circuit of a million gates is smaller."""

LAYOUT_NOT_KEPT = (
    "the circuit names qubits of a device; they are not kept, the compiler chooses qubits anew"
)
_MIN_QPY = 10
_NO_SYMENGINE = 13
"""QPY before it may hold angles as symengine's own bytes."""
_ENCODING = 18
"""Place of the byte that says so: ``e``; ``p`` for text."""
_MAX_WORDS = 500
_QASM_FAULTS = (
    QiskitError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    ValueError,
)
_QPY_FAULTS = (
    QiskitError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What Qiskit's reader raises on damaged bytes, found by damaging files byte by byte."""


class CircuitFileError(ValueError):
    """A circuit file cannot be used; one line says which and why."""


class UnknownParametersError(CircuitFileError):
    """Values are given for parameters that a circuit does not have.

    Attributes:
        unknown: their names.
    """

    def __init__(self, path: Path | str, unknown: Sequence[str], known: Iterable[str]) -> None:
        names = ", ".join(map(repr, unknown[:8]))
        shown = ", ".join(sorted(known)[:8]) or "none"
        super().__init__(f"{path} has no free parameter {names}; there are: {shown}.")
        self.unknown = tuple(unknown)


def read_circuits(
    path: Path, bind: Mapping[str, object] | None = None
) -> tuple[QuantumCircuit, ...]:
    """The circuits of a file: one of OpenQASM, one or more of QPY, named after the file.

    Args:
        path: ``.qasm`` (version by its header), ``.qasm2``, ``.qasm3`` or ``.qpy``.
        bind: values of free parameters and of OpenQASM 3's inputs, by name; angles without one
            stay free.

    Raises:
        CircuitFileError: unknown suffix, unreadable, too large, not a circuit, with a gate that
            only has a name; the line names the file and the place.
        UnknownParametersError: a parameter or input that is bound is not there.
    """
    values = dict(bind or {})
    if path.suffix not in SUFFIXES:
        raise CircuitFileError(
            f"Argument `path` must end in {', '.join(SUFFIXES)}, but is {path.name!r}."
        )
    try:
        raw = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise CircuitFileError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix == ".qpy":
        circuits = tuple(bound(circuit, values, path) for circuit in _from_qpy(raw, path))
    else:
        circuits = (_from_qasm(raw, path, values),)
    for number, circuit in enumerate(circuits):
        if circuit.num_qubits == 0:
            raise CircuitFileError(f"{path} must hold a circuit, but declares no qubit.")
        if opaque := _opaque(circuit):
            raise CircuitFileError(f"{path} must define every gate, but leaves {opaque} open.")
        try:
            check_written_out(circuit)
        except TooLargeError as error:
            raise CircuitFileError(f"{path} {error}.") from error
        circuit.name = path.stem if len(circuits) == 1 else f"{path.stem}[{number}]"
    return circuits


def bound(
    circuit: QuantumCircuit, values: Mapping[str, object], path: Path | str
) -> QuantumCircuit:
    """A circuit with some of its parameters bound.

    Args:
        circuit: any.
        values: numbers by parameter.
        path: what the circuit is called in errors.

    Raises:
        UnknownParametersError: it has no such parameter.
        CircuitFileError: a value is no number.
    """
    free = {parameter.name for parameter in circuit.parameters}
    if unknown := [name for name in values if name not in free]:
        raise UnknownParametersError(path, unknown, free)
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CircuitFileError(
                f"{path} must have numbers for its parameters, but {name!r} is given {value!r}."
            )
    if not values:
        return circuit
    found = circuit.assign_parameters(dict(values))
    found.name = circuit.name  # Qiskit numbers it, differently in every process
    return found


def _opaque(circuit: QuantumCircuit) -> str | None:
    """Name of a gate that nobody defines, also inside the definitions of others."""
    seen: set[str] = set()
    open_definitions = [circuit]
    while open_definitions:
        for place in open_definitions.pop().data:
            operation = place.operation
            if operation.name in seen:
                continue
            seen.add(operation.name)
            definition = getattr(operation, "definition", None)
            if definition is not None:
                open_definitions.append(definition)
            elif type(operation) in (Gate, Instruction):  # known ones have classes of their own
                return str(operation.name)
    return None


def _from_qasm(raw: bytes, path: Path, values: Mapping[str, object]) -> QuantumCircuit:
    try:
        # utf-8-sig: editors on Windows write a byte-order mark
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise CircuitFileError(f"{path} must be UTF-8 text, but: {error}.") from error
    text = without_comments(text)
    suffix = path.suffix[-1] if path.suffix[-1] in "23" else None
    version = version_of(text) or suffix or "2"
    if version not in ("2", "3"):
        raise CircuitFileError(f"{path} must be OpenQASM 2 or 3, but its header says {version!r}.")
    try:
        check_size(text)
    except TooLargeError as error:
        raise CircuitFileError(f"{path}: {error}.") from error
    try:
        if version == "2":
            found = qasm2.loads(
                text, include_path=(), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS
            )
            return bound(found, values, path)
        return read_qasm3(text, values)
    except CircuitFileError:
        raise
    except UnknownInputsError as error:
        raise UnknownParametersError(path, error.unknown, error.inputs) from error
    except RecursionError as error:
        raise CircuitFileError(
            f"{path} must be OpenQASM {version}, but is nested too deeply to be read."
        ) from error
    except _QASM_FAULTS as error:
        raise CircuitFileError(
            f"{path} must be OpenQASM {version}, but: {_reason(error)}"
        ) from error


def _from_qpy(raw: bytes, path: Path) -> tuple[QuantumCircuit, ...]:
    if raw[:6] != b"QISKIT" or len(raw) < 7:
        raise CircuitFileError(f"{path} must be a QPY file, but does not begin like one.")
    if not _MIN_QPY <= raw[6] <= qpy.QPY_VERSION:
        raise CircuitFileError(
            f"{path} must be QPY of version {_MIN_QPY} to {qpy.QPY_VERSION}, but has version "
            f"{raw[6]}: Qiskit before 0.45 wrote it; load it with Qiskit 1 and write it again."
        )
    symengine = raw[6] < _NO_SYMENGINE and raw[_ENCODING : _ENCODING + 1] == b"e"
    if symengine:  # says how angles would be stored if there were any formula among them
        raw = raw[:_ENCODING] + b"p" + raw[_ENCODING + 1 :]
    try:
        check_headers(raw)
    except TooLargeError as error:
        raise CircuitFileError(f"{path}: {error}.") from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of versions: what matters is checked
            found = qpy.load(io.BytesIO(raw))
        unknown = any(isinstance(one, QuantumCircuit) and lost_units(one) for one in found)
    except _QPY_FAULTS as error:
        if symengine:
            raise CircuitFileError(
                f"{path} must hold angles as Qiskit's own reader takes them, but is QPY of version "
                f"{raw[6]} with formulas in symengine's bytes; write it again with "
                "use_symengine=False, or with a current Qiskit."
            ) from error
        raise _damaged(path, error) from error
    except BaseException as error:
        # Qiskit's Rust reader panics on some damage; that type derives from no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(path, error) from error
    if not found or not all(isinstance(circuit, QuantumCircuit) for circuit in found):
        raise CircuitFileError(f"{path} must hold circuits, but holds none.")
    if unknown:
        raise CircuitFileError(
            f"{path} must have delays of known length, but Qiskit leaves units of time out of QPY: "
            "write them in dt, as duration expressions, or in OpenQASM 3."
        )
    return tuple(with_stated_clock(circuit) for circuit in found)


def _damaged(path: Path, error: BaseException) -> CircuitFileError:
    return CircuitFileError(f"{path} must be a whole QPY file, but: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Qiskit's words in one line, and not whole pages of the file."""
    said = " ".join(str(error).strip("\"'").split()) or type(error).__name__
    return said if len(said) <= _MAX_WORDS else f"{said[:_MAX_WORDS]} ..."

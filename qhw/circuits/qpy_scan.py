"""How large the circuits of a QPY file say they are, before a qubit of them is made.

Read are the headers and registers of the circuits that the file's own table names (all of them
from version 16 on, the first one before).

Source: the format's description in ``qiskit.qpy``.
"""

from __future__ import annotations

import struct

from qhw.circuits.qasm_scan import (
    MAX_BITS,
    MAX_OPERATIONS,
    MAX_QUBITS,
    TooLargeError,
)

_FILE = struct.Struct("!6sBBBBQc")
_HEADER = struct.Struct("!H1cHIIQIQI")
_HEADER_TO_11 = struct.Struct("!H1cHIIQIQ")
_REGISTER = struct.Struct("!1c?IH?")
_WITH_VARIABLES, _WITH_TABLE, _CONTIGUOUS = 12, 16, 18
"""Versions since which there are classical variables, there is a table, and registers may be a
start and a length."""
_BYTES_OF_INSTRUCTION = 35
"""The least an instruction takes."""


def check_headers(raw: bytes) -> None:
    """Refuse a file whose headers ask for too much.

    Args:
        raw: the file, of version 10 or later. Damage is left to Qiskit's reader.

    Raises:
        TooLargeError: qubits, classical bits, registers or instructions beyond the bounds, or
            beyond what so many bytes can hold.
    """
    try:
        _, version, *_, circuits, _ = _FILE.unpack_from(raw)
        if circuits * _HEADER.size > len(raw):
            raise TooLargeError(f"must hold the {circuits} circuits it says, but is too short")
        start = _FILE.size + 1  # the kind of the programs
        starts = [start]
        if version >= _WITH_TABLE:
            starts = list(struct.unpack_from(f"!{circuits}Q", raw, start))
        for place in starts:
            _check_circuit(raw, place, version)
    except (struct.error, OverflowError):
        return


def _check_circuit(raw: bytes, place: int, version: int) -> None:
    header = _HEADER if version >= _WITH_VARIABLES else _HEADER_TO_11
    name, _, phase, qubits, bits, metadata, registers, instructions, *_ = header.unpack_from(
        raw, place
    )
    _bound(qubits, MAX_QUBITS, "qubits")
    _bound(bits, MAX_BITS, "classical bits")
    _bound(instructions, min(MAX_OPERATIONS, len(raw) // _BYTES_OF_INSTRUCTION), "instructions")
    _bound(registers, len(raw) // _REGISTER.size, "registers")
    place += header.size + name + phase + metadata
    for _ in range(registers):
        kind, _, size, name, _ = _REGISTER.unpack_from(raw, place)
        _bound(size, MAX_BITS if kind == b"c" else MAX_QUBITS, "bits in a register")
        place += _REGISTER.size + name
        if version < _CONTIGUOUS:
            place += 8 * size
            continue
        contiguous = raw[place - name : place - name + 1] == b"\x01"
        place += 1 + 4 * (1 if contiguous else size)


def _bound(found: int, most: int, what: str) -> None:
    if found > most:
        raise TooLargeError(f"must have at most {most} {what}, but says {found}")

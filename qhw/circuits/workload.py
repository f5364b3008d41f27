"""A circuit with free parameters and rows of angles: what is run, wherever it runs.

Outcome order: classical bit ``c`` of the circuit is bit ``c`` of the outcome's integer, as in
Qiskit, whose bitstrings are written highest bit first, registers apart. Read as an integer, the
string is the amplitude index of the measured wires (wire 0 the most significant).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.exceptions import QiskitError

from backends.checks import check_circuit
from backends.dynamic.circuit import is_dynamic
from backends.native.as_compiled import place_of
from backends.plain import (
    measured_form,
    on_qubits,
    plain,
    qubits_to_measure,
    with_written_bits,
)
from qhw.circuits.angles import Rows, read_rows
from qhw.circuits.files import LAYOUT_NOT_KEPT
from qhw.circuits.fingerprint import fingerprint
from qhw.circuits.given import CircuitSources, Given, naming, read_given

FloatArray = NDArray[np.float64]

Role = Literal["encoder", "decoder", "circuit"]
"""A circuit of a model, or a person's own."""
ROLE: Literal["circuit"] = "circuit"
"""Name of a person's own circuit among a run's circuits."""
_VERSION = 1
"""Of stored workloads; every version up to it is read."""


@dataclass(frozen=True, eq=False)
class Workload:
    """One circuit and the rows of angles it is run with.

    Attributes:
        name: for people.
        circuit: measured, its parameters free; every classical bit is written once.
        parameter_names: columns of ``angles``.
        angles: ``(B, P)`` radians.
        row_names: of the B rows.
        role: which circuit of a run it is.
        known: ``(B, 2**m)`` exact distributions where a model gives them; ``None``: they are
            computed from the circuit. This and what follows is not stored: a model makes it again.
        loading: how data are loaded, in a word.
        fidelity: ``(B,)`` squared overlap of the loaded states with the wanted ones; ``None`` where
            angles are taken as they are.
        direction: what distributions ``(B, 2**m)`` mean as unit vectors ``(B, d)``, of an encoder.
        note: what was left behind of the circuit as written.
    """

    name: str
    circuit: QuantumCircuit
    parameter_names: tuple[str, ...]
    angles: FloatArray
    row_names: tuple[str, ...]
    role: Role = ROLE
    known: FloatArray | None = None
    loading: str = "angles"
    fidelity: FloatArray | None = None
    direction: Callable[[FloatArray], FloatArray] | None = None
    note: str = ""

    @classmethod
    def of(
        cls,
        circuit: CircuitSources,
        angles: object = None,
        *,
        name: str | None = None,
        names: str | None = None,
        bind: Mapping[str, object] | None = None,
    ) -> Workload:
        """A workload of live circuits or files, and angles in any form.

        Args:
            circuit: a Qiskit circuit, or the path of an OpenQASM 2/3 or QPY file. Without any
                measurement, all qubits are measured. Bits that no measurement writes, and idle
                qubits of a circuit written for a device, are left out. Several circuits that
                differ in their angles alone are a row each, see
                :func:`qhw.circuits.given.read_given`.
            angles: see :func:`qhw.circuits.angles.read_rows`; ``None`` where nothing is free.
            name: for people; the circuit's own by default.
            names: column of the angles that names the rows; ``row`` or ``name`` by default.
            bind: values of parameters by name, the same in every row; angles are of the others.

        Raises:
            CircuitFileError: a file cannot be used.
            AnglesError: the angles do not fit.
            ValueError: several circuits that differ in more than angles.
            BackendError: what is neither gates and then measurements nor a dynamic circuit of
                bits, by name.

        Example:
            >>> from qiskit.circuit.library import n_local
            >>> circuit = n_local(2, "ry", "cx", reps=1)
            >>> Workload.of(circuit, np.zeros((3, 4))).angles.shape
            (3, 4)
        """
        given = read_given(circuit, angles, names, bind)
        return cls.measuring(_measured(given.circuit, circuit), given, name=name)

    @classmethod
    def measuring(
        cls,
        measured: QuantumCircuit,
        given: Given,
        *,
        name: str | None = None,
    ) -> Workload:
        """:meth:`of` a circuit whose measured qubits are chosen already.

        Args:
            measured: what runs, in plain gates, measured.
            given: the circuit that it was made of, and angles for its parameters.
            name: as for :meth:`of`.

        Raises:
            AnglesError: the angles do not fit.
        """
        measured.name = ROLE
        parameters = tuple(p.name for p in given.circuit.parameters)
        rows: Rows = read_rows(given.angles, parameters, given.names, of=given.source)
        note = "" if given.circuit.layout is None else LAYOUT_NOT_KEPT
        if (place := place_of(measured)) is not None:
            note = f"{place}; compiled anew for other devices"
        return cls(name or given.name, measured, parameters, rows.angles, rows.names, note=note)

    def __len__(self) -> int:
        return len(self.angles)

    @property
    def n_bits(self) -> int:
        """Classical bits m; outcomes are ``0 .. 2**m - 1``."""
        return int(self.circuit.num_clbits)

    def outcome(self, index: int) -> str:
        """Name of an outcome, see :func:`outcome_name`.

        Example:
            >>> from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
            >>> q, a, b = QuantumRegister(3), ClassicalRegister(1, "a"), ClassicalRegister(2, "b")
            >>> circuit = QuantumCircuit(q, a, b)
            >>> _ = circuit.measure([0, 1, 2], [0, 1, 2])
            >>> Workload.of(circuit).outcome(0b001)
            '00 1'
        """
        return outcome_name(self.circuit, index)

    def bound(self) -> Iterator[QuantumCircuit]:
        """The circuit of every row."""
        column = {name: i for i, name in enumerate(self.parameter_names)}
        for row in self.angles:
            values = {p: float(row[column[p.name]]) for p in self.circuit.parameters}
            yield self.circuit.assign_parameters(values)

    def to_bytes(self) -> bytes:
        """Everything of it, to be read by :meth:`from_bytes` on any machine."""
        circuit, packed = io.BytesIO(), io.BytesIO()
        qpy.dump(self.circuit, circuit)
        np.savez(
            packed,
            allow_pickle=False,
            version=_VERSION,
            name=np.array(self.name),
            circuit=np.frombuffer(circuit.getvalue(), dtype=np.uint8),
            parameter_names=np.array(self.parameter_names, dtype=np.str_),
            angles=self.angles,
            row_names=np.array(self.row_names, dtype=np.str_),
        )
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Workload:
        """Read what :meth:`to_bytes` wrote, in this or an earlier version.

        Raises:
            ValueError: not a workload, or of a later version.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as found:
                version = int(found["version"])
                if not 1 <= version <= _VERSION:
                    raise ValueError(f"version must be 1 to {_VERSION}, but is {version}")
                (circuit,) = qpy.load(io.BytesIO(found["circuit"].tobytes()))
                return cls(
                    str(found["name"]),
                    circuit,
                    tuple(map(str, found["parameter_names"])),
                    np.asarray(found["angles"], dtype=np.float64),
                    tuple(map(str, found["row_names"])),
                )
        except (EOFError, KeyError, OSError, QiskitError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"Argument `data` must be a stored workload, but: {error}") from error

    def columns(self, names: Sequence[str]) -> FloatArray:
        """``(B, P)`` angles of parameters in another order, such as a compiled circuit's."""
        return self.angles[:, [self.parameter_names.index(name) for name in names]]

    def rows_sha256(self) -> str:
        """Hash of the rows: angles, their parameters' names and the rows' own."""
        words = "\0".join((*self.parameter_names, "", *self.row_names))
        data = np.ascontiguousarray(self.angles, dtype="<f8").tobytes()
        return hashlib.sha256(words.encode() + b"\0" + data).hexdigest()

    def fingerprint(self) -> str:
        """Hash of the circuit and of where it was compiled for, if it was.

        See :func:`qhw.circuits.fingerprint.fingerprint`.
        """
        found, place = fingerprint(self.circuit), place_of(self.circuit)
        if place is None:
            return found
        return hashlib.sha256(f"{found} {place.device} {list(place.qubits)}".encode()).hexdigest()


def outcome_name(circuit: QuantumCircuit, index: int) -> str:
    """Qiskit's name of an outcome: highest bit first, registers apart, the last one first.

    Args:
        circuit: measured.
        index: the outcome's integer, bit ``c`` being classical bit ``c``.
    """
    bits = f"{index:0{circuit.num_clbits}b}"[::-1]
    parts, start = [], 0
    for size in _register_sizes(circuit):
        parts.append(bits[start : start + size][::-1])
        start += size
    return " ".join(reversed(parts))


def measured_circuit(
    circuit: CircuitSources, bind: Mapping[str, object] | None = None
) -> QuantumCircuit:
    """The circuit of :meth:`Workload.of` without its angles; arguments as there.

    Raises:
        ValueError: as there.
        BackendError: as there.
    """
    return _measured(read_given(circuit, None, bind=bind).circuit, circuit)


def _measured(circuit: QuantumCircuit, source: CircuitSources) -> QuantumCircuit:
    """A copy in plain gates in which something is measured: all qubits, where nothing is."""
    with naming(source):
        if is_dynamic(circuit):
            dynamic = measured_form(circuit)
            used = qubits_to_measure(dynamic, placed=circuit.layout is not None)
            return on_qubits(dynamic, used).copy()
        opened = with_written_bits(plain(circuit))
        kept = on_qubits(opened, qubits_to_measure(opened, placed=circuit.layout is not None))
        if not kept.num_clbits:
            kept = kept.measure_all(inplace=False)
        check_circuit(kept)
    return kept.copy()


def _register_sizes(circuit: QuantumCircuit) -> list[int]:
    """Sizes of the runs of classical bits that Qiskit writes apart, lowest bits first."""
    places = [[circuit.find_bit(bit).index for bit in register] for register in circuit.cregs]
    loose = circuit.num_clbits - sum(map(len, places))
    if [place for register in places for place in register] != list(
        range(loose, circuit.num_clbits)
    ):
        return [
            circuit.num_clbits
        ]  # shared or scattered bits: no register is a piece of the string
    return [*([loose] if loose else []), *map(len, places)]

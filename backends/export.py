"""Compiled circuits as files: QPY (exact, Qiskit) and OpenQASM 3 (readable anywhere).

Files run on plain simulators as they are. All classical bits are in one register ``c``, so that a
bitstring of any reader, taken as an integer, is the amplitude index.
"""

from __future__ import annotations

import io

from qiskit import ClassicalRegister, QuantumCircuit, qasm3, qpy
from qiskit.circuit import Delay, Instruction

from backends.base import CompiledTemplate
from backends.delays import STATED_CLOCK, with_delays
from backends.native.gates import for_aer
from calibration.interaction import delay_seconds
from calibration.snapshot import DeviceSnapshot

NO_CLOCK_DT_S = 1e-12
"""Clock period in which delays are written for a device that names none, seconds."""


def to_qpy_bytes(*compiled: CompiledTemplate) -> bytes:
    """The compiled circuits, parameters free, in Qiskit's QPY format; see :func:`qpy_file`."""
    return _dumped([_for_qpy(one.circuit, one.snapshot) for one in compiled])


def qpy_file(circuit: QuantumCircuit, snapshot: DeviceSnapshot) -> bytes:
    """A compiled circuit in QPY; gates that Aer lacks are matrices with their names as labels.

    Waits and delays are in whole clock periods (``dt``), the only unit that Qiskit 2.6 keeps in QPY
    and Aer reads; the period is ``metadata["dt_s"]``, in seconds.
    """
    return _dumped([_for_qpy(circuit, snapshot)])


def to_openqasm3(compiled: CompiledTemplate) -> str:
    """OpenQASM 3 text: free angles are ``input`` parameters, waits are ``delay`` statements.

    Qiskit writes parameter ``d[3]`` as the identifier ``_d_3_``, OpenQASM having no brackets in
    names.
    """
    return openqasm3_file(compiled.circuit)


def openqasm3_file(circuit: QuantumCircuit) -> str:
    """A compiled circuit as :func:`to_openqasm3` writes it."""
    text: str = qasm3.dumps(_in_one_register(circuit))
    return text


def _dumped(circuits: list[QuantumCircuit]) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuits, buffer)
    return buffer.getvalue()


def _for_qpy(compiled: QuantumCircuit, snapshot: DeviceSnapshot | None) -> QuantumCircuit:
    circuit = for_aer(_in_one_register(compiled))
    if not circuit.get_instructions("delay"):
        return circuit
    named = None if snapshot is None else snapshot.dt_s
    dt_s = named or NO_CLOCK_DT_S

    def in_periods(delay: Instruction) -> Instruction:
        return Delay(round(delay_seconds(delay, named) / dt_s), "dt")

    written = with_delays(circuit, in_periods)
    written.metadata = {**(circuit.metadata or {}), STATED_CLOCK: dt_s}
    return written


def _in_one_register(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its classical bits, in their order, in one register."""
    if len(circuit.cregs) == 1 and list(circuit.cregs[0]) == circuit.clbits:
        return circuit
    found = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        ClassicalRegister(circuit.num_clbits, "c"),
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    found.compose(circuit, qubits=found.qubits, clbits=found.clbits, inplace=True)
    return found

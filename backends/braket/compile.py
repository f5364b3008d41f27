"""Templates and their rows for Braket: native and verbatim on QPUs, plain on simulators."""

from __future__ import annotations

from numpy.typing import ArrayLike
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate
from backends.binding import bind_rows
from backends.checks import measured_qubits
from backends.delays import check_delays
from backends.dynamic.circuit import is_dynamic
from backends.dynamic.devices import refusal
from backends.exact import ideal_template
from backends.native.compile import compile_template
from backends.native.rows import native_rows
from backends.plain import plain_measured
from calibration.snapshot import DeviceSnapshot


def compile_for(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot | None, *, seed: int = 0
) -> CompiledTemplate:
    """Place and route for a device; a simulator (no snapshot) gets rotations and CZ.

    Raises:
        BackendError: the circuit does not fit the device, or has delays, which Braket's programs of
            gates cannot hold; a simulator, being ideal, does nothing meanwhile.
    """
    if is_dynamic(circuit):
        device = "Braket's simulators" if snapshot is None else snapshot.name
        raise BackendError(refusal(circuit, device))
    circuit = plain_measured(circuit)
    ideal = check_delays(circuit)
    if snapshot is not None:
        if ideal is not circuit:
            raise BackendError(
                f"Argument `circuit` must have no delays on {snapshot.name}, since Braket's "
                "programs of gates cannot wait, but has some."
            )
        return compile_template(circuit, snapshot, seed=seed)
    return ideal_template(ideal, seed=seed)


def rows_of(compiled: CompiledTemplate, angles: ArrayLike) -> list[QuantumCircuit]:
    """One bound circuit per row of ``angles`` ``(B, P)``, in gates that are sent.

    Raises:
        BackendError: angles of the wrong shape or not finite, or that no native gate can make.
    """
    if compiled.snapshot is None:
        return bind_rows(compiled, angles)
    return list(native_rows(compiled, angles))


def labels_of(compiled: CompiledTemplate) -> list[int] | None:
    """The vendor's number of each circuit qubit, ``None`` where Braket chooses."""
    if compiled.snapshot is None:
        return None
    return [compiled.snapshot.labels[q] for q in compiled.physical_qubits]


def wires_of(compiled: CompiledTemplate) -> list[int]:
    """The vendor's number of each measured wire, most significant first."""
    labels = labels_of(compiled) or list(compiled.physical_qubits)
    return [labels[q] for q in measured_qubits(compiled.circuit)]

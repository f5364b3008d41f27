"""What of a dynamic circuit is counted, scheduled and predicted: its longest course.

Of every ``if`` the block with more two-qubit gates (then more gates) is taken, of every loop one
round. A measurement before the end takes its readout time, and what it decides waits for it; a
device's own time to decide is not known and left out.
"""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, Qubit

from backends.dynamic.circuit import is_dynamic
from calibration.snapshot import DeviceSnapshot

_BLOCKS = ("if_else", "while_loop")


def longest_course(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot | None = None,
    qubits: tuple[int, ...] = (),
) -> QuantumCircuit:
    """The longest course as a circuit without decisions.

    Args:
        circuit: compiled, or from :func:`~backends.dynamic.circuit.opened`.
        snapshot: the device, for readout times; ``None`` leaves them out.
        qubits: device qubit of each circuit qubit.
    """
    out = QuantumCircuit(circuit.qubits, circuit.clbits, global_phase=circuit.global_phase)
    times: dict[Qubit, float] = {}
    if snapshot is not None:
        for qubit, place in zip(circuit.qubits, qubits, strict=True):
            times[qubit] = snapshot.qubits[place].readout_s or 0.0
    own: dict[Any, Any] = {bit: bit for bit in (*circuit.qubits, *circuit.clbits)}
    _write(out, circuit, own, times, {}, last=True)
    return out


def counted(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot | None = None,
    qubits: tuple[int, ...] = (),
) -> QuantumCircuit:
    """What is counted of a circuit: itself, or the longest course of a dynamic one."""
    return longest_course(circuit, snapshot, qubits) if is_dynamic(circuit) else circuit


def _write(
    out: QuantumCircuit,
    circuit: QuantumCircuit,
    outer: dict[Any, Any],
    times: dict[Qubit, float],
    source: dict[Clbit, Qubit],
    *,
    last: bool,
) -> None:
    ends = _ends(circuit) if last else set()
    for place, item in enumerate(circuit.data):
        qubits = [outer[q] for q in item.qubits]
        bits = [outer[c] for c in item.clbits]
        name = item.operation.name
        if name in _BLOCKS:
            wait = {source[bit] for bit in bits if bit in source} | set(qubits)
            out.barrier(*sorted(wait, key=out.qubits.index))
            block = max(item.operation.blocks, key=_cost)
            inner = dict(zip(block.qubits, qubits, strict=True))
            inner |= dict(zip(block.clbits, bits, strict=True))
            _write(out, block, inner, times, source, last=False)
            continue
        out.append(item.operation, qubits, bits)
        if name == "measure":
            source[bits[0]] = qubits[0]
        if name in ("measure", "reset") and place not in ends and times.get(qubits[0]):
            out.delay(times[qubits[0]] * 1e6, qubits[0], unit="us")


def _ends(circuit: QuantumCircuit) -> set[int]:
    """Places of measurements that nothing follows on their qubits, nor reads."""
    busy: set[Any] = set()
    found = set()
    for place in range(len(circuit.data) - 1, -1, -1):
        item = circuit.data[place]
        if item.operation.name == "barrier":
            continue
        if item.operation.name == "measure" and not busy & {*item.qubits, *item.clbits}:
            found.add(place)
        else:
            busy.update(item.qubits, item.clbits)
    return found


def _cost(circuit: QuantumCircuit) -> tuple[int, int]:
    """Two-qubit gates and instructions of a block."""
    course = QuantumCircuit(circuit.qubits, circuit.clbits)
    own: dict[Any, Any] = {bit: bit for bit in (*circuit.qubits, *circuit.clbits)}
    _write(course, circuit, own, {}, {}, last=False)
    return course.num_nonlocal_gates(), len(course.data)

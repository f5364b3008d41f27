"""Qiskit's preset pass managers on the whole device, as they come."""

from __future__ import annotations

from qiskit import QuantumCircuit

from backends.native.routing import Routed, as_given, region_of, route, target_of
from calibration.snapshot import DeviceSnapshot


def routed(circuit: QuantumCircuit, snapshot: DeviceSnapshot, level: int, seed: int) -> Routed:
    """The circuit in native gates.

    Raises:
        BackendError: it does not fit, or the device's gates are unknown to Qiskit.
    """
    qubits = region_of(snapshot).qubits
    target = target_of(snapshot, qubits, canonical=False, fractional=False)
    return route(as_given(circuit), target, qubits, level=level, seed=seed)

"""Qiskit's preset pass managers on the whole device, as they come."""

from __future__ import annotations

from dataclasses import replace

from qiskit import QuantumCircuit

from backends.base import BackendError
from backends.native.routing import Routed, as_given, region_of, route, target_of
from backends.native.writing import Writing
from calibration.snapshot import DeviceSnapshot


def routed(circuit: QuantumCircuit, snapshot: DeviceSnapshot, level: int, seed: int) -> Routed:
    """The circuit in native gates.

    Raises:
        BackendError: it does not fit, or free angles on a device whose pulses need numbers.
    """
    qubits = region_of(snapshot).qubits
    try:
        target = target_of(snapshot, qubits, canonical=False, fractional=False)
    except BackendError:  # of ions: it writes canonical gates, and their pulses are ours
        how = Writing.ways(snapshot, False)[0]
        found = how.wide(circuit, level=level, seed=seed)
        return replace(found, circuit=how.by_pulses(found.circuit, found.qubits))
    return route(as_given(circuit), target, qubits, level=level, seed=seed)

"""Trapped-ion pulses as the fixed pulses and virtual z that the simulators know.

``gpi2(phi)`` is ``rz(phi) sx rz(-phi)`` and ``gpi(phi)`` is ``rz(phi) x rz(-phi)``, up to global
phase. Where every two-qubit gate is diagonal, the rz between pulses commute through it and only
set phases of pulses, which cost nothing. So a circuit of ``sx``, ``x``, free ``rz`` and the same
two-qubit gates stands for a native one pulse by pulse: same unitary, durations, and noise, since
depolarising and relaxation commute with rz as well.

Source: McKay et al., Phys. Rev. A 96, 022330 (2017), virtual Z gates.
"""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit.library import SXGate, XGate

from calibration.snapshot import DeviceSnapshot, Gate

_STANDS_FOR = {"gpi": "x", "gpi2": "sx"}
_DIAGONAL = {"rzz", "cz", "cp"}
_FREE = "rz"


def simulable(snapshot: DeviceSnapshot) -> DeviceSnapshot:
    """The device as the simulators compile for it: ``gpi2`` as ``sx``, ``gpi`` as ``x``.

    Renamed gates keep their qubits, errors and durations; a virtual ``rz`` is added. Reports and
    compiled circuits keep the snapshot itself.

    Args:
        snapshot: the device.

    Returns:
        The view, or ``snapshot`` itself where there is nothing to rename: no ``gpi2`` gate, or a
        two-qubit gate that virtual z does not commute with.
    """
    entanglers = {*snapshot.two_qubit_gates, *snapshot.optional_gates}
    if "gpi2" not in snapshot.one_qubit_gates or not entanglers <= _DIAGONAL:
        return snapshot
    changed = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    ones = [_STANDS_FOR.get(name, name) for name in snapshot.one_qubit_gates if name != _FREE]
    kept = (gate for gate in snapshot.gates if gate.name != _FREE)
    free = (
        Gate(name=_FREE, qubits=(q,), error=0.0, duration_s=0.0) for q in range(snapshot.n_qubits)
    )
    changed |= {
        "gates": (*map(_renamed, kept), *free),
        "one_qubit_gates": (*ones, _FREE),
        "virtual_gates": tuple(sorted({*snapshot.virtual_gates, _FREE})),
    }
    # a new object, not model_copy: that would carry the cached look-ups along
    return DeviceSnapshot(**changed)


def as_simulable(circuit: QuantumCircuit) -> QuantumCircuit:
    """A bound circuit with ``gpi2(phi)`` as ``rz(-phi)``, ``sx``, ``rz(phi)``, ``gpi`` alike."""
    found = circuit.copy_empty_like()
    for item in circuit.data:
        pulse = _STANDS_FOR.get(item.operation.name)
        if pulse is None:
            found.append(item)
            continue
        phase = float(item.operation.params[0])
        if phase:
            found.rz(-phase, item.qubits[0])
        found.append(SXGate() if pulse == "sx" else XGate(), item.qubits)
        if phase:
            found.rz(phase, item.qubits[0])
    return found


def _renamed(gate: Gate) -> Gate:
    return gate.model_copy(update={"name": _STANDS_FOR.get(gate.name, gate.name)})

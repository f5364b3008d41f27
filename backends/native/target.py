"""A snapshot as a Qiskit compilation target, in its own gates or in canonical ones."""

from __future__ import annotations

from qiskit.circuit import Delay, Gate, Measure, Parameter
from qiskit.circuit.library import (
    CZGate,
    RZZGate,
    UGate,
    get_standard_gate_name_mapping,
    iSwapGate,
)
from qiskit.transpiler import InstructionProperties, Target

from backends.base import BackendError
from backends.native.translate import native_couplings
from calibration.snapshot import DeviceSnapshot

CANONICAL = frozenset({"u", "cz", "rzz", "iswap"})
"""Names of the gates that circuits are routed in and native gates are written from."""


def native_gates(snapshot: DeviceSnapshot, *, fractional: bool = False) -> dict[str, Gate]:
    """The device's native gates by name, as Qiskit gates.

    Args:
        snapshot: the device.
        fractional: with the gates that must be asked for (IBM's ``rx`` and ``rzz``).

    Raises:
        BackendError: a native gate is unknown to Qiskit.
    """
    known = get_standard_gate_name_mapping()
    names = (*snapshot.one_qubit_gates, *snapshot.two_qubit_gates)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BackendError(
            f"{snapshot.name} has native gates that Qiskit does not know: {', '.join(unknown)}."
        )
    return {n: known[n] for n in (*names, *(snapshot.optional_gates if fractional else ()))}


def to_target(snapshot: DeviceSnapshot, *, fractional: bool = False) -> Target:
    """Target with errors and durations; dead gates, dead qubits' gates and dead couplings left out.

    Args:
        snapshot: the device, or the part of it that may be used
            (:meth:`DeviceSnapshot.restricted`).
        fractional: see :func:`native_gates`.

    Raises:
        BackendError: a native gate is unknown to Qiskit.
    """
    target = Target(description=snapshot.name, num_qubits=snapshot.n_qubits, dt=snapshot.dt_s)
    for name, gate in native_gates(snapshot, fractional=fractional).items():
        places = _places(snapshot, name)
        if places:
            target.add_instruction(_free(gate), places)
    _add_readout_and_delays(target, snapshot)
    return target


def to_canonical_target(snapshot: DeviceSnapshot, *, fractional: bool = False) -> Target:
    """Target in canonical gates (``u``, ``cz``, ``rzz``, ``iswap``) with the native gates' errors.

    Args:
        snapshot: the part of a device that may be used (:meth:`DeviceSnapshot.restricted`).
        fractional: see :func:`native_gates`.

    Raises:
        BackendError: native gates of an unknown kind.
    """
    n = snapshot.n_qubits
    target = Target(description=snapshot.name, num_qubits=n, dt=snapshot.dt_s)
    physical = set(snapshot.one_qubit_gates) - set(snapshot.virtual_gates) - {"id"}
    worst = [0.0] * n
    for gate in snapshot.gates:
        if gate.name in physical and gate.usable:
            worst[gate.qubits[0]] = max(worst[gate.qubits[0]], gate.error or 0.0)
    target.add_instruction(
        UGate(Parameter("theta"), Parameter("phi"), Parameter("lam")),
        {(q,): InstructionProperties(error=worst[q]) for q in range(n)},
    )
    couplings = native_couplings(snapshot, fractional=fractional)
    makers = {"cz": CZGate(), "rzz": RZZGate(Parameter("theta")), "iswap": iSwapGate()}
    for name, maker in makers.items():
        places: dict[tuple[int, int], InstructionProperties] = {}
        for pair, natives in couplings.items():
            native = next((g for canonical, g in natives.items() if canonical == name), None)
            if native is not None:
                # both directions: the native translation turns a gate round at no pulse more
                properties = InstructionProperties(native.duration_s, native.error or 0.0)
                places |= {pair: properties, pair[::-1]: properties}
        if places:
            target.add_instruction(maker, places)
    _add_readout_and_delays(target, snapshot)
    return target


def _add_readout_and_delays(target: Target, snapshot: DeviceSnapshot) -> None:
    target.add_instruction(
        Measure(),
        {
            (q,): InstructionProperties(
                error=qubit.readout_error or 0.0, duration=qubit.readout_s or 0.0
            )
            for q, qubit in enumerate(snapshot.qubits)
        },
    )
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in range(snapshot.n_qubits)})


def _places(snapshot: DeviceSnapshot, name: str) -> dict[tuple[int, ...], InstructionProperties]:
    found = {}
    for gate in snapshot.gates:
        if gate.name == name and gate.usable and not snapshot.dead_qubits & set(gate.qubits):
            found[gate.qubits] = InstructionProperties(
                error=gate.error or 0.0, duration=gate.duration_s or 0.0
            )
            if len(snapshot.two_qubit_gates) > 1:
                # Qiskit cannot turn gates round on devices that mix them (ibm_cairo), so both
                # directions are offered; a turn's few one-qubit gates go uncounted there.
                found.setdefault(gate.qubits[::-1], found[gate.qubits])
    return found


def _free(gate: Gate) -> Gate:
    """The same gate with its angles free: Qiskit's own table holds shared instances."""
    names = ("theta", "phi", "lam", "gamma")
    return type(gate)(*map(Parameter, names[: len(gate.params)])) if gate.params else gate

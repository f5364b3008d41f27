"""Gate by gate from canonical gates to native ones, with virtual Z."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from backends.base import BackendError
from backends.checks import measured_qubits
from backends.native.entanglers import Canonical, Entangler, canonical_of, entangler, fold_rzz
from backends.native.pulses import PulseKit
from backends.native.rotations import IDENTITY, PAULI_X, PAULI_Z, Matrix, rz
from calibration.snapshot import DeviceSnapshot, Gate, GateLimit

_DIAGONAL = {"cz", "rzz", "cp"}


def one_qubit_kits(snapshot: DeviceSnapshot, *, fractional: bool = False) -> tuple[PulseKit, ...]:
    """The pulses of every qubit, dead qubits included.

    Args:
        snapshot: the device.
        fractional: with the gates that must be asked for.

    Raises:
        BackendError: native one-qubit gates of an unknown kind.
    """
    limited = snapshot.limit("rx") is not None
    optional = snapshot.optional_gates if fractional else ()
    extra = {
        g.qubits[0] for g in snapshot.gates if g.name == "rx" and g.name in optional and g.usable
    }
    plain = PulseKit.of(snapshot.one_qubit_gates, any_rx=not limited)
    asked = PulseKit.of((*snapshot.one_qubit_gates, "rx"), any_rx=True) if extra else plain
    return tuple(asked if q in extra else plain for q in range(snapshot.n_qubits))


def native_couplings(
    snapshot: DeviceSnapshot, *, fractional: bool = False
) -> dict[tuple[int, int], dict[Canonical, Gate]]:
    """For every usable coupling ``(a, b)``, ``a < b``, the native gate behind each canonical one.

    Args:
        snapshot: the device.
        fractional: with the gates that must be asked for.

    Raises:
        BackendError: a native two-qubit gate of an unknown kind.
    """
    found: dict[tuple[int, int], dict[Canonical, Gate]] = {}
    for a, b in snapshot.usable_couplings:
        gate = snapshot.two_qubit_gate(a, b)
        if gate is not None:
            found[a, b] = {canonical_of(gate.name): gate}
    for gate in snapshot.gates if fractional else ():
        pair = (min(gate.qubits), max(gate.qubits))
        if gate.name in snapshot.optional_gates and gate.usable and pair in found:
            found[pair].setdefault(canonical_of(gate.name), gate)
    return found


def to_native(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    qubits: Sequence[int],
    *,
    fractional: bool = False,
    couplings: Mapping[tuple[int, int], Mapping[Canonical, Gate]] | None = None,
    written_z: bool = False,
) -> QuantumCircuit:
    """Translate a routed circuit; rotations about z are pushed through and dropped at the end.

    Args:
        circuit: bound one-qubit gates and canonical two-qubit gates on coupled qubits; barriers,
            delays and final measurements are kept.
        snapshot: the device.
        qubits: device qubit of each circuit qubit.
        fractional: with the gates that must be asked for.
        couplings: from :func:`native_couplings`, when already at hand.
        written_z: for simulators: where every two-qubit gate is diagonal, the same pulses with
            rotations about z written out where they arise, instead of carried on as phases.

    Returns:
        The same circuit in native gates. Where a qubit is measured, its distribution is kept; where
        it is not, its state is, up to a global phase.

    Raises:
        BackendError: a gate between qubits that are not coupled, or of an unknown kind.
    """
    edges = native_couplings(snapshot, fractional=fractional) if couplings is None else couplings
    kits = one_qubit_kits(snapshot, fractional=fractional)
    here = [kits[q] for q in qubits]
    written: frozenset[int] = frozenset()
    if written_z and _diagonal(edges):
        # the state of other qubits is kept: what they are owed at the end takes pulses
        written = frozenset(measured_qubits(circuit))
        here = [replace(k, z_is_gate=True) if p in written else k for p, k in enumerate(here)]
    pass_ = _Pass(circuit, snapshot, here, edges, qubits, written)
    for item in circuit.data:
        pass_.step(item)
    pass_.finish()
    return pass_.out


def _diagonal(edges: Mapping[tuple[int, int], Mapping[Canonical, Gate]]) -> bool:
    """Whether rotations about z commute with every native two-qubit gate, so that they are free."""
    return {g.name for natives in edges.values() for g in natives.values()} <= _DIAGONAL


class _Pass:
    """What each qubit still owes (``pending``), and the native circuit so far."""

    def __init__(
        self,
        circuit: QuantumCircuit,
        snapshot: DeviceSnapshot,
        kits: Sequence[PulseKit],
        edges: Mapping[tuple[int, int], Mapping[Canonical, Gate]],
        qubits: Sequence[int],
        written_z: Collection[int],
    ) -> None:
        self._written_z = written_z
        self.out = circuit.copy_empty_like()
        self.out.global_phase = 0
        self._index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
        self._snapshot, self._kits, self._edges, self._qubits = snapshot, kits, edges, qubits
        self._pending: list[Matrix] = [IDENTITY] * circuit.num_qubits

    def step(self, item: CircuitInstruction) -> None:
        """Take one instruction."""
        places = [self._index[q] for q in item.qubits]
        name = item.operation.name
        if name == "measure":
            self._pulses(places[0])
            self._pending[places[0]] = IDENTITY  # what is left is about z: not seen by a readout
            self.out.append(item)
        elif name in ("barrier", "delay"):
            for place in places:
                self._pulses(place)
            self.out.append(item)
        elif len(places) == 1:
            matrix = np.asarray(item.operation.to_matrix(), dtype=complex)
            self._pending[places[0]] = matrix @ self._pending[places[0]]
        else:
            self._entangle(name, item, places)

    def finish(self) -> None:
        """Emit what qubits that were not measured still owe."""
        for place, kit in enumerate(self._kits):
            for gate in kit.exactly(self._pending[place]):
                self.out.append(gate, [place])

    def _pulses(self, place: int) -> None:
        """Emit pulses; only a rotation about z stays pending."""
        gates, rest = self._kits[place].up_to_z(self._pending[place])
        for gate in gates:
            self.out.append(gate, [place])
        self._pending[place] = rz(rest)

    def _entangle(self, name: str, item: CircuitInstruction, places: list[int]) -> None:
        native = self._native(name, places)
        if native.qubits != tuple(self._qubits[p] for p in places):
            places = places[::-1]  # canonical gates are symmetric, the native one need not be
        a, b = places
        z_both = x_around = False
        angle = 0.0
        if name == "rzz":
            fold = fold_rzz(float(item.operation.params[0]), self._rzz_limit(native.name))
            angle, z_both, x_around = fold.angle, fold.z_both, fold.x_around
        if x_around:
            self._pending[a] = PAULI_X @ self._pending[a]
        if name != "rzz" or angle:
            self._apply(entangler(native.name, angle), a, b)
        if x_around:
            self._pending[a] = PAULI_X @ self._pending[a]
        if z_both:
            self._pending[a] = PAULI_Z @ self._pending[a]
            self._pending[b] = PAULI_Z @ self._pending[b]

    def _apply(self, gate: Entangler, a: int, b: int) -> None:
        rests: list[Matrix] = []
        for place, before, moves_x in zip((a, b), gate.before, gate.moves_x, strict=True):
            if moves_x:
                # before is a Hadamard: rotations about z ahead of it are about x behind it
                gates, angle = self._kits[place].up_to_x(before @ self._pending[place])
            else:
                gates, angle = self._kits[place].up_to_z(self._pending[place])
            if place in self._written_z:
                gates, angle = [*gates, *self._kits[place].about_z(angle)], 0.0
            for pulse in gates:
                self.out.append(pulse, [place])
            rests.append(rz(angle))
        self.out.append(gate.gate, [a, b])
        if gate.canonical == "iswap":
            rests.reverse()
        self._pending[a] = rests[0] @ gate.after[0]
        self._pending[b] = rests[1] @ gate.after[1]

    def _native(self, name: str, places: list[int]) -> Gate:
        pair = tuple(sorted(self._qubits[p] for p in places))
        for canonical, gate in self._edges.get((pair[0], pair[-1]), {}).items():
            if canonical == name:
                return gate
        raise BackendError(
            f"{self._snapshot.name} has no gate for {name} between its qubits {pair}."
        )

    def _rzz_limit(self, native: str) -> GateLimit | None:
        return self._snapshot.limit(native) if native in ("rzz", "rxx") else None

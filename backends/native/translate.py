"""Gate by gate from canonical gates to native ones, with virtual Z."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Operation, ParameterExpression
from qiskit.circuit.library import RYGate

from backends.base import BackendError
from backends.checks import measured_qubits
from backends.native.entanglers import Canonical, Entangler, canonical_of, entangler, fold_rzz
from backends.native.pulses import PulseKit
from backends.native.rotations import IDENTITY, PAULI_X, PAULI_Z, Matrix, rx, rz
from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot, Gate, GateLimit

WALL = "bases are turned behind this"
"""Label of a barrier that rotations about z may not be dropped behind, though a readout follows."""
_DIAGONAL = {"cz", "rzz", "cp"}
_MAKES_CZ = ("cx", "ecr")
_Angle: TypeAlias = float | ParameterExpression
_TO_Y: Matrix = rx(-math.pi / 2)
"""Turns the z axis to y, so ``ry(t)`` is ``_TO_Y @ rz(t) @ _TO_Y.inverse``: free only about z."""


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
        circuit: one-qubit gates and canonical or native two-qubit gates on coupled qubits;
            barriers, delays and final measurements are kept. Angles may be free where a rotation
            about z is a gate (:attr:`PulseKit.needs_numbers`).
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
        BackendError: a gate between qubits that are not coupled, or of an unknown kind, or a free
            angle that only its value says how to make.
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
    for item, name, places in placed(circuit):
        pass_.step(item, name, places)
    pass_.finish()
    return pass_.out


def _diagonal(edges: Mapping[tuple[int, int], Mapping[Canonical, Gate]]) -> bool:
    """Whether rotations about z commute with every native two-qubit gate, so that they are free."""
    return {g.name for natives in edges.values() for g in natives.values()} <= _DIAGONAL


class _Pass:
    """What each qubit still owes, ``pending`` after ``rz(free)``, and the native circuit so far."""

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
        self._bits = circuit.qubits
        self._snapshot, self._kits, self._edges, self._qubits = snapshot, kits, edges, qubits
        self._pending: list[Matrix] = [IDENTITY] * circuit.num_qubits
        self._free: list[_Angle] = [0.0] * circuit.num_qubits

    def step(self, item: CircuitInstruction, name: str, places: Sequence[int]) -> None:
        """Take one instruction, its name and qubits at hand."""
        if name == "measure":
            self._pulses(places[0])
            # what is left is about z: not seen by a readout
            self._pending[places[0]], self._free[places[0]] = IDENTITY, 0.0
            self.out.append(item)
        elif name in ("barrier", "delay"):
            for place in places:
                if item.operation.label == WALL:
                    self._settle(place)
                else:
                    self._pulses(place)
            self.out.append(item)
        elif len(places) == 1 and item.is_parameterized():
            self._turn(places[0], item.operation)
        elif len(places) == 1:
            matrix = item.matrix if item.is_standard_gate() else item.operation.to_matrix()
            self._pending[places[0]] = matrix @ self._pending[places[0]]
        elif name in _MAKES_CZ:
            made = entangler(name)
            self._owe(places, made.before)
            self._entangle(made.canonical, item, places)
            self._owe(places, made.after)
        else:
            self._entangle(name, item, places)

    def finish(self) -> None:
        """Emit what qubits that were not measured still owe."""
        for place in range(len(self._kits)):
            self._settle(place)

    def _owe(self, places: Sequence[int], undone: Sequence[Matrix]) -> None:
        for place, matrix in zip(places, undone, strict=True):
            self._pending[place] = matrix.conj().T @ self._pending[place]

    def _settle(self, place: int) -> None:
        """Emit everything that is owed."""
        self._emit(place, self._kits[place].exactly(self._pending[place]), frees=True)
        self._pending[place] = IDENTITY

    def _pulses(self, place: int) -> None:
        """Emit pulses; only a rotation about z stays pending."""
        gates, rest = self._kits[place].up_to_z(self._pending[place])
        self._emit(place, gates)
        self._pending[place] = rz(rest)

    def _append(self, gate: Operation, *places: int) -> None:
        self.out._append(CircuitInstruction(gate, [self._bits[p] for p in places]))

    def _emit(self, place: int, gates: Sequence[Operation], *, frees: bool = False) -> None:
        """Append gates of a qubit, ahead of them its free rotation if there are any, or anyway."""
        free = self._free[place]
        if (gates or frees) and isinstance(free, ParameterExpression):
            if gates and gates[0].name in ("rz", "u1"):
                free, gates = free + gates[0].params[0], gates[1:]
            self._append(self._kits[place].z(free), place)
            self._free[place] = 0.0
        for gate in gates:
            self._append(gate, place)

    def _turn(self, place: int, gate: Operation) -> None:
        """Take a one-qubit gate with free angles, as rotations about z with fixed gates between."""
        about_y, after, before = _zyz(gate)
        self._about_z(place, before)
        if isinstance(about_y, ParameterExpression):
            self._pending[place] = _TO_Y.conj().T @ self._pending[place]
            self._about_z(place, about_y)
            self._pending[place] = _TO_Y @ self._pending[place]
        else:
            self._pending[place] = np.asarray(RYGate(about_y).to_matrix()) @ self._pending[place]
        self._about_z(place, after)

    def _about_z(self, place: int, angle: _Angle) -> None:
        """Take a rotation about z: a free one waits behind the pulses that are due before it."""
        if not isinstance(angle, ParameterExpression):
            self._pending[place] = rz(angle) @ self._pending[place]
            return
        self._pulses(place)
        total = self._free[place] + angle
        if total.parameters:
            self._free[place] = total
        else:  # the free angles cancel
            self._free[place] = 0.0
            self._pending[place] = rz(float(total)) @ self._pending[place]

    def _entangle(self, name: str, item: CircuitInstruction, places: Sequence[int]) -> None:
        native = self._native(name, places)
        pair = tuple(self._qubits[p] for p in places)
        given = self._snapshot.gate(item.name, pair)
        if given is not None and given.usable and given.qubits == pair:
            native = given
        elif native.qubits != pair:
            places = places[::-1]  # canonical gates are symmetric, the native one need not be
        a, b = places
        z_both = x_around = False
        angle = 0.0
        if item.is_parameterized():
            if native.name != name:
                raise BackendError(f"A free angle of {name} cannot be made with {native.name}.")
            self._apply(Entangler(canonical_of(name), item.operation), a, b)
            return
        if name == "rzz":
            fold = fold_rzz(float(item.params[0]), self._rzz_limit(native.name))
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
        sides = zip((a, b), gate.before, gate.moves_x, gate.after, strict=True)
        for place, before, moves_x, after in sides:
            if moves_x:
                # before is a Hadamard: rotations about z ahead of it are about x behind it
                gates, angle = self._kits[place].up_to_x(before @ self._pending[place])
            else:
                gates, angle = self._kits[place].up_to_z(self._pending[place])
            if place in self._written_z:
                gates, angle = [*gates, *self._kits[place].about_z(angle)], 0.0
            # a free rotation passes a gate that is about z as it stands; it is no pulse anyway
            passes = gate.canonical != "iswap" and before is IDENTITY and after is IDENTITY
            self._emit(place, gates, frees=not passes)
            rests.append(rz(angle))
        self._append(gate.gate, a, b)
        if gate.canonical == "iswap":
            rests.reverse()
        for place, rest, after in zip((a, b), rests, gate.after, strict=True):
            self._pending[place] = rest if after is IDENTITY else rest @ after

    def _native(self, name: str, places: Sequence[int]) -> Gate:
        pair = tuple(sorted(self._qubits[p] for p in places))
        for canonical, gate in self._edges.get((pair[0], pair[-1]), {}).items():
            if canonical == name:
                return gate
        raise BackendError(
            f"{self._snapshot.name} has no gate for {name} between its qubits {pair}."
        )

    def _rzz_limit(self, native: str) -> GateLimit | None:
        return self._snapshot.limit(native) if native in ("rzz", "rxx") else None


def _zyz(gate: Operation) -> tuple[_Angle, _Angle, _Angle]:
    """``(t, a, c)`` with ``gate = rz(a) ry(t) rz(c)`` up to phase.

    Raises:
        BackendError: no gate that compiled circuits turn one qubit with.
    """
    angles, half = tuple(gate.params), math.pi / 2
    match gate.name:
        case "rz" | "u1" | "p":
            return 0.0, angles[0], 0.0
        case "ry":
            return angles[0], 0.0, 0.0
        case "rx":
            return angles[0], -half, half
        case "u2":
            return half, angles[0], angles[1]
        case "u" | "u3":
            return angles[0], angles[1], angles[2]
    raise BackendError(f"A free angle of {gate.name} cannot be made with native gates.")

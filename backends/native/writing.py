"""How routed circuits become native gates: by Qiskit, or by our own pass with virtual Z.

Qiskit keeps free angles free where the device turns a qubit by any angle about z at no cost. Where
it does not (equatorial pulses, pulses of fixed length), native gates depend on the numbers: phases
add up, half turns merge. There a template stays in canonical gates and each row is written for
itself, as bound circuits are on every device: our pass needs the fewest pulses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from backends.native.fold import fold_rzz_angles
from backends.native.routing import Region, Routed, native_target_of, region_of, route, route_on
from backends.native.target import native_gates, to_canonical_target, to_target
from backends.native.translate import one_qubit_kits, to_native
from calibration.snapshot import DeviceSnapshot


@dataclass(frozen=True)
class Writing:
    """How the circuits of one compilation are written.

    Attributes:
        snapshot: the device.
        fractional: with the gates that must be asked for.
        by_qiskit: whether Qiskit writes the native gates, else our own pass.
        by_rows: whether a template is kept in canonical gates.
        region: of the device.
    """

    snapshot: DeviceSnapshot
    fractional: bool
    by_qiskit: bool
    by_rows: bool
    region: Region

    @classmethod
    def ways(
        cls, circuit: QuantumCircuit, snapshot: DeviceSnapshot, fractional: bool
    ) -> tuple[Writing, ...]:
        """In how many ways a circuit can be written for a device, Qiskit's first.

        Raises:
            BackendError: native gates of an unknown kind.
        """
        by_rows = writes_rows(snapshot)
        region = region_of(snapshot, fractional=fractional)
        own = cls(snapshot, fractional, False, by_rows, region)
        if by_rows:
            return (own,)
        qiskit = replace(own, by_qiskit=True)
        return (qiskit,) if circuit.parameters else (qiskit, own)

    @property
    def basis(self) -> tuple[str, ...]:
        """Names of the gates that Qiskit writes in."""
        if self.by_qiskit:
            return tuple(native_gates(self.snapshot, fractional=self.fractional))
        canonical = {name for natives in self.region.couplings.values() for name in natives}
        return ("u", *sorted(canonical))

    def target(self, qubits: tuple[int, ...]) -> Target:
        """Of these qubits alone, in the gates that Qiskit writes in."""
        make = to_target if self.by_qiskit else to_canonical_target
        return make(self.snapshot.restricted(qubits), fractional=self.fractional)

    def wide(self, circuit: QuantumCircuit, *, level: int, seed: int) -> Routed:
        """The circuit compiled on the whole device, see :func:`route`."""
        target, name = self.region.target, self.snapshot.name
        if self.by_qiskit:
            target = native_target_of(self.snapshot, fractional=self.fractional)
        found = route(circuit, self.region, name, level=level, seed=seed, target=target)
        return self._folded(found, seed)

    def on(
        self, routed: Routed, qubits: tuple[int, ...], *, seed: int, stay: bool = True
    ) -> Routed:
        """The circuit compiled on these qubits alone, see :func:`route_on`."""
        return self._folded(
            route_on(routed, self.target(qubits), qubits, seed=seed, stay=stay), seed
        )

    def _folded(self, routed: Routed, seed: int) -> Routed:
        if not self.by_qiskit:
            return routed
        folded = fold_rzz_angles(routed.circuit, self.snapshot)
        if folded is routed.circuit:
            return routed
        # Level 1 only merges one-qubit gates of a circuit that is already in place.
        target, merged = self.target(routed.qubits), replace(routed, circuit=folded)
        return route_on(merged, target, routed.qubits, seed=seed, stay=True, level=1)

    def native(self, circuit: QuantumCircuit, qubits: tuple[int, ...], seed: int) -> QuantumCircuit:
        """The routed circuit in native gates; if it is free and written row by row, of a row of
        random angles.
        """
        if self.by_qiskit:
            return circuit
        return to_native(
            with_random_angles(circuit, seed),
            self.snapshot,
            qubits,
            fractional=self.fractional,
            couplings=self.region.couplings,
        )


def writes_rows(snapshot: DeviceSnapshot) -> bool:
    """Whether native gates depend on the numbers of a row, so that templates hold none yet.

    Raises:
        BackendError: native one-qubit gates of an unknown kind.
    """
    return any(kit.needs_numbers for kit in set(one_qubit_kits(snapshot)))


def with_random_angles(circuit: QuantumCircuit, seed: int) -> QuantumCircuit:
    """A row of random angles of a template, which figures are computed with."""
    if not circuit.parameters:
        return circuit
    angles = np.random.default_rng(seed).uniform(-np.pi, np.pi, len(circuit.parameters))
    return circuit.assign_parameters(angles.tolist())

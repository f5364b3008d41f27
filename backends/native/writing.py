"""How routed circuits become native gates: by Qiskit and then our own pass, or by that alone.

Free angles stay free where the device turns a qubit by any angle about z at no cost. Where it does
not (equatorial pulses, pulses of fixed length), native gates depend on the numbers: phases add up,
half turns merge. There a template stays in canonical gates and each row is written for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from qiskit import QuantumCircuit

from backends.native.fold import fold_rzz_angles
from backends.native.levels import LEVELS
from backends.native.routing import (
    Region,
    Routed,
    as_given,
    region_of,
    route,
    target_of,
)
from backends.native.target import native_gates
from backends.native.translate import one_qubit_kits, to_native
from calibration.snapshot import DeviceSnapshot


@dataclass(frozen=True)
class Writing:
    """How the circuits of one compilation are written.

    Attributes:
        snapshot: the device.
        fractional: with the gates that must be asked for.
        canonical: whether Qiskit routes in canonical gates, from which our own pass writes native
            ones. Else Qiskit writes native gates.
        by_rows: whether a template stays in canonical gates, each row written for itself.
        region: of the device.
    """

    snapshot: DeviceSnapshot
    fractional: bool
    canonical: bool
    by_rows: bool
    region: Region

    @classmethod
    def ways(cls, snapshot: DeviceSnapshot, fractional: bool) -> tuple[Writing, ...]:
        """In how many ways circuits can be written for a device.

        Raises:
            BackendError: native gates of an unknown kind.
        """
        region = region_of(snapshot, fractional=fractional)
        by_rows = writes_rows(snapshot)
        own = cls(snapshot, fractional, True, by_rows, region)
        return (own,) if by_rows else (replace(own, canonical=False), own)

    @property
    def mixed(self) -> bool:
        """Whether Qiskit's circuits may hold gates in directions that are not there.

        See :func:`~backends.native.target.to_target`.
        """
        return len(self.snapshot.two_qubit_gates) > 1

    @property
    def as_few_pulses(self) -> bool:
        """Whether Qiskit writes as few pulses as our own pass, and far quicker.

        It does around ``cz``, which rotations about z pass: only they are left to be gained.
        """
        return (
            not self.canonical and not self.fractional and self.snapshot.two_qubit_gates == ("cz",)
        )

    @property
    def basis(self) -> tuple[str, ...]:
        """Names of the gates that Qiskit writes in."""
        if not self.canonical:
            return tuple(native_gates(self.snapshot, fractional=self.fractional))
        canonical = {name for natives in self.region.couplings.values() for name in natives}
        return ("u", *sorted(canonical))

    def wide(self, circuit: QuantumCircuit, *, level: int, seed: int) -> Routed:
        """The circuit compiled on the whole device, see :func:`route`."""
        return self.on(as_given(circuit), self.region.qubits, level=level, seed=seed, stay=False)

    def on(
        self,
        routed: Routed,
        qubits: tuple[int, ...],
        *,
        seed: int,
        stay: bool = True,
        level: int = LEVELS[-1],
    ) -> Routed:
        """The circuit compiled on these qubits alone, see :func:`route`."""
        fractional = self.fractional
        target = target_of(self.snapshot, qubits, canonical=self.canonical, fractional=fractional)
        found = route(routed, target, qubits, level=level, seed=seed, stay=stay)
        if self.canonical:
            return found
        circuit = fold_rzz_angles(found.circuit, self.snapshot)
        if circuit is found.circuit:
            return found
        # Level 1 only merges one-qubit gates of a circuit that is already in place.
        folded, here = replace(found, circuit=circuit), found.qubits
        target = target_of(self.snapshot, here, canonical=False, fractional=fractional)
        return route(folded, target, here, level=1, seed=seed, stay=True)

    def by_pulses(self, circuit: QuantumCircuit, qubits: tuple[int, ...]) -> QuantumCircuit:
        """A routed circuit with its one-qubit gates written by our own pass, see :func:`to_native`.

        Raises:
            BackendError: a free angle that only its value says how to make.
        """
        return to_native(
            circuit,
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

"""A device's reported noise as Pauli errors around the two-qubit gates of a circuit, and inverted.

A gate's channel is replaced by its Pauli twirl. Noise of one-qubit gates and of waiting is taken as
depolarising of the same fidelity, which commutes with whatever one-qubit gates are around, and
moved to the two-qubit gate before it, or to the first one after it.

Sources: Temme, Bravyi and Gambetta, Phys. Rev. Lett. 119, 180509 (2017); van den Berg, Minev,
Kandala and Temme, Nat. Phys. 19, 1116 (2023) (inverse of a Pauli channel).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction

from backends.base import CompiledTemplate
from backends.engine.pauli import of_superoperator
from backends.native.rows import device_part, example_row, is_native
from backends.native.schedule import schedule_alap
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, GateChannel
from qhw.mitigation.base import MitigationError

FloatArray = NDArray[np.float64]

_SIGNS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=np.float64)
"""Whether I, X, Y, Z commute (1) or anticommute (-1)."""
_LEAST = 1e-3
"""Smallest eigenvalue of a channel that is inverted."""
_NEGLIGIBLE = 1e-12
"""Rounding of channels that do nothing."""


@dataclass(eq=False)
class PauliNoise:
    """Pauli error next to one two-qubit gate.

    Attributes:
        number: of the gate in the circuit.
        after: whether the error follows the gate.
        eigenvalues: ``(4, 4)`` factor on every Pauli of the gate's first and second qubit.
    """

    number: int
    after: bool
    eigenvalues: FloatArray = field(default_factory=lambda: np.ones((4, 4)))

    def shrink(self, qubit: int, factor: float) -> None:
        """Depolarise the gate's first (0) or second (1) qubit."""
        part = [slice(None), slice(None)]
        part[qubit] = slice(1, 4)
        self.eigenvalues[tuple(part)] *= factor


def pauli_noise(compiled: CompiledTemplate) -> list[PauliNoise]:
    """Errors of a compiled circuit by its snapshot, in circuit order; none for an ideal device.

    Of a template in canonical gates, those of a row of random angles as it is sent.
    """
    part = device_part(compiled)
    if part is None:
        return []
    device = DeviceNoise(part)
    circuit = compiled.circuit
    if not is_native(compiled, part):
        row = example_row(compiled)
        if row.num_nonlocal_gates() == circuit.num_nonlocal_gates():  # none has an angle of zero
            circuit = schedule_alap(row, part).circuit
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    found: list[PauliNoise] = []
    last: dict[int, tuple[PauliNoise, int]] = {}
    early: dict[int, float] = {}
    number = 0
    for item in circuit.data:
        name, qubits = item.operation.name, tuple(index[q] for q in item.qubits)
        if name in ("measure", "barrier"):
            continue
        if len(qubits) == 1:
            factor = _one_qubit_factor(device, item.operation, qubits[0])
            if qubits[0] in last:
                noise, place = last[qubits[0]]
                noise.shrink(place, factor)
            else:
                early[qubits[0]] = early.get(qubits[0], 1.0) * factor
            continue
        before, after = PauliNoise(number, False), PauliNoise(number, True)
        for place, qubit in enumerate(qubits):
            before.shrink(place, early.pop(qubit, 1.0))
            last[qubit] = (after, place)
        after.eigenvalues *= _two_qubit_eigenvalues(device, name, qubits)
        found += [before, after]
        number += 1
    return [noise for noise in found if np.abs(noise.eigenvalues - 1.0).max() > _NEGLIGIBLE]


def _one_qubit_factor(device: DeviceNoise, operation: Instruction, qubit: int) -> float:
    if operation.name == "delay":
        seconds = delay_seconds(operation, device.snapshot.dt_s)
        channel: GateChannel | None = device.waiting(qubit, seconds)
    else:
        channel = device.gate(operation.name, (qubit,))
    if channel is None:
        return 1.0
    return float(np.diag(of_superoperator(channel.superoperator()))[1:].mean())


def _two_qubit_eigenvalues(device: DeviceNoise, name: str, qubits: tuple[int, ...]) -> FloatArray:
    channel = device.gate(name, qubits)
    if channel is None:
        # a canonical gate, written natively later: the pair's own gate does it
        gate = device.snapshot.two_qubit_gate(qubits[0], qubits[1])
        channel = None if gate is None else device.channel(gate, qubits)
    if channel is None:
        return np.ones((4, 4))
    return np.diag(of_superoperator(channel.superoperator())).reshape(4, 4)


@dataclass(frozen=True, eq=False)
class Inverse:
    """The inverse of a Pauli channel as signed Paulis.

    Attributes:
        number: of the two-qubit gate.
        after: whether the Paulis follow it.
        weights: ``(4, 4)`` quasi-probabilities of the Paulis on its first and second qubit, which
            add up to 1.
    """

    number: int
    after: bool
    weights: FloatArray

    @property
    def gamma(self) -> float:
        """Sum of the weights' sizes: by how much standard errors grow."""
        return float(np.abs(self.weights).sum())


def inverted(noise: PauliNoise) -> Inverse:
    """The quasi-probabilities that undo an error.

    Raises:
        MitigationError: the error leaves next to nothing of a Pauli.
    """
    smallest = float(noise.eigenvalues.min())
    if smallest < _LEAST:
        raise MitigationError(
            f"pec must have gates that leave at least {_LEAST:g} of every Pauli, but gate "
            f"{noise.number} leaves {smallest:.2g}"
        )
    weights = _SIGNS @ (1 / noise.eigenvalues) @ _SIGNS.T / 16
    return Inverse(noise.number, noise.after, weights)


def inverses(compiled: CompiledTemplate) -> list[Inverse]:
    """What undoes the reported noise of a compiled circuit, in circuit order.

    Raises:
        MitigationError: see :func:`inverted`.
    """
    return [inverted(noise) for noise in pauli_noise(compiled)]


def sampling_cost(compiled: CompiledTemplate) -> float:
    """``gamma**2`` of a compiled circuit: how many times the shots its inverse noise takes.

    Raises:
        MitigationError: see :func:`inverted`.
    """
    return math.prod(inverse.gamma for inverse in inverses(compiled)) ** 2

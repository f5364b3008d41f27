"""Shots of wide circuits under a device's noise, each gate's noise twirled to random Paulis.

The noise of a device model is relaxation and depolarisation. Wide circuits carry it as what Pauli
twirling makes of it: every gate and wait is followed by a random Pauli with the probability that
the channel's chi matrix gives it. That keeps every fidelity, and loses that relaxation leads to 0
rather than to either. Readout errors keep their two directions. Results say so (:data:`WORDS`).

Through a Clifford circuit Paulis pass as Paulis, so all shots go at once, as bits flipped in
noiseless shots. Rotations that undo each other are left out; noise between them is taken as if it
commuted with them, which depolarisation does, and relaxation with rotations about Z. Otherwise each
shot with an error is evolved as a matrix product state, from the first error on; shots without any
are drawn from the noiseless state.

Source: Geller and Zhou, Phys. Rev. A 88, 012314 (2013) (twirled noise); Gidney, Quantum 5, 497
(2021) (Pauli frames).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import XGate, YGate, ZGate
from qiskit.quantum_info import Chi, SuperOp

from backends.base import BackendError
from backends.checks import SILENT, measured_qubits
from backends.reference.clifford import Step, clifford_steps, through
from backends.reference.mps import SITE_WORK, Evolving, MPSReference, TooEntangledError
from backends.reference.stabilizer import stabilizer_reference
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise

FloatArray = NDArray[np.float64]
BitArray = NDArray[np.uint8]

WORDS = "noise as random Paulis (Pauli-twirled, an approximation: relaxation does not favour 0)"
MAX_WORK = 1e13
"""Complex multiplications for the shots of one row: about an hour."""
_LETTERS = (XGate().to_matrix(), ZGate().to_matrix(), YGate().to_matrix())


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of all shots after one instruction.

    Attributes:
        after: place of the instruction.
        qubits: of the circuit.
        shots: ``(E,)`` shots that have one.
        paulis: ``(E, 2k)`` X of each qubit, then Z.
    """

    after: int
    qubits: tuple[int, ...]
    shots: NDArray[np.int64]
    paulis: NDArray[np.bool_]


def draw_errors(
    circuit: QuantumCircuit, noise: DeviceNoise, shots: int, rng: np.random.Generator
) -> list[Errors]:
    """Random Paulis after every instruction of a bound native circuit.

    Args:
        circuit: on the qubits of the noise's snapshot.
        noise: of the device.
        shots: how many.
        rng: of the draws.
    """
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    known: dict[object, FloatArray | None] = {}
    found = []
    for place, item in enumerate(circuit.data):
        name = item.operation.name
        if name in ("measure", "barrier"):
            continue
        qubits = tuple(index[q] for q in item.qubits)
        waits = delay_seconds(item.operation, noise.snapshot.dt_s) if name == "delay" else 0.0
        key = (name, qubits, waits)
        if key not in known:
            known[key] = _probabilities(noise, name, qubits, waits)
        weights = known[key]
        if weights is None:
            continue
        hit = np.flatnonzero(rng.random(shots) < 1.0 - weights[0])
        others = np.append(0.0, weights[1:]) / (1.0 - weights[0])
        number = rng.choice(len(weights), size=len(hit), p=others / others.sum())
        bits = (number[:, None] >> np.arange(2 * len(qubits)) & 1).astype(bool)
        found.append(Errors(place, qubits, hit, bits))
    return found


def _probabilities(
    noise: DeviceNoise, name: str, qubits: tuple[int, ...], waits_s: float
) -> FloatArray | None:
    """Of each Pauli by number (bit q for X on qubit q, bit k + q for Z); ``None`` without noise."""
    gate = noise.waiting(qubits[0], waits_s) if name == "delay" else noise.gate(name, qubits)
    if gate is None or gate.is_ideal:
        return None
    channel = gate.superoperator()
    k = len(qubits)
    diagonal = np.real(np.diagonal(Chi(SuperOp(channel)).data)) / 2**k
    out = np.zeros(4**k)
    for place, weight in enumerate(diagonal):
        letters = [place >> 2 * q & 3 for q in range(k)]  # I, X, Y, Z
        x = sum((letter in (1, 2)) << q for q, letter in enumerate(letters))
        z = sum((letter in (2, 3)) << q for q, letter in enumerate(letters))
        out[x | z << k] = max(float(weight), 0.0)
    return out / out.sum() if out[0] < 1.0 else None


def noisy_shots(
    circuit: QuantumCircuit, noise: DeviceNoise | None, shots: int, rng: np.random.Generator
) -> BitArray:
    """Shots ``(shots, m)`` of a bound native circuit before readout, first measured wire first.

    Args:
        circuit: on the qubits of the noise's snapshot.
        noise: of the device; ``None`` for a perfect one.
        shots: how many.
        rng: of errors and shots.

    Raises:
        BackendError: neither Clifford nor shallow enough for a matrix product state.
    """
    measured = measured_qubits(circuit)
    errors = [] if noise is None else draw_errors(circuit, noise, shots, rng)
    steps = clifford_steps(circuit)
    if steps is not None:
        return clifford_shots(circuit, steps, measured, errors, shots, rng)
    try:
        return mps_shots(circuit, measured, errors, shots, rng)
    except TooEntangledError as error:
        raise BackendError(
            f"Argument `compiled` must be a Clifford or shallow circuit to be simulated on "
            f"{circuit.num_qubits} qubits, but has other gates, and {error}."
        ) from error


def clifford_shots(
    circuit: QuantumCircuit,
    steps: Sequence[Step],
    measured: Sequence[int],
    errors: Sequence[Errors],
    shots: int,
    rng: np.random.Generator,
) -> BitArray:
    """Shots ``(shots, m)`` of a Clifford circuit before readout, first measured wire first.

    Args:
        circuit: bound.
        steps: its gates.
        measured: qubit of each measured wire.
        errors: from :func:`draw_errors`.
        shots: how many.
        rng: of the noiseless shots.
    """
    n = circuit.num_qubits
    frames = np.zeros((shots, 2 * n), dtype=bool)
    at = {error.after: error for error in errors}
    gates = iter(steps)
    for place, item in enumerate(circuit.data):
        if item.operation.name in ("measure", "barrier"):
            continue
        step = next(gates)
        for table, qubits in step.gates:
            through(table, frames, qubits)
        if place in at:
            columns = [*at[place].qubits, *(n + q for q in at[place].qubits)]
            frames[np.ix_(at[place].shots, columns)] ^= at[place].paulis
    ideal = stabilizer_reference(steps, n, measured).sample(shots, rng)
    return np.asarray(ideal ^ frames[:, list(measured)], dtype=np.uint8)


def mps_shots(
    circuit: QuantumCircuit,
    measured: Sequence[int],
    errors: Sequence[Errors],
    shots: int,
    rng: np.random.Generator,
) -> BitArray:
    """Shots ``(shots, m)`` of a bound circuit before readout, first measured wire first.

    Args:
        circuit: bound.
        measured: qubit of each measured wire.
        errors: from :func:`draw_errors`.
        shots: how many.
        rng: of the shots.

    Raises:
        TooEntangledError: truncation would drop more than an exact reference may miss.
        BackendError: it would take hours.
    """
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    gates = [
        (place, item.operation.to_matrix(), tuple(index[q] for q in item.qubits))
        for place, item in enumerate(circuit.data)
        if item.operation.name not in ("measure", "barrier", *SILENT)
    ]
    of_shot: dict[int, list[Errors]] = {}
    for error in errors:
        for row, shot in enumerate(error.shots.tolist()):
            one = Errors(error.after, error.qubits, error.shots[:0], error.paulis[row : row + 1])
            of_shot.setdefault(shot, []).append(one)
    waiting = sorted(of_shot, key=lambda shot: of_shot[shot][0].after)
    out = np.empty((shots, len(measured)), dtype=np.uint8)
    state, forks = Evolving(circuit.num_qubits), []
    for number, (place, matrix, qubits) in enumerate(gates):
        while waiting and of_shot[waiting[0]][0].after < place:
            shot = waiting.pop(0)
            forks.append((shot, number, copy.copy(state)))
        state.apply(matrix, qubits)
    forks += [(shot, len(gates), copy.copy(state)) for shot in waiting]
    share = sum(len(gates) - start for _, start, _ in forks) / max(len(gates), 1)
    work = (state.work + circuit.num_qubits * SITE_WORK) * share
    if work > MAX_WORK:
        raise BackendError(
            f"Argument `shots` must leave noisy shots of an entangled circuit of "
            f"{circuit.num_qubits} qubits to be simulated in about an hour, but {shots} would take "
            f"{work / MAX_WORK:.0f}: a Clifford or shallower circuit, fewer shots or a device"
        )
    clean = np.setdiff1d(np.arange(shots), list(of_shot))
    if len(clean):
        ideal = MPSReference(state.finished(), tuple(measured), state.discarded)
        out[clean] = ideal.sample(len(clean), rng)
    for shot, start, forked in forks:
        _go_on(forked, gates[start:], of_shot[shot])
        noisy = MPSReference(forked.finished(), tuple(measured), forked.discarded)
        out[shot] = noisy.sample(1, rng)[0]
    return out


def _go_on(
    state: Evolving,
    gates: Sequence[tuple[int, NDArray[np.complex128], tuple[int, ...]]],
    errors: Sequence[Errors],
) -> None:
    left = list(errors)
    for place, matrix, qubits in gates:
        while left and left[0].after < place:
            _strike(state, left.pop(0))
        state.apply(matrix, qubits)
    for error in left:
        _strike(state, error)


def _strike(state: Evolving, error: Errors) -> None:
    k = len(error.qubits)
    for q, qubit in enumerate(error.qubits):
        number = int(error.paulis[0, q]) + 2 * int(error.paulis[0, k + q])
        if number:
            state.apply(_LETTERS[number - 1], (qubit,))


def misread(bits: BitArray, confusion: FloatArray, rng: np.random.Generator) -> BitArray:
    """Shots as they are read.

    Args:
        bits: ``(shots, m)``.
        confusion: ``(m, 2, 2)``, element ``[wire, read, true]``.
        rng: of the errors.
    """
    flips = confusion[np.arange(bits.shape[1]), 1 - bits, bits]
    return np.asarray(bits ^ (rng.random(bits.shape) < flips), dtype=np.uint8)

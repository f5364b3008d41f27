"""Sources of noise that device models lack, each put into compiled circuits from outside.

A source has one strength, root mean square where it differs from qubit to qubit; what is a qubit's
or a coupler's own is drawn once, by device label and seed, so that it is the same in every circuit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Gate, Instruction
from qiskit.circuit.library import RGate, RXGate, RZGate, RZZGate, UnitaryGate

from backends.base import CompiledTemplate
from backends.binding import bind_rows
from backends.checks import measured_qubits
from backends.engine import pauli
from backends.engine.evolve import Block, join, prepare
from backends.engine.steps import lower
from backends.native.rows import device_part, simulated
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, apply_confusion
from calibration.snapshot import DeviceSnapshot

BESIDE = "beside"
"""Name of what happens to neighbours while both take part in gates of their own."""
TWO_QUBIT_S = 40e-9
"""Taken for a two-qubit gate where a calibration gives no time (IQM)."""


@dataclass(frozen=True)
class Drawn:
    """What is a qubit's or a coupler's own."""

    part: DeviceSnapshot
    strength: float
    seed: int

    def own(self, *qubits: int) -> float:
        """Gaussian of root mean square ``strength``, the same whatever the order of a coupler."""
        labels = sorted(self.part.qubits[q].label for q in qubits)
        return self.strength * float(np.random.default_rng([self.seed, *labels]).standard_normal())


Items = list[tuple[Instruction, tuple[int, ...]]]
Added = Callable[[Instruction, tuple[int, ...], Drawn], Items]
"""What follows a gate on qubits."""


def _two(gate: Instruction, qubits: tuple[int, ...]) -> bool:
    return len(qubits) == 2 and gate.name != BESIDE


def _plain(gate: Gate) -> UnitaryGate:
    """A gate that no device has, and so no noise of its own."""
    return UnitaryGate(gate.to_matrix())


def static_z(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """An angle about z on both qubits of every two-qubit gate: ``static_z_rad``."""
    return [(RZGate(drawn.own(q)), (q,)) for q in qubits] if _two(gate, qubits) else []


def zz_own(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """Every coupler turns too far or not far enough: a ZZ angle of random sign after its gates."""
    return [(_plain(RZZGate(drawn.own(*qubits))), qubits)] if _two(gate, qubits) else []


def zz_common(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """All couplers turn too far by the same: ``zz_rad``."""
    return [(_plain(RZZGate(drawn.strength)), qubits)] if _two(gate, qubits) else []


def pulse(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """One-qubit pulses turn too far by a share of their angle, each qubit's its own."""
    share, turn = drawn.own(qubits[0]), {"sx": math.pi / 2, "x": math.pi}.get(gate.name)
    if turn is not None:
        return [(_plain(RXGate(share * turn)), qubits)]
    if gate.name in ("r", "rx"):
        axis = float(gate.params[1]) if gate.name == "r" else 0.0
        return [(_plain(RGate(share * float(gate.params[0]), axis)), qubits)]
    return []


def detuning(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """Every qubit is off its frequency, gates and waits alike; strength in rad a 100 ns."""
    if gate.name == "delay":
        seconds = delay_seconds(gate, drawn.part.dt_s)
    elif gate.name == BESIDE:
        return []
    else:
        found = None if gate.name == "rz" else drawn.part.gate(gate.name, qubits)
        known = None if found is None else found.duration_s
        seconds = TWO_QUBIT_S if known is None and len(qubits) == 2 else known or 0.0
    return [(RZGate(drawn.own(q) * seconds / 1e-7), (q,)) for q in qubits] if seconds else []


def crosstalk(gate: Instruction, qubits: tuple[int, ...], drawn: Drawn) -> Items:
    """ZZ between neighbours that take part in different two-qubit gates at the same time."""
    return [(_plain(RZZGate(drawn.own(*qubits))), qubits)] if gate.name == BESIDE else []


def misread(circuit: QuantumCircuit, p: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Readout errors have moved since the calibration, each qubit's one way or the other."""
    matrices = []
    for q in measured_qubits(circuit):
        own = drawn.own(q)
        up, down = max(own, 0.0), max(-own, 0.0)
        matrices.append(np.array([[1 - up, down], [up, 1 - down]]))
    return apply_confusion(p, matrices)


def leaked(circuit: QuantumCircuit, p: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Two-qubit gates lose a qubit with a small probability; what is lost is read as 1."""
    gates = [0] * circuit.num_qubits
    for item in circuit.data:
        if _entangles(item):
            for q in item.qubits:
                gates[circuit.find_bit(q).index] += 1
    lost = [1 - (1 - drawn.strength) ** gates[q] for q in measured_qubits(circuit)]
    return apply_confusion(p, [np.array([[1 - x, 0.0], [x, 1.0]]) for x in lost])


@dataclass(frozen=True)
class Source:
    """One source of noise.

    Attributes:
        name: in tables.
        strengths: tried.
        added: what follows gates.
        read: of the distribution that is read.
    """

    name: str
    strengths: tuple[float, ...]
    added: Added | None = None
    read: Callable[[QuantumCircuit, np.ndarray, Drawn], np.ndarray] | None = None


SOURCES = (
    Source("static z, rad a gate", (0.02, 0.045, 0.07, 0.1, 0.15), static_z),
    Source("detuning, rad a 100 ns", (0.01, 0.02, 0.045, 0.07, 0.1), detuning),
    Source("two-qubit angle, own sign, rad", (0.02, 0.045, 0.07, 0.1, 0.15), zz_own),
    Source("two-qubit angle, one sign, rad", (0.02, 0.045, 0.07, 0.1, 0.15), zz_common),
    Source("one-qubit angle, share", (0.01, 0.02, 0.04, 0.07, 0.1), pulse),
    Source("crosstalk ZZ, rad", (0.02, 0.05, 0.1, 0.2, 0.3), crosstalk),
    Source("readout moved", (0.01, 0.02, 0.04, 0.06, 0.1), read=misread),
    Source("leakage a gate, read as 1", (0.0005, 0.001, 0.002, 0.005, 0.01), read=leaked),
)
Parts = tuple[tuple[Source, float], ...]
"""Sources and strengths."""


def native(compiled: CompiledTemplate) -> CompiledTemplate:
    """A circuit without free angles in the pulses that simulators get."""
    ((_, template, rows),) = simulated(compiled, np.empty((1, 0)), scheduled=True)
    (circuit,) = bind_rows(template, rows)
    return replace(template, circuit=circuit, parameter_names=())


def distributions(compiled: CompiledTemplate, cases: Sequence[tuple[Parts, int]]) -> np.ndarray:
    """Outcomes ``(cases, 2**m)`` under the device's reported noise and some sources more.

    Args:
        compiled: from :func:`native`.
        cases: sources with strengths, and the seed of what is a qubit's own; sources beside each
            other draw apart.
    """
    part, circuit = device_part(compiled), compiled.circuit
    assert part is not None
    noise = DeviceNoise(part)
    drawn = [
        [(source, Drawn(part, x, seed + 1000 * k)) for k, (source, x) in enumerate(parts)]
        for parts, seed in cases
    ]
    cpu, blocks = torch.device("cpu"), []
    known: dict[object, tuple[np.ndarray, ...]] = {}
    for gate, qubits in _in_order(circuit, part):
        key = gate.name, tuple(map(float, gate.params)), qubits
        if key not in known:
            known[key] = _matrices(gate, qubits, noise, drawn)
        blocks += [Block(qubits, torch.as_tensor(matrix)) for matrix in known[key]]
    everything = list(range(circuit.num_qubits))
    states = prepare(join(blocks), everything, cpu).numpy()
    p = _read(states.reshape(-1, *(4,) * len(everything)), circuit, noise)
    p = np.broadcast_to(p, (len(cases), p.shape[1])).copy()
    for row, own in enumerate(drawn):
        for source, one in own:
            if source.read is not None:
                p[row] = source.read(circuit, p[row], one)
    return p


def _matrices(gate, qubits: tuple[int, ...], noise: DeviceNoise, drawn) -> tuple[np.ndarray, ...]:
    """In the Pauli basis: gate with its noise ``(1, d, d)``, then what each case adds."""
    found: list[np.ndarray] = []
    d = 4 ** len(qubits)
    if gate.name != BESIDE:
        whole = np.eye(d)
        circuit = QuantumCircuit(noise.snapshot.n_qubits)
        circuit.append(gate, qubits)
        for step in lower(_Circuit(circuit), noise):
            whole = step.parts[0] @ whole
        found.append(whole[None])
    extra = np.tile(np.eye(d), (len(drawn), 1, 1))
    for row, own in enumerate(drawn):
        for source, one in own:
            for more, where in [] if source.added is None else source.added(gate, qubits, one):
                matrix = pauli.of_unitary(np.asarray(more.to_matrix()))
                if len(where) < len(qubits):
                    eye = np.eye(4)
                    first = where[0] == qubits[0]
                    matrix = np.kron(matrix, eye) if first else np.kron(eye, matrix)
                extra[row] = matrix @ extra[row]
    return (*found, extra) if abs(extra - np.eye(d)).max() > 0 else tuple(found)


def _in_order(circuit: QuantumCircuit, part: DeviceSnapshot) -> list[tuple]:
    """Gates by layers of two-qubit ones, neighbours of different ones marked after each layer."""
    keyed, reached = [], [0] * circuit.num_qubits
    for item in circuit.data:
        if item.operation.name in ("measure", "barrier"):
            continue
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        level = max(reached[q] for q in qubits) + _entangles(item)
        for q in qubits:
            reached[q] = level
        keyed.append((level, not _entangles(item), item.operation, qubits))
    coupled = {frozenset(pair) for pair in part.couplings}
    out = []
    for level in range(max(reached) + 1):
        driven = [(gate, qubits) for at, rest, gate, qubits in keyed if at == level and not rest]
        out += driven
        for (_, one), (_, other) in combinations(driven, 2):
            pairs = [(a, b) for a in one for b in other if frozenset((a, b)) in coupled]
            out += [(Gate(BESIDE, 2, []), pair) for pair in pairs]
        out += [(gate, qubits) for at, rest, gate, qubits in keyed if at == level and rest]
    return out


def _entangles(item: CircuitInstruction) -> bool:
    return len(item.qubits) == 2 and item.operation.name != "barrier"


def _read(states: np.ndarray, circuit: QuantumCircuit, noise: DeviceNoise) -> np.ndarray:
    """Distributions ``(b, 2**m)``, first measured wire most significant, of ``(b, 4, ..., 4)``."""
    measured = measured_qubits(circuit)
    for q in range(circuit.num_qubits):
        seen = pauli.readout_effects(noise.confusion(q)) if q in measured else pauli.UNSEEN[None]
        states = np.moveaxis(np.tensordot(seen, states, axes=(1, q + 1)), 0, q + 1)
    unseen = [q for q in range(circuit.num_qubits) if q not in measured]
    p = states.transpose(0, *(q + 1 for q in (*measured, *unseen))).reshape(len(states), -1)
    p = p.clip(0.0)
    return p / p.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class _Circuit:
    """All that lowering reads of a compiled circuit."""

    circuit: QuantumCircuit

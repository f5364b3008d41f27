"""Smaller circuits of the structure of a compiled one, whose right answer is one bit string.

Part of the circuit's own gates, on its own qubits, is run forwards and then undone gate by gate, so
that every qubit comes back to 0; every second one is flipped before it is read, so that both
readout errors count. Nothing is compiled again: couplings, gates and their order are the circuit's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction

from backends.base import CircuitBatch, CompiledTemplate
from backends.delays import without_delays
from backends.rewrite import replaced
from qhw.analysis.probe.places import halves

FloatArray = NDArray[np.float64]

MOST_SHOTS = 4096
"""Of a probe: a share of one half is then known to 0.8 per cent."""
_LABEL = "probe"
_TWICE = "twice the depth"
_SHALLOW = 2
"""Layers of two-qubit gates that cannot be halved there and back."""
_ENOUGH = 4
"""Qubits from which on half of them still hold a two-qubit gate."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A circuit of known answer.

    Attributes:
        name: what it is of the circuit, in words.
        answer: the right outcome, an amplitude index.
        batch: what runs: one row, no free angles.
    """

    name: str
    answer: int
    batch: CircuitBatch = field(repr=False)

    @property
    def floor(self) -> float:
        """Share of right answers of a random device."""
        return float(2.0**-self.batch.compiled.n_measured)


@dataclass(frozen=True)
class _Placed:
    gate: Gate
    qubits: tuple[int, ...]


def probes_of(
    compiled: CompiledTemplate, angles: FloatArray, *, label: str, shots: int
) -> tuple[Probe, ...]:
    """Two or three probes of a compiled circuit at its first row of angles.

    Half the depth on all its qubits, and half the qubits at full depth, each half once; of fewer
    than four qubits half the depth and all of it, where that is next to nothing twice as much.

    Args:
        compiled: for a device.
        angles: ``(B, P)`` radians, columns ``compiled.parameter_names``.
        label: first part of the labels.
        shots: of a row of the circuit itself; a probe has no more, and :data:`MOST_SHOTS` at most.

    Raises:
        ValueError: an ideal device, or a circuit that measures, resets or decides on the way.
    """
    if compiled.snapshot is None:
        raise ValueError(
            "Argument `probe` must be left out of a device without noise: there is none to fit"
        )
    gates = _gates(compiled, angles)
    many = min(shots, MOST_SHOTS)
    return tuple(
        _probe(compiled, gates, qubits, part, name, f"{label}/{_LABEL}={place}", many)
        for place, (name, qubits, part) in enumerate(_parts(gates))
    )


def _parts(gates: Sequence[_Placed]) -> list[tuple[str, tuple[int, ...], int]]:
    """Of each probe its name, qubits, and of which part of the gates it goes there and back."""
    used = tuple(sorted({q for one in gates for q in one.qubits}))
    if len(used) < _ENOUGH:
        depth = max(_layers(gates))
        parts = (2, 1) if depth <= _SHALLOW else (4, 2)
        return [(_deep(depth, part), used, part) for part in parts]
    first, second = halves(used, [g.qubits for g in gates if len(g.qubits) == 2])
    return [
        ("half the depth", used, 4),
        ("half the qubits", first, 2),
        ("the other qubits", second, 2),
    ]


def _deep(depth: int, part: int) -> str:
    """How deep a probe is that goes through a part of some layers and back, rounded."""
    whole = 2 * -(-depth // part) / max(depth, 1)
    return "half the depth" if whole < 0.75 else "the whole depth" if whole < 1.5 else _TWICE


def _gates(compiled: CompiledTemplate, angles: FloatArray) -> list[_Placed]:
    """The circuit's gates at its first row, without waits, delays and measurements."""
    row = dict(zip(compiled.parameter_names, angles[0], strict=True))
    free = {p: row[p.name] for p in compiled.circuit.parameters}
    bound = without_delays(compiled.circuit.assign_parameters(free))
    index = {qubit: i for i, qubit in enumerate(bound.qubits)}
    read: set[int] = set()
    found = []
    for item in bound.data:
        qubits = tuple(index[q] for q in item.qubits)
        if item.operation.name == "barrier":
            continue
        if item.operation.name == "measure":
            read.update(qubits)
            continue
        if not isinstance(item.operation, Gate) or read.intersection(qubits):
            raise ValueError(
                "Argument `probe` must be left out of a circuit that measures, resets or decides "
                "before its end: it cannot be run backwards"
            )
        found.append(_Placed(item.operation, qubits))
    if not found:
        raise ValueError("Argument `probe` must be left out of a circuit without gates")
    return found


def _probe(
    compiled: CompiledTemplate,
    gates: Sequence[_Placed],
    qubits: Sequence[int],
    part: int,
    name: str,
    label: str,
    shots: int,
) -> Probe:
    """The first ``1 / part`` of the gates among some qubits, and back."""
    place = {q: i for i, q in enumerate(qubits)}
    inside = [g for g in gates if place.keys() >= set(g.qubits)]
    layers = _layers(inside)
    most = -(-max(layers, default=0) // part)
    there = [g for g, layer in zip(inside, layers, strict=True) if layer <= most]
    qc = QuantumCircuit(len(qubits), len(qubits))
    _append(qc, there, place, lambda gate: gate)
    qc.barrier()
    _append(qc, there[::-1], place, lambda gate: gate.inverse())
    qc.barrier()
    flipped = range(0, len(qubits), 2)
    qc.x(flipped)
    qc.measure(range(len(qubits)), range(len(qubits)))
    base = replace(
        compiled,
        circuit=qc,
        physical_qubits=tuple(compiled.physical_qubits[q] for q in qubits),
        parameter_names=(),
        n_measured=len(qubits),
    )
    made = replaced(base, qc)
    batch = CircuitBatch(label, made, np.empty((1, 0)), shots)
    return Probe(name, sum(1 << bit for bit in flipped), batch)


def _layers(gates: Sequence[_Placed]) -> list[int]:
    """Of each gate the two-qubit gates in a row that end with it, or before it."""
    depth: dict[int, int] = {}
    found = []
    for one in gates:
        layer = max(depth.get(q, 0) for q in one.qubits) + (len(one.qubits) > 1)
        depth.update(dict.fromkeys(one.qubits, layer))
        found.append(layer)
    return found


def _append(
    qc: QuantumCircuit,
    gates: Sequence[_Placed],
    place: dict[int, int],
    turned: Callable[[Gate], Instruction],
) -> None:
    for one in gates:
        qc.append(turned(one.gate), [place[q] for q in one.qubits])

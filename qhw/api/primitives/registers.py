"""Counts as Qiskit's samplers give them: an array of shots for every classical register."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Qubit
from qiskit.primitives import BitArray

from backends.outcomes import Outcomes

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_WAITS = ("barrier", "delay")


def measured_once(circuit: QuantumCircuit) -> tuple[QuantumCircuit, dict[int, int]]:
    """The circuit with every qubit that counts measured once, and where its bits come from.

    A bit that is written twice has what was written last; a qubit may be written to several bits.

    Args:
        circuit: from :func:`backends.plain.plain`; what is no final measurement stays.

    Returns:
        The circuit, and of each written classical bit the bit of that circuit with its value.
    """
    place = {bit: i for i, bit in enumerate(circuit.clbits)}
    final: dict[int, Qubit] = {}
    for item in circuit.data:
        if item.operation.name == "measure":
            final[place[item.clbits[0]]] = item.qubits[0]
        elif item.operation.name not in _WAITS and set(item.qubits) & set(final.values()):
            return circuit, {i: i for i in sorted(final)}  # refused by who compiles it, in a line
    qubits = [qubit for qubit in circuit.qubits if qubit in final.values()]
    out = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        ClassicalRegister(len(qubits), "measured"),
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    for item in circuit.data:
        if item.operation.name != "measure":
            out.append(item)
    for bit, qubit in enumerate(qubits):
        out.measure(qubit, bit)
    return out, {i: qubits.index(qubit) for i, qubit in sorted(final.items())}


def resampled(probabilities: FloatArray, shots: int, rng: np.random.Generator) -> IntArray:
    """Whole counts that stand for distributions, nothing random added beyond their rounding.

    Systematic resampling: every count is its share of the shots, rounded up or down, and right on
    average.

    Args:
        probabilities: ``(B, K)``, rows sum to 1.
        shots: of each row.
        rng: of the offsets.

    Returns:
        ``(B, K)``, rows sum to ``shots``.
    """
    edges = np.cumsum(probabilities, axis=1)
    edges *= shots / edges[:, -1:]
    edges[:, -1] = shots  # exactly: rounding must lose no shot
    places = np.floor(edges + rng.uniform(size=(len(edges), 1))).astype(np.int64)
    return np.diff(places, axis=1, prepend=0)


def shots_of(
    counts: IntArray, outcomes: Outcomes | None, n_bits: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Single shots that give these counts, in random order.

    Args:
        counts: ``(B, K)``, rows of one sum.
        outcomes: of the columns; ``None`` for all ``2**m`` in order.
        n_bits: m.
        rng: of the order.

    Returns:
        ``(B, shots, m)`` of 0 and 1, classical bit 0 first.
    """
    used = np.flatnonzero(counts.any(axis=0))
    if outcomes is None:
        bits = ((used[:, None] >> np.arange(n_bits)) & 1).astype(np.uint8)
    else:
        bits = outcomes.take(used).bits()[:, ::-1]
    rows = [rng.permutation(np.repeat(np.arange(len(used)), row)) for row in counts[:, used]]
    return bits[np.array(rows, dtype=np.int64)]


def register_arrays(
    circuit: QuantumCircuit,
    source: Mapping[int, int],
    shots: NDArray[np.uint8],
    shape: tuple[int, ...],
) -> dict[str, BitArray]:
    """Shots by register; a bit that nothing writes is 0.

    Args:
        circuit: whose registers.
        source: of its written classical bits, the column with the value.
        shots: ``(B, shots, m)``.
        shape: of the array of rows.
    """
    found = {}
    for register in circuit.cregs:
        table = np.zeros((*shots.shape[:2], register.size), dtype=np.bool_)
        for place, bit in enumerate(register):
            column = source.get(circuit.find_bit(bit).index)
            if column is not None:
                table[..., place] = shots[..., column]
        table = table.reshape(*shape, shots.shape[1], register.size)
        found[register.name] = BitArray.from_bool_array(table, order="little")
    return found

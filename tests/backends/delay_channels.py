"""Circuits in which every delay is a channel of its own, so that a lost or moved one shows.

A delay stands for damping and a turn about z that depend on its length in whole hundreds of
nanoseconds: what relaxation and detuning do, and like them unchanged by rotations about z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Duration
from qiskit.circuit.classical import expr
from qiskit.quantum_info import DensityMatrix, Kraus, Operator

from calibration.interaction import delay_seconds

STEP_S = 1e-7
UNITS = ("dt", "ns", "us", "ms", "s", "expr", "sum")


def delay_of(steps: int, unit: str, dt_s: float) -> Delay:
    """A delay of ``steps`` hundreds of nanoseconds."""
    seconds = steps * STEP_S
    if unit == "dt":
        return Delay(round(seconds / dt_s), "dt")
    if unit == "expr":
        return Delay(expr.mul(float(steps), Duration.ns(100.0)))
    if unit == "sum":
        return Delay(expr.add(Duration.us(seconds * 1e6 / 2), Duration.ns(seconds * 1e9 / 2)))
    return Delay(seconds / {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[unit], unit)


def channel(steps: int) -> Kraus:
    """What a delay of that length does here."""
    rng = np.random.default_rng(steps)
    gamma, angle = rng.uniform(0.1, 0.6), rng.uniform(-3, 3)
    turn = np.diag(np.exp([-0.5j * angle, 0.5j * angle]))
    stay = np.diag([1.0, np.sqrt(1 - gamma)]) @ turn
    fall = np.array([[0.0, np.sqrt(gamma)], [0.0, 0.0]]) @ turn
    return Kraus([stay, fall])


def random_circuit(rng: np.random.Generator, n: int, dt_s: float, units: tuple[str, ...] = UNITS):
    """Gates and delays of ``n`` qubits, measured into shuffled bits; lengths all differ."""
    circuit = QuantumCircuit(n, n)
    steps = 0
    for _ in range(14):
        kind, q = rng.integers(7), int(rng.integers(n))
        if kind == 0:
            circuit.h(q)
        elif kind == 1:
            circuit.ry(float(rng.uniform(-3, 3)), q)
        elif kind == 2:
            circuit.t(q)
        elif kind <= 4 and n > 1:
            a, b = rng.permutation(n)[:2].tolist()
            circuit.cx(a, b)
        elif kind == 5 and n > 1:
            circuit.barrier()
        else:
            steps += 1
            circuit.append(delay_of(steps, str(rng.choice(units)), dt_s), [q])
    circuit.measure(range(n), rng.permutation(n).tolist())
    return circuit


def distribution(
    circuit: QuantumCircuit, dt_s: float | None, *, ignore_waits: bool = True
) -> NDArray[np.float64]:
    """Outcome probabilities by classical bits, bit 0 least significant; waits do nothing."""
    state = DensityMatrix.from_int(0, 2**circuit.num_qubits)
    index = {qubit: i for i, qubit in enumerate(circuit.qubits)}
    of_bit = {}
    for item in circuit.data:
        places = [index[q] for q in item.qubits]
        name = item.operation.name
        if name == "barrier":
            continue
        if name == "measure":
            of_bit[circuit.find_bit(item.clbits[0]).index] = places[0]
        elif name == "delay":
            if item.operation.unit == "s" and ignore_waits:
                continue
            steps = delay_seconds(item.operation, dt_s) / STEP_S
            assert abs(steps - round(steps)) < 1e-6
            state = state.evolve(channel(round(steps)), places)
        else:
            state = state.evolve(Operator(item.operation), places)
    return np.asarray(state.probabilities([of_bit[bit] for bit in sorted(of_bit)]))


def reference(circuit: QuantumCircuit, dt_s: float | None) -> NDArray[np.float64]:
    """:func:`distribution` of a circuit before compilation: delays of any unit count."""
    plain = circuit.copy_empty_like()
    for item in circuit.data:
        operation = item.operation
        if operation.name == "delay" and operation.unit == "expr":
            left = operation.duration.left
            ns = (
                float(left.value) * 100.0
                if isinstance(left.value, float)
                else left.value.value() * 2e3
            )
            operation = Delay(ns, "ns")
        plain.append(operation, item.qubits, item.clbits)
    return distribution(plain, dt_s, ignore_waits=False)

"""Random native circuits with free angles on small invented devices."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, ParameterVector

from backends.base import CompiledTemplate
from calibration.snapshot import DeviceSnapshot
from tests.calibration.factory import line_device


def random_device(rng: np.random.Generator, n: int) -> DeviceSnapshot:
    """A line of ``n`` qubits, every number of it random."""
    device = line_device(n)
    qubits = []
    for q in device.qubits:
        t1 = float(rng.uniform(5e-6, 300e-6))
        t2 = t1 * float(rng.uniform(0.1, 2.0))
        flips = {"p10": float(rng.uniform(0, 0.1)), "p01": float(rng.uniform(0, 0.2))}
        qubits.append(q.model_copy(update={"t1_s": t1, "t2_s": t2, **flips}))
    gates = []
    for g in device.gates:
        error = 0.0 if g.name == "rz" else float(rng.uniform(0, 0.05))
        gates.append(g.model_copy(update={"error": error}))
    return line_device(n, qubits=tuple(qubits), gates=tuple(gates))


def random_template(
    rng: np.random.Generator,
    device: DeviceSnapshot,
    *,
    gates: int = 40,
    free: int = 4,
    data_until: float = 0.5,
) -> CompiledTemplate:
    """Gates, waits and barriers; free angles only in the first ``data_until`` of them."""
    n = device.n_qubits
    m = int(rng.integers(1, n + 1))
    circuit = QuantumCircuit(n, m)
    x = ParameterVector("x", free)
    for i in range(gates):
        kind, q = rng.integers(6), int(rng.integers(n))
        if kind <= 1:
            angle: object = float(rng.uniform(-3, 3))
            if i < data_until * gates:
                angle = x[int(rng.integers(free))] * float(rng.integers(1, 3)) + 0.1
            circuit.rz(angle, q)
        elif kind == 2:
            circuit.sx(q)
        elif kind == 3 and n > 1:
            a = int(rng.integers(n - 1))
            circuit.cz(*((a, a + 1) if rng.integers(2) else (a + 1, a)))
        elif kind == 4:
            circuit.append(Delay(float(rng.uniform(0, 5e-6)), "s"), [q])
        else:
            circuit.barrier()
    circuit.barrier()
    for bit, q in enumerate(rng.permutation(n)[:m].tolist()):
        circuit.measure(q, bit)
    physical = tuple(rng.permutation(n).tolist()) if n == 1 else tuple(range(n))
    return CompiledTemplate(
        circuit=circuit,
        parameter_names=tuple(p.name for p in x),
        n_measured=m,
        physical_qubits=physical,
        two_qubit_gates=circuit.num_nonlocal_gates(),
        two_qubit_depth=0,
        depth=circuit.depth(),
        duration_s=0.0,
        seed=0,
        snapshot=device,
    )

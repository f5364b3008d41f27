"""Predicted success of a compiled circuit, gate by gate as it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qiskit import QuantumCircuit

from backends.dynamic.surrogate import counted
from backends.figures import gate_error
from backends.native.schedule import idle_alap
from calibration.layout import Layout
from calibration.noise import Relaxation
from calibration.reading import placed
from calibration.snapshot import DeviceSnapshot

_WORST = 1e-12


@dataclass(frozen=True)
class Prediction:
    """What a snapshot says will happen.

    Attributes:
        layout: natural logarithm of success, and each share of it.
        two_qubit_errors: see :func:`backends.figures.sum_of_errors`.
        duration_s: from the first gate to the start of readout; 0 without timing.
    """

    layout: Layout
    two_qubit_errors: float
    duration_s: float


def predict(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, qubits: tuple[int, ...]
) -> Prediction:
    """Multiply (1 - error) of every gate and readout, and the survival of waiting qubits.

    Args:
        circuit: native gates; of a dynamic circuit its longest course counts.
        snapshot: the device.
        qubits: device qubit of each circuit qubit.

    Source: the estimated success probability of Nation and Treinish, PRX Quantum 4, 010327 (2023),
    with idle decay of an as-late-as-possible schedule added.
    """
    circuit = counted(circuit, snapshot, qubits)
    two = one = readout = errors = 0.0
    free = {*snapshot.virtual_gates, "barrier", "delay", "measure", "reset"}
    known: dict[tuple[str, tuple[int, ...]], tuple[float, float]] = {}
    items = placed(circuit)
    for _, name, places in items:
        if name in ("measure", "reset"):  # a reset is a measurement and a flip
            readout += _log(snapshot.qubits[qubits[places[0]]].readout_error)
        if name in free:
            continue
        found = known.get((name, places))
        if found is None:
            on = [qubits[p] for p in places]
            error = gate_error(name, on, snapshot)
            found = known[name, places] = (_log(error), error or 0.0)
        if len(places) == 2:
            two += found[0]
            errors += found[1]
        else:
            one += found[0]
    duration_s, idle_s = idle_alap(items, snapshot, qubits)
    idle = 0.0
    for wait, q in zip(idle_s, qubits, strict=True):
        qubit = snapshot.qubits[q]
        kept = Relaxation.during(wait, qubit.t1_s, qubit.t2_s).process_fidelity
        idle += _log(2 / 3 * (1 - kept))
    layout = Layout(two + one + readout + idle, qubits, two, one, readout, idle)
    return Prediction(layout, errors, duration_s)


def _log(error: float | None) -> float:
    return math.log(max(1 - (error or 0.0), _WORST))

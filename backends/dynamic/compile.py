"""Dynamic circuits onto a device's native gates, by Qiskit's passes."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from qiskit import QuantumCircuit
from qiskit.circuit import IfElseOp, Reset

from backends.delays import with_own_delays
from backends.dynamic.devices import check_runs_dynamic
from backends.native.levels import LEVELS
from backends.native.routing import Routed, as_given, check_fits, region_of, route
from backends.native.target import to_target
from calibration.snapshot import DeviceSnapshot

SEEDS = 3
"""Tried at level 3."""


def route_dynamic(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    *,
    level: int,
    seed: int,
    fractional: bool,
) -> Iterator[Routed]:
    """Candidates in native gates on device qubits.

    Args:
        circuit: from :func:`~backends.dynamic.circuit.opened`; parameters may be free.
        snapshot: the device.
        level: of Qiskit's effort; 3 tries more seeds.
        seed: of layout and routing, the first.
        fractional: with the gates that must be asked for.

    Raises:
        BackendError: the device cannot run it, or it does not fit.
    """
    check_runs_dynamic(circuit, snapshot)
    check_fits(circuit, snapshot)
    circuit = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    qubits = region_of(snapshot).qubits
    target = deepcopy(to_target(snapshot.restricted(qubits), fractional=fractional))
    target.add_instruction(IfElseOp, name="if_else")
    target.add_instruction(Reset(), {(q,): None for q in range(target.num_qubits)})
    for add in range(SEEDS if level == LEVELS[-1] else 1):
        yield route(as_given(circuit), target, qubits, level=level, seed=seed + add)

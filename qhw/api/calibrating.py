"""Readout errors of a device's qubits, measured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from qiskit import QuantumCircuit

from calibration.readout import ReadoutCalibration
from qhw.analysis.compare import default_model
from qhw.analysis.simulations import RunOn
from qhw.api.devices import DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.measuring import CircuitLike
from qhw.circuits.workload import Role, Workload, measured_circuit
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.calibrate import (
    calibrate_readout,
    calibration_template,
    measured_device_qubits,
)
from qhw.models.base import Model
from qhw.models.checkpoint import load
from qhw.models.exact import template_of
from qhw.scheduler import some_scheduler
from qhw.shot_counts import number_of_shots

_LOG = logging.getLogger(__name__)


def calibrate(
    circuit: CircuitLike | None = None,
    device: DeviceLike = DEFAULT_DEVICE,
    *,
    shots: int | str = 20_000,
    qubits: Sequence[int] | None = None,
    model: str | Path | Model | None = None,
    part: str = "decoder",
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    tell: Callable[[str], None] = _LOG.info,
) -> ReadoutCalibration:
    """Measure how a device's qubits are misread, alone and in pairs.

    Args:
        circuit: as for :func:`qhw.measure`, whose measured qubits are calibrated where the same
            seed puts them; its parameters need no angles.
        device: a simulator, or a backend that gives counts at once.
        shots: of each prepared state.
        qubits: of the device, in place of those that a circuit reads.
        model: whose circuit, where no circuit is given; the shipped one for devices by default.
        part: which circuit of the model, ``decoder`` or ``encoder``.
        seed: of compilation and simulated shots.
        workers: local processes that simulate; none by default.
        scheduler: address of a Dask cluster that simulates.
        tell: told what is being done.

    Returns:
        What ``to_json`` stores, for ``calibrations`` of :func:`qhw.measure`.

    Raises:
        ValueError: more than one of circuit, qubits and model; a device that takes jobs; or no
            such qubits.
        BackendError: the circuit does not fit the device, or a circuit failed.
        SchedulerError: the cluster cannot be used.

    Example:
        >>> found = calibrate(device="exact", qubits=[0, 1], shots=100)
        >>> [q.p10 for q in found.qubits]
        [0.0, 0.0]
    """
    backend = as_device(device).backend
    if backend is None:
        raise ValueError(
            f"Argument `device` must give counts at once, but {as_device(device).name} takes jobs"
        )
    if part not in ("decoder", "encoder"):
        raise ValueError(f"Argument `part` must be decoder or encoder, but is {part!r}")
    given = {"circuit": circuit, "qubits": qubits, "model": model}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ValueError(f"Argument `{named[1]}` must be left out beside {named[0]}, but is given")
    if qubits is None:
        template = _model_circuit(model, part) if circuit is None else _own_circuit(circuit)
        tell(f"compiling the {part if circuit is None else 'circuit'}, to calibrate what it reads")
        chosen = measured_device_qubits(backend.compile(template, seed=seed))
    else:
        chosen = tuple(qubits)
        calibration_template(backend.snapshot, chosen)  # before the first step is told
    tell(f"calibrating {len(chosen)} qubits, {shots} shots a state")
    with some_scheduler(workers, scheduler) as pool:
        return calibrate_readout(
            backend, chosen, shots=number_of_shots(shots), seed=seed, run=RunOn(pool)
        )


def _own_circuit(circuit: CircuitLike) -> QuantumCircuit:
    return circuit.circuit if isinstance(circuit, Workload) else measured_circuit(circuit)


def _model_circuit(model: str | Path | Model | None, part: str) -> QuantumCircuit:
    role: Role = "decoder" if part == "decoder" else "encoder"
    if isinstance(model, Model):
        loaded, name = model, f"live {type(model).__name__}"
    else:
        loaded, card = load(str(model or default_model()))
        name = card.name
    return template_of(loaded, role, "brickwork", name, f"calibration for its {role}").circuit

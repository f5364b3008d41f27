"""Readout errors of a device's qubits, measured."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qiskit import QuantumCircuit

from calibration.readout import ReadoutCalibration
from qhw.analysis.compare.model import default_model
from qhw.analysis.compare.simulations import RunOn
from qhw.analysis.head.calibration import HeadCalibration, HeadSettings
from qhw.analysis.head.measure import measure_head
from qhw.api.devices import DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.measuring import CircuitLike, check_complete
from qhw.circuits.workload import Role, Workload, measured_circuit
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.calibrate import (
    calibrate_readout,
    calibration_template,
    measured_device_qubits,
)
from qhw.models.base import Model
from qhw.models.checkpoint import load, shipped, weights_sha256
from qhw.models.exact import template_of
from qhw.paid.head import HeadRun
from qhw.paid.kept import Paying
from qhw.scheduler import some_scheduler
from qhw.shot_counts import number_of_shots

_LOG = logging.getLogger(__name__)


def calibrate(
    circuit: CircuitLike | None = None,
    device: DeviceLike = DEFAULT_DEVICE,
    *,
    bind: Mapping[str, object] | None = None,
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
        bind: of a circuit, as for :func:`qhw.measure`: OpenQASM 3's inputs that have no default.
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
    if bind and circuit is None:
        raise ValueError("Argument `bind` must be left out without a circuit, but is given")
    given = {"circuit": circuit, "qubits": qubits, "model": model}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ValueError(f"Argument `{named[1]}` must be left out beside {named[0]}, but is given")
    if qubits is None:
        template = _model_circuit(model, part) if circuit is None else _own_circuit(circuit, bind)
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


def calibrate_head(
    model: str | Path | Model | None = None,
    device: DeviceLike = "engine:ibm_boston",
    *,
    rows: int = 200,
    shots: int | str = 10_000,
    circuits: Sequence[str] = ("encoder", "decoder"),
    preparation: str = "brickwork",
    seed: int = 0,
    again: bool = False,
    tell: Callable[[str], None] = _LOG.info,
) -> HeadCalibration:
    """Run a model's circuits on inputs of known outcome, to refit its linear read-outs to a device.

    What comes back goes through the house's ridge regression (:mod:`qhw.models.refit`) where it is
    used: ``head`` of :func:`qhw.compare`. On a device that takes jobs, everything goes through the
    ledger within the device's budget, and the same call again takes up what was sent and pays
    nothing twice.

    Args:
        model: name of a shipped checkpoint, path of one, or a live model, which needs a device that
            gives counts at once; the shipped model that is meant for devices by default.
        device: where, see :func:`qhw.device`.
        rows: inputs of each circuit, 3 or more.
        shots: of each.
        circuits: ``encoder``, ``decoder`` or both.
        preparation: how amplitudes are loaded, as in :func:`qhw.compare`.
        seed: of inputs, compilation and simulated shots; :func:`qhw.compare` must have the same.
        again: on a device that takes jobs: send everything anew.
        tell: told what is being done.

    Returns:
        Counts with what they are of; ``to_json`` is what ``head`` of :func:`qhw.compare` reads.

    Raises:
        ValueError: a value out of range, or a live model on a device that takes jobs.
        CheckpointError: the model is unknown or damaged.
        AbilityError: its read-out cannot be refitted.
        BackendError: the device cannot run the circuits, or too few rows have counts.
        BudgetError: the device's budget or a cap would be passed; nothing was sent.

    Example:
        >>> found = calibrate_head(device="exact", rows=5, shots=100, circuits=["decoder"])
        >>> found.total_shots
        500
    """
    place = as_device(device)
    options = {"rows": rows, "shots": shots, "preparation": preparation, "seed": seed}
    settings = head_settings(model, place.name, circuits, **options)
    live = model if isinstance(model, Model) else None
    if place.backend is not None:
        if again:
            raise ValueError(
                f"Argument `again` must be given for a device that takes jobs, but {place.name} "
                "is a simulator here"
            )
        # in double precision; the caller's model stays as it is
        own = None if live is None else copy.deepcopy(live).eval()
        return measure_head(settings, place.backend, tell, own)
    if live is not None:
        raise ValueError(
            f"Argument `model` must be stored to run on {place.name}, which takes jobs, but is "
            f"a live {type(live).__name__}; qhw.save_model writes it"
        )
    paying = Paying(place.budget, place.project, "qhw.calibrate_head(...)")
    run, fresh = HeadRun.asked(settings, paying, again=again)
    run.send(tell, fresh=fresh)
    found = run.wait(tell)
    assert found is not None  # waited for without a limit
    return found


def head_settings(
    model: str | Path | Model | None, device: str, circuits: Sequence[str], **options: object
) -> HeadSettings:
    """What a calibration of read-outs is asked for.

    Args:
        model: as for :func:`calibrate_head`.
        device: name of the backend.
        circuits: whose counts are taken.
        options: rows, shots, preparation and seed; the defaults of the settings where left out.

    Raises:
        ValueError: a value out of range.
        CheckpointError: the model is unknown or damaged.
    """
    if "shots" in options:
        options["shots"] = number_of_shots(options["shots"])  # type: ignore[arg-type]
    named: str | Path = f"live {type(model).__name__}"
    if isinstance(model, Model):
        weights = weights_sha256(model)
    else:
        named = default_model() if model is None else _absolute(model)
        weights = weights_sha256(load(named)[0])
    return HeadSettings.parse(
        device=device,
        model=str(named),
        weights_sha256=weights,
        circuits=tuple(circuits),
        **options,
    )


def _absolute(model: str | Path) -> str:
    """A path holds from any folder that a run is taken up in; a shipped name stays."""
    return str(model) if str(model) in shipped() else str(Path(model).resolve())


def _own_circuit(circuit: CircuitLike, bind: Mapping[str, object] | None) -> QuantumCircuit:
    if isinstance(circuit, Workload):
        check_complete(None, bind)
        return circuit.circuit
    return measured_circuit(circuit, bind)


def _model_circuit(model: str | Path | Model | None, part: str) -> QuantumCircuit:
    role: Role = "decoder" if part == "decoder" else "encoder"
    if isinstance(model, Model):
        loaded, name = model, f"live {type(model).__name__}"
    else:
        loaded, card = load(str(model or default_model()))
        name = card.name
    return template_of(loaded, role, "brickwork", name, f"calibration for its {role}").circuit

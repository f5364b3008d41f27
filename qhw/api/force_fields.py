"""Force fields, used like every calculator of ASE."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args, overload

from calibration.closest import quoted
from qhw.analysis.force.device import (
    FieldOnDevice,
    Reader,
    Reading,
    SimulatedReader,
    asked_of,
    measured_reading,
)
from qhw.analysis.force.rows import ForceRows, ForceRule
from qhw.analysis.force.shot_plan import Precision, parse_precision
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.measuring import begun, begun_together
from qhw.chem.geometries import Geometries
from qhw.forces.evaluate import Evaluation, evaluate
from qhw.forces.model import ForceField
from qhw.forces.spin_model import SpinField
from qhw.mitigation.pipeline import Pipeline
from qhw.models.base import Model
from qhw.models.checkpoint import load
from qhw.paid.expect import ExpectRun
from qhw.shot_counts import number_of_shots

if TYPE_CHECKING:
    from qhw.analysis.force.calculator import DeviceCalculator
    from qhw.forces.calculator import ForceFieldCalculator

_LOG = logging.getLogger(__name__)


_ASE = "ASE is not installed: pip install 'qhw[ase]'"


@overload
def calculator(model: str | Path | Model, device: None = None) -> ForceFieldCalculator: ...


@overload
def calculator(
    model: str | Path | Model,
    device: DeviceLike,
    *,
    shots: int | str | None = ...,
    precision: str | None = ...,
    mitigation: str = ...,
    forces: ForceRule = ...,
    seed: int = ...,
) -> DeviceCalculator: ...


def calculator(
    model: str | Path | Model,
    device: DeviceLike | None = None,
    *,
    shots: int | str | None = None,
    precision: str | None = None,
    mitigation: str = "none",
    forces: ForceRule = "shift",
    seed: int = 0,
) -> ForceFieldCalculator | DeviceCalculator:
    """A trained force field as a calculator of ASE: energy, free energy and forces, eV and Å.

    With a device, every atom's circuit runs on it, and ``results`` has standard errors beside:
    ``energy_error`` and ``forces_error``.

    Args:
        model: name of a shipped force field, path of a checkpoint, or a live one.
        device: ``None`` for exact values by the torch model; else a simulator, a device model or
            ``emulator:...``, see :func:`qhw.device`. What costs money is refused: dynamics would
            send a paid run a step.
        shots: of each atom's circuit and each shifted one, mitigation counted; may be left out on
            ``exact``, for exact values by way of the circuits.
        precision: in place of shots, the standard error wanted: ``"1kcal/mol"`` of energies,
            ``"65meV/A"`` of forces (root mean square over components), or both with a comma.
        mitigation: a pipeline such as ``"readout+zne(1,3)"``.
        forces: ``shift``: parameter shift of every angle, chained to coordinates; ``finite``:
            differences of moved atoms; ``classical``: the slope of the circuit as simulated
            without noise, forces that the device has no part in.
        seed: of compilation, random choices and simulated shots, together with the geometry.

    Raises:
        ValueError: a model of another kind or without a circuit, a device that costs money, neither
            or both of shots and precision.
        CheckpointError: the model is unknown or damaged.
        ModuleNotFoundError: ASE is not installed.
    """
    try:
        from qhw.forces.calculator import ForceFieldCalculator
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("ase"):
            raise
        raise ModuleNotFoundError(_ASE, name="ase") from None
    if device is None:
        if shots is not None or precision is not None or mitigation != "none" or forces != "shift":
            raise ValueError(
                "Argument `device` must be given for shots, precision, mitigation or forces"
            )
        return ForceFieldCalculator(force_field(model))
    from qhw.analysis.force.calculator import DeviceCalculator

    return DeviceCalculator(
        field_on_device(
            model,
            device,
            shots=shots,
            precision=precision,
            mitigation=mitigation,
            forces=forces,
            seed=seed,
        )
    )


def stepping_calculator(
    model: str | Path | Model,
    device: DeviceLike | None,
    shots: int | str | None,
    precision: str | None,
    mitigation: str,
    forces: str,
    seed: int,
) -> ForceFieldCalculator | DeviceCalculator:
    """:func:`calculator` of what a command line gave.

    Raises:
        ValueError: see :func:`calculator`.
        ModuleNotFoundError: ASE is not installed.
    """
    options: dict[str, Any] = {
        "shots": shots,
        "precision": precision,
        "mitigation": mitigation,
        "forces": forces,
        "seed": seed,
    }
    made: ForceFieldCalculator | DeviceCalculator = calculator(model, cast(Any, device), **options)
    return made


def field_on_device(
    model: str | Path | Model,
    device: DeviceLike,
    *,
    shots: int | str | None,
    precision: str | None,
    mitigation: str,
    forces: ForceRule,
    seed: int,
    paid: bool = False,
) -> FieldOnDevice:
    """A force field whose circuits run on a device; arguments as of :func:`calculator`.

    Args:
        model: as of :func:`calculator`, as are the others.
        paid: geometries are few and known beforehand, so that the device may cost money: within
            its budget, and shots must be given.

    Raises:
        ValueError: see :func:`calculator`.
    """
    if forces not in get_args(ForceRule):
        raise ValueError(
            f'Argument `forces` must be "shift", "finite" or "classical", but is {forces!r}'
        )
    place = as_device(device)
    costs = place.takes_jobs and not place.name.startswith("emulator:")
    if costs and not paid:
        raise ValueError(
            f"Argument `device` must cost nothing, but {quoted(place.name)} does, and every new "
            "geometry would be a paid run; measure the field's `circuits` with qhw.expect, or "
            f"compare some frames by `qhw force-field compare`, or use "
            f"emulator:{place.name.partition(':')[2]}"
        )
    if costs and precision is not None:
        raise ValueError(
            f"Argument `shots` must be given on {place.name}: planning by `precision` would pay "
            f"for a trial; plan on emulator:{place.name.partition(':')[2]}"
        )
    if precision is not None and shots is not None:
        raise ValueError("Argument `precision` must be left out where `shots` are given")
    asked: int | Precision | None = None if shots is None else number_of_shots(shots)
    if precision is not None:
        asked = parse_precision(precision)
    if asked is None and (place.name != "exact" or mitigation != "none"):
        raise ValueError(
            f"Argument `shots` must be given on {place.name}, or `precision` in its place"
        )
    Pipeline.parse(mitigation).check("expectation")
    found = force_field(model)
    if isinstance(found, SpinField):
        raise ValueError(
            f"Argument `model` must be of kind {ForceField.kind} to give forces on {place.name}, "
            f"but is of kind {found.kind}; measure its `circuits` with qhw.expect"
        )
    if not found.config.head.quantum:
        raise ValueError(
            f"Argument `model` must have a circuit to run on {place.name}, but its head is "
            f"{found.config.head.kind}"
        )
    noisy = place.name != "exact" or mitigation != "none"
    return FieldOnDevice(
        found, _reader(place, mitigation, seed), asked, forces, seed=seed, noisy=noisy
    )


def _reader(place: Device, mitigation: str, seed: int) -> Reader:
    if place.backend is not None:
        return SimulatedReader(place.backend, mitigation, seed)

    def read(rows: ForceRows, shots: int | None, drawn: int) -> Reading:
        assert shots is not None  # checked: only `exact` has exact values
        asked = asked_of(rows, place.name, mitigation, shots, drawn)
        run = begun(ExpectRun, place, rows.work, asked, again=False, tell=_LOG.info)
        found = run.wait(_LOG.info)
        assert found is not None  # waited for without a limit
        return measured_reading(rows, found)

    return read


def send_together(place: Device, fields: Mapping[str, FieldOnDevice], frames: Geometries) -> None:
    """Price energies and forces by several pipelines, then send them: one budget holds for all.

    What was sent before is taken up. The fields find their runs in the ledger.

    Args:
        place: a device that takes jobs.
        fields: on that device, by pipeline.
        frames: of all.

    Raises:
        BackendError: the device would refuse one.
        BudgetError: the budget or a cap would be passed.
    """
    asked = []
    for pipeline, field in fields.items():
        rows, shots, seed = field.planned(frames, forces=True)
        assert shots is not None  # checked: only `exact` has exact values
        asked.append((rows.work, asked_of(rows, place.name, pipeline, shots, seed)))
    begun_together(ExpectRun, place, asked, again=False, tell=_LOG.info)


def force_field(model: str | Path | Model) -> ForceField:
    """A force field in double precision; a live one stays as it is.

    Raises:
        ValueError: a model of another kind.
        CheckpointError: the model is unknown or damaged.
    """
    found = copy.deepcopy(model) if isinstance(model, Model) else load(model)[0]
    if not isinstance(found, ForceField):
        raise ValueError(
            f"Argument `model` must be a force field, but {quoted(str(model)[:80])} is of kind "
            f"{found.kind}"
        )
    return found.double().eval()


def evaluate_force_field(
    model: str | Path | Model, data: str | Path, unit: str | None = None
) -> Evaluation:
    """Errors of a force field on a file of labelled geometries.

    Args:
        model: as for :func:`calculator`.
        data: rMD17's ``.npz``, or ``.xyz``/``.extxyz``.
        unit: of its energies: ``eV``, ``kcal/mol`` or ``Ha``.

    Raises:
        ValueError: a model of another kind, or a file that cannot be used.
    """
    from qhw.forces.files import energy_unit

    return evaluate(force_field(model), Path(data), energy_unit(unit))

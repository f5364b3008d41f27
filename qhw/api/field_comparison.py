"""A force field compared on a device: raw, mitigated, exact, labels and controls."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from qhw.analysis.force.compare import (
    FieldComparison,
    FieldValues,
    controls_of,
    device_reading,
    exact_reading,
    labels_of,
)
from qhw.analysis.force.rows import ForceRule
from qhw.api.devices import DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.force_fields import field_on_device, send_together
from qhw.chem.geometries import check_geometry
from qhw.forces.files import energy_unit, read_geometries
from qhw.models.base import Model
from qhw.models.checkpoint import load
from qhw.report.force_field import write_field_comparison

MAX_FRAMES = 1_000


def compare_force_field(
    model: str | Path | Model,
    data: str | Path,
    device: DeviceLike,
    *,
    frames: int = 5,
    shots: int | str | None = None,
    precision: str | None = None,
    mitigation: str = "readout+zne(1,3)",
    forces: ForceRule = "shift",
    seed: int = 0,
    unit: str | None = None,
) -> FieldComparison:
    """Energies and forces on a device beside exact ones and labels, raw and mitigated.

    On a device that takes jobs everything goes through the ledger within the device's budget, which
    holds for raw and mitigated runs together; the same call again takes up what was sent.

    Args:
        model: name of a shipped force field, path of a checkpoint, or a live one.
        data: file of labelled geometries, see :func:`qhw.forces.files.read_geometries`.
        device: as for :func:`qhw.calculator`, or one that costs money, with a budget:
            ``qhw.device("braket:iqm_garnet", budget="20usd")``.
        frames: how many, spread evenly over the file.
        shots: of each row, as for :func:`qhw.calculator`.
        precision: in place of shots.
        mitigation: a pipeline; ``none`` for raw values only.
        forces: as for :func:`qhw.calculator`.
        seed: of everything random.
        unit: of energies in the file.

    Raises:
        ValueError: as :func:`qhw.calculator`; a file that cannot be used or too few frames in it.
        BudgetError: the budget or a cap would be passed; nothing was sent.
    """
    place = as_device(device)
    pipelines = dict.fromkeys(["none", mitigation])
    readers = {
        pipeline: field_on_device(
            model,
            place,
            shots=shots,
            precision=precision,
            mitigation=pipeline,
            forces=forces,
            seed=seed,
            paid=True,
        )
        for pipeline in pipelines
    }
    field = readers["none"].model
    path = Path(data)
    every, digest = read_geometries(path, energy_unit(unit))
    if not 1 <= frames <= min(len(every), MAX_FRAMES):
        raise ValueError(
            f"Argument `frames` must be from 1 to {min(len(every), MAX_FRAMES)}, but is {frames}"
        )
    chosen = every[np.arange(frames) * len(every) // frames]
    check_geometry(chosen, field.config.invariants.species, str(path))
    if place.takes_jobs:
        send_together(place, readers, chosen)
    exact = field.energy_and_forces(chosen)
    readings = [exact_reading(chosen, exact, seed)]
    measured = {
        "labels": FieldValues.known(*labels_of(chosen)),
        "exact": FieldValues.known(*exact),
    }
    for pipeline, reader in readers.items():
        name = "raw" if pipeline == "none" else pipeline
        found = reader.evaluate(chosen, forces=True)
        readings.append(device_reading(name, chosen, exact, found, seed))
        assert found.forces is not None
        assert found.forces_error is not None
        measured[name] = FieldValues(
            found.energies, found.forces, found.energy_error, found.forces_error
        )
    card = None if isinstance(model, Model) else load(model)[1]
    return FieldComparison(
        "live" if card is None else card.name,
        place.name,
        path.name,
        digest,
        frames,
        seed,
        forces,
        tuple(readings),
        {} if card is None else controls_of(card.metrics),
        measured,
    )


def save_field_comparison(found: FieldComparison, folder: str | Path, command: str = "") -> Path:
    """Write ``report.html``, ``result.json`` and ``values.csv`` into a new folder of a run.

    Raises:
        OutputError: it cannot be written.
    """
    words = command or f"qhw force-field compare {shlex.quote(found.model)}"
    return write_field_comparison(found, Path(folder), words)

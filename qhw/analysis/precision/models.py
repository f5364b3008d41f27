"""Circuits of a model, a few rows of them bound, for planning the shots of a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.vendor import VendorBackend
from qhw.analysis.compare.draw import draw_latents
from qhw.analysis.compare.early import check_device
from qhw.analysis.compare.model import (
    check_request,
    given_molecules,
    make_prior,
    model_runner,
    prior_latents,
)
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import Notify
from qhw.analysis.precision.asked import Precision
from qhw.analysis.precision.distances import Distances
from qhw.analysis.precision.errors import Error, mean_distance
from qhw.analysis.precision.modelled import fewest_of
from qhw.circuits.workload import Role, Workload
from qhw.models.base import Model
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ROLES, ExactModel
from qhw.models.prior_conditions import asked_for

FloatArray = NDArray[np.float64]

_ROWS = 6
"""That stand for all: rows of a model differ little in how noisy shots leave them."""


def distances_of_model(
    settings: Settings,
    backend: Backend | VendorBackend,
    wanted: Precision,
    notify: Notify,
    model: Model | None = None,
) -> Distances:
    """A model's circuits, compiled; of angles its encoder alone.

    Args:
        settings: of the comparison; its shots are set aside.
        backend: where it will run.
        wanted: precision.
        notify: told what is being done.
        model: a live one; by default the checkpoint that ``settings.model`` names is loaded.

    Raises:
        ValueError: as :func:`qhw.analysis.compare.model.compare`.
        CheckpointError: the model is unknown or damaged.
        BackendError: the device is unknown or cannot run the circuits.
    """
    check_request(settings)
    if model is None:
        model, _ = load(settings.model)
    settings = settings.model_copy(update={"shots": fewest_of(backend)})
    check_device(settings, model, backend)
    asked = asked_for(settings.condition, model, settings.model, settings.prior)
    exact = ExactModel(model.double(), settings.model, f"task {settings.task}", asked.of_model)
    angle = wanted.quantity == "angle"
    roles = [role for role in ROLES[settings.task] if not angle or role == "encoder"]
    found = _inputs(settings, exact, asked.prior)
    works = []
    for role in roles:
        notify(f"{role}: preparing {len(found[role])} inputs to plan shots with")
        work = exact.workload(role, found[role], settings.preparation, seed=settings.seed)
        works.append(_padded(work, settings.molecules))
    runner = model_runner(settings, exact.model, cast(Backend, backend), notify)
    rows = np.arange(min(_ROWS, settings.molecules))
    read = _angles(exact) if angle else mean_distance
    return Distances.placing(runner, tuple(works), backend, rows, read)


def _inputs(settings: Settings, exact: ExactModel, prior: str | None) -> dict[Role, FloatArray]:
    """Data of a few rows, evenly among all, as they would be without noise."""
    count = settings.molecules
    chosen = np.unique(np.linspace(0, count - 1, min(_ROWS, count)).round().astype(np.int64))
    sample = sample_for(exact.model)
    if settings.task == "generate":
        latents = prior_latents(
            make_prior(prior, exact, sample, settings.seed), count, settings.seed
        )
        return {"decoder": latents[chosen]}
    given = given_molecules(settings, sample).take(chosen)
    inputs = exact.inputs(given.molecules)
    if settings.task == "encode":
        return {"encoder": inputs}
    kappa = (
        (settings.kappa if settings.kappa is not None else exact.kappa) if settings.draw else None
    )
    mu = exact.direction(exact.encoder(inputs))
    latents = draw_latents(mu, kappa, settings.seed, chosen)
    return {"encoder": inputs, "decoder": exact.conditioned(latents, given.molecules)}


def _padded(work: Workload, rows: int) -> Workload:
    """As many rows as will run, the others zeros: shots and prices depend on their number."""
    angles = np.zeros((rows, work.angles.shape[1]))
    angles[: len(work.angles)] = work.angles
    names = tuple(map(str, range(rows)))
    return replace(work, angles=angles, row_names=names, known=None, fidelity=None)


def _angles(exact: ExactModel) -> Error:
    """Root mean square angle of mean directions, radians."""

    def error(found: FloatArray, reference: FloatArray) -> float:
        cosines = (exact.direction(found) * exact.direction(reference)).sum(axis=1)
        return float(np.sqrt((np.arccos(np.clip(cosines, -1.0, 1.0)) ** 2).mean()))

    return error

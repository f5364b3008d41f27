"""What the cells of a worker share: models, rows, exact distributions. Computed once a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.baselines import prior_mean, uniform
from qhw.analysis.compare import held_out, make_prior, prior_latents
from qhw.analysis.draw import draw_latents
from qhw.analysis.tasks import ExactModel
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.validity import ValidityReport, judge
from qhw.circuits.templates import CircuitTemplate, Preparation, data_angles
from qhw.models.base import Role
from qhw.models.checkpoint import load
from qhw.study.circuits import template_of
from qhw.study.config import StudyConfig, StudyTask

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Material:
    """A model and its rows without any device.

    Attributes:
        exact: the model.
        templates: circuits before compilation.
        angles: of the first circuit ``(K, P)``, columns its template's data parameters.
        encoder: exact encoder distributions ``(K, d)``, ``reconstruct`` only.
        kappa: of the draw, ``None`` for none.
        target: exact decoder distributions ``(K, 2**n)``: what the device is compared with.
        molecules: decoded from ``target``.
        prior_mean: baseline ``(K, 2**n)``.
        uniform: baseline ``(K, 2**n)``.
    """

    exact: ExactModel
    templates: dict[Role, CircuitTemplate]
    angles: FloatArray
    encoder: FloatArray | None
    kappa: float | None
    target: FloatArray
    molecules: MoleculeBatch
    prior_mean: FloatArray
    uniform: FloatArray

    @cached_property
    def exact_valid(self) -> int:
        """How many of ``molecules`` are strictly valid."""
        return judge(self.molecules).valid

    @cached_property
    def constant(self) -> ValidityReport:
        """Judgement of the molecules that ``prior_mean`` decodes to."""
        return judge(self.exact.molecules(self.prior_mean))


def material(model: str, digest: str, seed: int, config: StudyConfig) -> Material:
    """Rows of a study's cells.

    Args:
        model: shipped name or file.
        digest: of its tensors, so that a file that changed is read again.
        seed: of latents or molecules.
        config: the study.

    Raises:
        ValueError: an unknown model, or more molecules than there are.
    """
    return _material(
        model,
        digest,
        seed,
        config.task,
        config.molecules,
        config.prior,
        config.draw,
        config.preparation,
    )


@lru_cache(maxsize=8)
def _material(
    name: str,
    digest: str,
    seed: int,
    task: StudyTask,
    rows: int,
    prior: str | None,
    draw: bool,
    preparation: Preparation,
) -> Material:
    model, card = load(name)
    if card.sha256 != digest:
        raise ValueError(f"{name} has changed since the study began; start the study again.")
    exact = ExactModel(model.double(), card.name, f"task {task}")
    sample = sample_molecules()
    encoder, kappa = None, None
    templates: dict[Role, CircuitTemplate] = {
        "decoder": template_of(exact.model, "decoder", preparation)
    }
    if task == "generate":
        latents = prior_latents(make_prior(prior, exact, sample, seed), rows, seed)
        angles = data_angles(templates["decoder"], latents, seed=seed).angles
    else:
        templates["encoder"] = template_of(exact.model, "encoder", preparation)
        inputs = exact.inputs(held_out(rows, sample, seed).molecules)
        angles = data_angles(templates["encoder"], inputs, seed=seed).angles
        encoder = exact.encoder(inputs)
        kappa = exact.kappa if draw else None
        latents = draw_latents(exact.direction(encoder), kappa, seed)
    target = exact.decoder(latents)
    return Material(
        exact=exact,
        templates=templates,
        angles=angles,
        encoder=encoder,
        kappa=kappa,
        target=target,
        molecules=exact.molecules(target),
        prior_mean=prior_mean(target),
        uniform=uniform(target),
    )

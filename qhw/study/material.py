"""What the cells of a worker share: models, rows, exact distributions. Computed once a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.draw import draw_latents
from qhw.analysis.compare.measure import exact_distributions
from qhw.analysis.compare.model import held_out, make_prior, prior_latents
from qhw.analysis.scores.baselines import constant_distances, prior_mean
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.validity import ValidityReport, judge
from qhw.circuits.templates import Preparation
from qhw.circuits.workload import Workload
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.study.config import StudyConfig, StudyTask

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Material:
    """A model, or a person's own circuit, and its rows without any device.

    Attributes:
        exact: the model; ``None`` of a circuit.
        first: the circuit that runs first and its K rows.
        preparation: how amplitudes are loaded.
        kappa: of the draw, ``None`` for none.
        target: exact distributions ``(K, 2**n)`` of the decoder or circuit: what the device is
            compared with.
        molecules: decoded from ``target``; ``None`` of a circuit.
        given: molecules that go in; ``None`` where none do.
        prior_mean: baseline ``(K, 2**n)``.
        baselines: ``(2, K)`` distances of the uniform distribution and of ``prior_mean``.
    """

    exact: ExactModel | None
    first: Workload
    preparation: Preparation
    kappa: float | None
    target: FloatArray
    molecules: MoleculeBatch | None
    given: MoleculeBatch | None
    prior_mean: FloatArray
    baselines: FloatArray

    @cached_property
    def decoded(self) -> Decoded | None:
        """What the model makes of ``target`` and of ``prior_mean``."""
        if self.exact is None or self.molecules is None:
            return None
        constant = judge(self.exact.molecules(self.prior_mean))
        return Decoded(self.exact, self.molecules, judge(self.molecules).valid, constant)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A model's molecules without any device.

    Attributes:
        exact: the model.
        molecules: of the exact distributions.
        valid: how many of them are strictly valid.
        constant: judgement of those that the baseline decodes to.
    """

    exact: ExactModel
    molecules: MoleculeBatch
    valid: int
    constant: ValidityReport


def material(
    model: str, digest: str, seed: int, config: StudyConfig, packed: bytes | None = None
) -> Material:
    """Rows of a study's cells.

    Args:
        model: shipped name or file.
        digest: of its tensors, so that a file that changed is read again.
        seed: of latents or molecules.
        config: the study.
        packed: a person's own circuit and rows, as :meth:`Workload.to_bytes` gives them.

    Raises:
        ValueError: an unknown model, or more molecules than there are.
    """
    if packed is not None:
        return _circuit_material(packed, config.preparation)
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
    sample = sample_for(model)
    kappa, given = None, None
    if task == "generate":
        latents = prior_latents(make_prior(prior, exact, sample, seed), rows, seed)
        first = exact.workload("decoder", latents, preparation, seed=seed)
    else:
        given = held_out(rows, sample, seed).molecules
        inputs = exact.inputs(given)
        first = exact.workload("encoder", inputs, preparation, seed=seed)
        kappa = exact.kappa if draw else None
        drawn = draw_latents(exact.direction(exact.encoder(inputs)), kappa, seed)
        latents = exact.conditioned(drawn, given)
    target = exact.decoder(latents)
    return _beside_constants(exact, first, preparation, kappa, target, given)


@lru_cache(maxsize=8)
def _circuit_material(packed: bytes, preparation: Preparation) -> Material:
    work = Workload.from_bytes(packed)
    return _beside_constants(None, work, preparation, None, exact_distributions(work).distributions)


def _beside_constants(
    exact: ExactModel | None,
    first: Workload,
    preparation: Preparation,
    kappa: float | None,
    target: FloatArray,
    given: MoleculeBatch | None = None,
) -> Material:
    return Material(
        exact=exact,
        first=first,
        preparation=preparation,
        kappa=kappa,
        target=target,
        molecules=None if exact is None else exact.molecules(target),
        given=given,
        prior_mean=prior_mean(target),
        baselines=constant_distances(target),
    )

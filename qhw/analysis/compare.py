"""The main job: a model's circuits on a device, compared with the exact statevector."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.checks import check_shots
from backends.registry import get_backend
from calibration.closest import quoted
from qhw.analysis.comparison import Comparison, assemble, model_facts, runner_of
from qhw.analysis.condition_section import condition_sections
from qhw.analysis.early import check_device, check_used
from qhw.analysis.molecule_scores import reports
from qhw.analysis.result import Settings
from qhw.analysis.stage import Notify, StageRunner
from qhw.analysis.tasks import Outcome, encode, generate, reconstruct
from qhw.chem.qm9 import QM9
from qhw.chem.sdf_reader import NamedMolecules, read_sdf
from qhw.latent.priors import Prior, fitted_prior
from qhw.latent.registry import PRIORS
from qhw.models.base import Model
from qhw.models.checkpoint import CheckpointError, load, shipped
from qhw.models.conditions import asked_condition, named_condition, sample_for, scales_of
from qhw.models.exact import ExactModel
from qhw.scheduler import Scheduler

FloatArray = NDArray[np.float64]

_PRIOR_STREAM, _CHOICE_STREAM = 21, 22
_LOG = logging.getLogger(__name__)


def compare(
    settings: Settings,
    *,
    backend: Backend | None = None,
    model: Model | None = None,
    command: str = "",
    notify: Notify = _LOG.info,
    moment: datetime | None = None,
    scheduler: Scheduler | None = None,
) -> Comparison:
    """Run a task on a device and compare it with the same task done exactly.

    Args:
        settings: what to do.
        backend: where; by default the simulator that ``settings.device`` names.
        model: a live one; by default the checkpoint that ``settings.model`` names is loaded.
        command: written into the result.
        notify: told what is being done.
        moment: to which ages of calibrations are counted, by default now.
        scheduler: where the device is simulated and molecules are judged; in this process by
            default.

    Raises:
        ValueError: an unknown prior, an option that the task would ignore, a bad input file, or
            too few molecules in it.
        CheckpointError: the model is unknown or damaged.
        BackendError: the device is unknown or cannot run the circuits.
        TooFewRowsError: so many circuits failed that nothing is left to compare.
    """
    start = datetime.now(UTC)
    check_request(settings)
    begins, backend = backend is None, backend or get_backend(settings.device)
    card = None
    if model is None:
        model, card = load(settings.model)
    if begins:
        check_shots(settings.shots)
        check_device(settings, model, backend)
    asked = asked_condition(settings.condition, scales_of(model), settings.model)
    exact = ExactModel(model.double(), settings.model, f"task {settings.task}", asked)
    sample = sample_for(model)
    runner = model_runner(settings, exact.model, backend, notify, moment)
    outcome = _run(settings, exact, replace(runner, scheduler=scheduler), sample)
    notify("judging molecules")
    judged = {
        source: reports(batch, scheduler=scheduler) for source, batch in outcome.molecules.items()
    }
    condition = {} if asked is None else named_condition(scales_of(model), asked)
    sections = (*outcome.sections, *condition_sections(condition, judged))
    outcome = replace(outcome, judged=judged, sections=sections)
    return assemble(
        settings,
        outcome,
        backend,
        model=model_facts(model, card, settings.model),
        command=command,
        start=start,
        qm9=sample.molecules,
    )


def model_runner(
    settings: Settings,
    model: Model,
    backend: Backend,
    notify: Notify,
    moment: datetime | None = None,
) -> StageRunner:
    """What runs the circuits of a task: :func:`runner_of`, with what the model says of them.

    Raises:
        ValueError: as :func:`runner_of`.
    """
    runner = runner_of(settings, backend, notify, moment)
    return replace(runner, preparation=settings.preparation, structure=model.structure)


def _run(settings: Settings, exact: ExactModel, runner: StageRunner, sample: QM9) -> Outcome:
    if settings.task == "generate":
        runner.notify("drawing latents from the prior")
        prior = make_prior(settings.prior, exact, sample, settings.seed)
        latents = prior_latents(prior, settings.molecules, settings.seed)
        return generate(exact, runner, latents)
    given = given_molecules(settings, sample)
    if settings.task == "encode":
        return encode(exact, runner, given)
    kappa = settings.kappa if settings.kappa is not None else exact.kappa
    return reconstruct(exact, runner, given, kappa if settings.draw else None)


def default_model() -> str:
    """The shipped model that is meant for devices, else the first shipped one.

    Raises:
        CheckpointError: nothing is shipped.
    """
    names = shipped()
    if not names:
        raise CheckpointError("No model is shipped; name a checkpoint with --model.")
    return next((name for name in names if name.startswith("nisq")), names[0])


def check_prior(name: str | None) -> str:
    """The name of a prior, the default for ``None``.

    Raises:
        ValueError: no such prior; the line has the closest.
        PluginError: a package's prior that cannot be loaded.
    """
    if name is not None and name not in PRIORS:
        raise ValueError(
            f"Argument `prior` must be one of those there are, but is {quoted(name)} "
            f"({PRIORS.near(name)})"
        )
    if name is not None:
        PRIORS.get(name)  # a package's that cannot be loaded is told of before work begins
    return name or PRIORS.names()[0]


def make_prior(name: str | None, exact: ExactModel, sample: QM9, seed: int) -> Prior:
    """A prior by name.

    Args:
        name: ``vmf-mixture``: mixture of vMFs fitted to the latents of the shipped held-out
            molecules (the default); ``posterior``: those latents themselves, each with the spread
            of training, so samples lie around known molecules; ``positive-orthant``: the released
            code's; ``uniform-sphere``: the paper's.
        exact: encodes the molecules.
        sample: the shipped molecules.
        seed: of the fit.

    Raises:
        ValueError: no such prior.
    """
    name = check_prior(name)
    asking = replace(exact, need=f"prior {name}")
    found = fitted_prior(name, asking, sample.molecules, seed)
    return _Conditioned(found, exact, sample) if scales_of(exact.model) else found


@dataclass(frozen=True, eq=False)
class _Conditioned:
    """A prior of a conditional model's whole data: latents, then angles of condition wires.

    Without a condition asked for, each latent has that of a held-out molecule at random.
    """

    prior: Prior
    exact: ExactModel
    sample_of: QM9

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d + m)``."""
        latents = self.prior.sample(n, rng)
        rows = rng.integers(len(self.sample_of), size=n)
        return self.exact.conditioned(latents, self.sample_of.molecules[rows])


def check_request(settings: Settings) -> None:
    """Refuse options that no device could serve.

    Raises:
        ValueError: no such prior, or an option that the task would ignore.
    """
    check_prior(settings.prior)
    check_used(settings)


def given_molecules(settings: Settings, sample: QM9) -> NamedMolecules:
    """Molecules of ``encode`` and ``reconstruct``: of the input file, else held-out ones.

    Raises:
        ValueError: a bad file, too few molecules, or the same one in every row: then a constant
            is exact, and no device can be better.
    """
    if settings.input is None:
        return held_out(settings.molecules, sample, settings.seed)
    found = read_sdf(Path(settings.input))
    if len(found.names) < settings.molecules:
        raise ValueError(
            f"Argument `molecules` must be at most the {len(found.names)} in {settings.input}, "
            f"but is {settings.molecules}"
        )
    chosen = found.take(np.arange(settings.molecules))
    types, places = chosen.molecules.types, chosen.molecules.positions
    draws_differ = settings.task == "reconstruct" and settings.draw
    if not draws_differ and (types == types[0]).all() and (places == places[0]).all():
        raise ValueError(
            f"Argument `input` must hold molecules that differ, but the first {len(types)} in "
            f"{settings.input} are the same"
        )
    return chosen


def prior_latents(prior: Prior, count: int, seed: int) -> FloatArray:
    """Latents ``(count, d)`` of ``generate``."""
    return prior.sample(count, np.random.default_rng([seed, _PRIOR_STREAM]))


def held_out(count: int, sample: QM9, seed: int) -> NamedMolecules:
    """Molecules of the shipped sample, chosen at random, in its order.

    Args:
        count: how many.
        sample: the shipped molecules.
        seed: of the choice.

    Raises:
        ValueError: more than there are.
    """
    if count > len(sample):
        raise ValueError(
            f"Argument `molecules` must be at most {len(sample)}, the size of the shipped "
            f"sample, but is {count}; give more with --input"
        )
    rng = np.random.default_rng([seed, _CHOICE_STREAM])
    chosen = sample.take(np.sort(rng.choice(len(sample), count, replace=False)))
    return NamedMolecules(chosen.molecules, tuple(f"QM9 {index}" for index in chosen.index))

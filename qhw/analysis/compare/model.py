"""The main job: a model's circuits on a device, compared with the exact statevector."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.checks import check_shots
from backends.registry import get_backend, is_vendor
from calibration.closest import quoted
from qhw.analysis.compare.comparison import Comparison, assemble, model_facts, runner_of
from qhw.analysis.compare.conditions import condition_sections
from qhw.analysis.compare.early import check_device, check_used
from qhw.analysis.compare.facts import KappaPoint
from qhw.analysis.compare.kappas import kappa_sweep
from qhw.analysis.compare.settings import Settings
from qhw.analysis.compare.stage import Notify, StageRunner
from qhw.analysis.compare.tasks import Outcome, encode, generate, reconstruct
from qhw.analysis.head.calibration import check_parts, read_head
from qhw.analysis.head.refitted import Refitted
from qhw.analysis.scores.molecules import reports
from qhw.chem.qm9 import QM9
from qhw.chem.sdf_reader import NamedMolecules, read_sdf
from qhw.chem.training_split import known_molecules
from qhw.latent.asked import AskedPrior
from qhw.latent.diffusion import (
    KIND,
    Drawing,
    load_prior,
    shipped_for,
    shipped_priors,
    trained_prior,
)
from qhw.latent.priors import Prior, fitted_prior
from qhw.latent.registry import PRIORS
from qhw.models.base import Model, reading_out
from qhw.models.checkpoint import CheckpointError, load, shipped, weights_sha256
from qhw.models.conditions import sample_for, scales_of
from qhw.models.exact import ROLES, ExactModel
from qhw.models.prior_conditions import asked_for
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
    asked = asked_for(settings.condition, model, settings.model, settings.prior)
    exact = ExactModel(model.double(), settings.model, f"task {settings.task}", asked.of_model)
    sample = sample_for(model)
    runner = model_runner(settings, exact.model, backend, notify, moment)
    runner = replace(runner, scheduler=scheduler)
    refitted = None if runner.head is None else Refitted(exact, runner.head)
    outcome = _run(settings, exact, runner, sample, asked.prior, refitted)
    notify("judging molecules")
    known = known_molecules() if settings.task == "generate" else None
    judged = {
        source: reports(batch, reference=known, scheduler=scheduler)
        for source, batch in outcome.molecules.items()
    }
    sections = (*outcome.sections, *condition_sections(asked.values, judged))
    outcome = replace(outcome, judged=judged, sections=sections)
    prior = prior_name(asked.prior, model) if settings.task == "generate" else None
    facts = model_facts(model, card, settings.model, prior)
    return assemble(
        settings,
        outcome,
        backend,
        model=facts,
        command=command,
        start=start,
        qm9=sample.molecules,
        known=known,
        kappas=_kappas(settings, exact, runner, outcome) if facts.kappa_assumed else (),
        moment=moment,
    )


def _kappas(
    settings: Settings, exact: ExactModel, runner: StageRunner, outcome: Outcome
) -> tuple[KappaPoint, ...]:
    """What other concentrations would give, where one is drawn with."""
    if settings.task != "reconstruct" or not settings.draw:
        return ()
    simulated = not is_vendor(settings.device)
    return kappa_sweep(exact, runner, outcome.stages[0], simulated=simulated)


def model_runner(
    settings: Settings,
    model: Model,
    backend: Backend,
    notify: Notify,
    moment: datetime | None = None,
) -> StageRunner:
    """What runs the circuits of a task: :func:`runner_of`, with what the model says of them.

    Raises:
        ValueError: as :func:`runner_of`, or a head that cannot be used.
        AbilityError: a head is given for a model whose read-out cannot be refitted.
    """
    runner = runner_of(settings, backend, notify, moment)
    head = None
    if settings.head is not None:
        reading_out(model, settings.model, "Argument `head`")
        head = read_head(settings.head, backend.name, model, moment)
        check_parts(head, ROLES[settings.task], settings.head)
    return replace(runner, preparation=settings.preparation, structure=model.structure, head=head)


def _run(
    settings: Settings,
    exact: ExactModel,
    runner: StageRunner,
    sample: QM9,
    prior: str | None,
    refitted: Refitted | None,
) -> Outcome:
    if settings.task == "generate":
        runner.notify("drawing latents from the prior")
        source = make_prior(prior, exact, sample, settings.seed)
        latents = prior_latents(source, settings.molecules, settings.seed)
        return generate(exact, runner, latents, refitted)
    given = given_molecules(settings, sample)
    if settings.task == "encode":
        return encode(exact, runner, given, refitted)
    kappa = settings.kappa if settings.kappa is not None else exact.kappa
    return reconstruct(exact, runner, given, kappa if settings.draw else None, refitted)


def default_model() -> str:
    """The shipped model that is meant for devices, else the first shipped one.

    Raises:
        CheckpointError: nothing is shipped.
    """
    names = shipped()
    if not names:
        raise CheckpointError("No model is shipped; name a checkpoint with --model.")
    return next((name for name in names if name.startswith("nisq")), names[0])


def default_prior(model: Model) -> str:
    """What ``generate`` draws from where no prior is named: a trained one, if one is shipped."""
    return KIND if shipped_for(weights_sha256(model)) else prior_name(None, model)


def settled_prior(prior: str | None, model: str | Model) -> str | None:
    """The prior as settings keep it: named, and found from any folder.

    Settings without one are of version 0.1.0 and mean the mixture fitted to the shipped molecules.

    Args:
        prior: as asked for.
        model: live, or a checkpoint's name or path; one that cannot be loaded is told of later.

    Raises:
        ValueError: options that cannot be read.
    """
    if prior is not None:
        return str(AskedPrior.parse(prior).placed())
    try:
        return default_prior(model if isinstance(model, Model) else load(model)[0])
    except CheckpointError:
        return None


def drawn_prior(prior: str | None, model: Model, drawing: Mapping[str, float | None]) -> str:
    """A prior with options given beside it, ``None`` where one is not given.

    Raises:
        ValueError: options that cannot be read, one that is given twice, or one that is not finite.
    """
    for name, value in drawing.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"Argument `{name}` must be a finite number, but is {value:g}")
    asked = AskedPrior.parse(default_prior(model) if prior is None else prior)
    return str(asked.having(**drawing))


def check_prior(name: str | None) -> str:
    """The prior as written, the mixture for ``None``.

    Raises:
        ValueError: no such prior; the line has the closest. Options of one that takes none, or
            out of range.
        PriorError: a folder that holds no trained prior.
        PluginError: a package's prior that cannot be loaded.
    """
    if name is None:
        return PRIORS.names()[0]
    asked = AskedPrior.parse(name)
    if asked.is_folder:
        load_prior(Path(asked.name))
    elif asked.name in shipped_priors():
        pass
    elif asked.name not in PRIORS:
        raise ValueError(
            f"Argument `prior` must be one of those there are or the folder of a trained one, "
            f"but is {quoted(asked.name)} ({PRIORS.near(asked.name)})"
        )
    else:
        PRIORS.get(asked.name)  # a package's that cannot be loaded is told of before work begins
        if asked.options and asked.name != KIND:
            raise ValueError(
                f"Argument `prior` must be {KIND} to have options, but is {quoted(name)}"
            )
    Drawing.of(asked.options)
    return str(asked)


def prior_name(name: str | None, model: Model) -> str:
    """The prior that is meant: the one named, else the model's own, else the default.

    Raises:
        ValueError: no such prior.
        PluginError: a package's prior that cannot be loaded.
    """
    return check_prior(name or model.own_prior)


def make_prior(name: str | None, exact: ExactModel, sample: QM9, seed: int) -> Prior:
    """A prior by name.

    Args:
        name: ``latent-diffusion``: the diffusion model shipped for the model (the conditional one
            where an option is a property of molecules), with options behind it in brackets, or
            the name of a shipped one, or the folder of one trained with ``qhw train``;
            ``vmf-mixture``:
            mixture of vMFs fitted to the latents of the shipped held-out molecules (``None``
            too); ``posterior``: those latents themselves, each with the spread of training, so
            samples lie around known molecules; ``positive-orthant``: the released code's;
            ``uniform-sphere``: the paper's.
        exact: encodes the molecules.
        sample: the shipped molecules.
        seed: of the fit.

    Raises:
        ValueError: no such prior, an option it has not, or one that was trained on another model.
    """
    found = _found_prior(AskedPrior.parse(prior_name(name, exact.model)), exact, sample, seed)
    return _Conditioned(found, exact, sample) if scales_of(exact.model) else found


def _found_prior(asked: AskedPrior, exact: ExactModel, sample: QM9, seed: int) -> Prior:
    trained = trained_prior(asked, exact.weights_sha256, exact.name)
    if trained is not None:
        return trained.drawn(Drawing.of(asked.options))
    asking = replace(exact, need=f"prior {asked.name}")
    return fitted_prior(asked.name, asking, sample.molecules, seed)


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

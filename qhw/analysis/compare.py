"""The main job: a model's circuits on a device, compared with the exact statevector."""

from __future__ import annotations

import logging
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.checks import check_shots
from backends.registry import get_backend
from backends.vendor import is_rehearsal
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.circuit_facts import circuit_facts
from qhw.analysis.early import check_device, check_used
from qhw.analysis.mitigated import read_calibrations
from qhw.analysis.molecule_scores import Reports, molecule_records, reports, validity_rows
from qhw.analysis.provenance import versions
from qhw.analysis.result import (
    PLAIN,
    ComparisonResult,
    DeviceFacts,
    ModelFacts,
    Provenance,
    Settings,
    SourceKey,
)
from qhw.analysis.stage import Notify, StageRunner
from qhw.analysis.tasks import ExactModel, Outcome, encode, generate, reconstruct
from qhw.analysis.verdict import verdict
from qhw.chem.qm9 import QM9, sample_molecules
from qhw.chem.sdf_reader import NamedMolecules, read_sdf
from qhw.latent.priors import PositiveOrthant, Prior, UniformSphere, VMFMixture
from qhw.mitigation.default import DEFAULT
from qhw.mitigation.pipeline import Pipeline
from qhw.models.base import MoleculeVAE
from qhw.models.checkpoint import CheckpointError, ModelCard, code_version, load, shipped

FloatArray = NDArray[np.float64]

PRIORS = ("vmf-mixture", "posterior", "positive-orthant", "uniform-sphere")
"""Priors of ``generate``, the default first."""
_MIXTURE_COMPONENTS = 24
_PRIOR_STREAM, _CHOICE_STREAM = 21, 22
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A result with everything it was made from.

    Attributes:
        result: the numbers.
        outcome: circuits, counts, latents, molecules.
        snapshot: of the device, ``None`` if ideal.
    """

    result: ComparisonResult
    outcome: Outcome
    snapshot: DeviceSnapshot | None


def compare(
    settings: Settings,
    *,
    backend: Backend | None = None,
    command: str = "",
    notify: Notify = _LOG.info,
    moment: datetime | None = None,
) -> Comparison:
    """Run a task on a device and compare it with the same task done exactly.

    Args:
        settings: what to do.
        backend: where; by default the simulator that ``settings.device`` names.
        command: written into the result.
        notify: told what is being done.
        moment: to which ages of calibrations are counted, by default now.

    Raises:
        ValueError: an unknown prior, an option that the task would ignore, a bad input file, or
            too few molecules in it.
        CheckpointError: the model is unknown or damaged.
        BackendError: the device is unknown or cannot run the circuits.
        TooFewRowsError: so many circuits failed that nothing is left to compare.
    """
    start = time.monotonic()
    check_request(settings)
    begins, backend = backend is None, backend or get_backend(settings.device)
    model, card = load(settings.model)
    if begins:
        check_shots(settings.shots)
        check_device(settings, model, backend)
    exact = ExactModel(model.double())
    sample = sample_molecules()
    runner = stage_runner(settings, exact.model, backend, notify, moment)
    outcome = _run(settings, exact, runner, sample)
    notify("judging molecules")
    judged: dict[SourceKey, Reports] = {**outcome.judged, "qm9": reports(sample.molecules)}
    snapshot = backend.snapshot
    result = ComparisonResult(
        settings=settings,
        verdict=verdict(outcome.sections),
        model=_model_facts(model, card),
        device=_device_facts(backend),
        circuits=tuple(circuit_facts(stage) for stage in outcome.stages),
        sections=outcome.sections,
        validity=validity_rows(judged),
        molecules=molecule_records(
            outcome.names,
            outcome.rows.tolist(),
            outcome.molecules,
            outcome.judged,
            outcome.stages[-1].best_source,
        ),
        draw=outcome.draw,
        missing=outcome.missing,
        rehearsal=is_rehearsal(backend),
        provenance=_provenance(command, start, snapshot),
    )
    return Comparison(result, outcome, snapshot)


def stage_runner(
    settings: Settings,
    model: MoleculeVAE,
    backend: Backend,
    notify: Notify,
    moment: datetime | None = None,
) -> StageRunner:
    """What runs the circuits of a task.

    Args:
        settings: what to do.
        model: whose circuits.
        backend: where.
        notify: told what is being done.
        moment: to which ages of calibrations are counted, by default now.

    Raises:
        ValueError: an option that the mitigation would ignore, or a bad calibration file.
    """
    names = (
        {technique.name for technique in Pipeline.parse(settings.mitigation).techniques}
        if settings.mitigation != DEFAULT
        else {"readout"}
    )
    if settings.calibrations and "readout" not in names:
        raise ValueError(
            f"Argument `calibrations` must be left out of mitigation {settings.mitigation}"
        )
    if settings.with_raw and settings.mitigation in PLAIN:
        raise ValueError(
            f"Argument `with_raw` must be left out of mitigation {settings.mitigation}, whose "
            "counts are raw counts"
        )
    return StageRunner(
        backend=backend,
        shots=settings.shots,
        preparation=settings.preparation,
        mitigation=settings.mitigation,
        seed=settings.seed,
        notify=notify,
        calibrations=read_calibrations(settings.calibrations, backend.name),
        own_raw=settings.own_raw,
        moment=moment,
        structure=model.structure,
    )


def _run(settings: Settings, exact: ExactModel, runner: StageRunner, sample: QM9) -> Outcome:
    if settings.task == "generate":
        runner.notify("drawing latents from the prior")
        prior = make_prior(settings.prior, exact, sample, settings.seed)
        latents = prior_latents(prior, settings.molecules, settings.seed)
        return generate(exact, runner, latents)
    given = given_molecules(settings, sample)
    if settings.task == "encode":
        return encode(exact, runner, given)
    kappa = settings.kappa if settings.kappa is not None else exact.model.kappa
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
        ValueError: no such prior; the message lists those that exist.
    """
    if name is not None and name not in PRIORS:
        raise ValueError(f"Argument `prior` must be one of {', '.join(PRIORS)}, but is {name!r}")
    return name or PRIORS[0]


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
    if name == "uniform-sphere":
        return UniformSphere(exact.model.latent_dim)
    if name == "positive-orthant":
        return PositiveOrthant(exact.model.latent_dim)
    directions = exact.direction(exact.encoder(exact.inputs(sample.molecules)))
    if name == "posterior":
        count = len(directions)
        kappas = np.full(count, exact.model.kappa)
        return VMFMixture(np.full(count, 1.0 / count), directions, kappas)
    rng = np.random.default_rng([seed, _PRIOR_STREAM, 1])
    return VMFMixture.fit(directions, _MIXTURE_COMPONENTS, rng)


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


def _provenance(command: str, start: float, snapshot: DeviceSnapshot | None) -> Provenance:
    git, now = code_version(), datetime.now(UTC).replace(microsecond=0)
    age = None if snapshot is None else snapshot.age(now).total_seconds() / 86400
    return Provenance(
        created=now,
        command=command,
        versions=versions(),
        git_revision=git.revision,
        git_dirty=git.modified,
        platform=platform.platform(terse=True),
        wall_s=round(time.monotonic() - start, 1),
        snapshot_age_days=None if age is None else round(age, 2),
    )


def _model_facts(model: MoleculeVAE, card: ModelCard) -> ModelFacts:
    plans = (model.encoder_plan(), model.decoder_plan())
    quantum = sum(len(plan.weights) for plan in plans)
    return ModelFacts(
        name=card.name,
        kind=card.kind,
        latent_dim=model.latent_dim,
        wires=plans[1].ansatz.n_wires,
        quantum_parameters=quantum,
        classical_parameters=sum(p.numel() for p in model.parameters()) - quantum,
        kappa=model.kappa,
        sha256=card.sha256,
    )


def _device_facts(backend: Backend) -> DeviceFacts:
    snapshot = backend.snapshot
    if snapshot is None:
        return DeviceFacts(backend=backend.name)
    return DeviceFacts(
        backend=backend.name,
        snapshot=snapshot.name,
        vendor=snapshot.vendor,
        processor=snapshot.processor,
        n_qubits=snapshot.n_qubits,
        taken=snapshot.taken,
        source=snapshot.source,
        median_one_qubit_error=snapshot.median_one_qubit_error(),
        median_two_qubit_error=snapshot.median_two_qubit_error(),
        median_readout_error=snapshot.median_readout_error(),
        corrections=snapshot.correction_counts(),
    )

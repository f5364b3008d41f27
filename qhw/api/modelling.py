"""A model's circuits on any device, and molecules judged."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backends.registry import get_vendor
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.model import compare as compute
from qhw.analysis.compare.model import default_model, settled_prior
from qhw.analysis.compare.settings import Settings
from qhw.analysis.precision.asked import Precision, one_of, parse_precision
from qhw.analysis.precision.models import distances_of_model
from qhw.analysis.precision.plan import ShotPlan, plan_shots
from qhw.analysis.scores.molecules import judge_on
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.measuring import check_simulates_here
from qhw.api.results import ModelComparison
from qhw.chem.bonds import Protocol
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.novelty import Known
from qhw.chem.sdf_reader import NamedMolecules, read_sdf
from qhw.chem.training_split import known_molecules
from qhw.chem.validity import ValidityReport
from qhw.defaults import DEFAULT_DEVICE, default_task
from qhw.models.base import Model
from qhw.paid.compare import CompareRun
from qhw.scheduler import some_scheduler
from qhw.shot_counts import number_of_shots

_LOG = logging.getLogger(__name__)
_CALL = "qhw.compare(...)"
_SHOTS = 100_000


def compare(
    model: str | Path | Model | None = None,
    device: DeviceLike = DEFAULT_DEVICE,
    *,
    task: str | None = None,
    molecules: int = 20,
    shots: int | str | None = None,
    precision: float | str | None = None,
    mitigation: str = "readout",
    seed: int = 0,
    with_raw: bool = False,
    preparation: str = "brickwork",
    prior: str | None = None,
    kappa: float | None = None,
    draw: bool = True,
    condition: Mapping[str, float] | None = None,
    input: str | Path | None = None,
    calibrations: Sequence[str | Path] = (),
    head: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    tell: Callable[[str], None] = _LOG.info,
) -> ModelComparison:
    """Run a model's circuits on a device and compare with the exact statevector and molecules.

    Args:
        model: name of a shipped checkpoint, path of one, or a live model; the shipped model that is
            meant for devices by default.
        device: where, see :func:`qhw.device`. One that takes jobs needs a stored model, since the
            run may be taken up by another process.
        task: ``reconstruct``, ``generate`` or ``encode``; the first by default, and ``generate``
            where a prior is given.
        molecules: rows compared, two or more.
        shots: of each circuit; 100,000 by default.
        precision: in place of shots: as many are planned as the whole pipeline takes on the
            device's model for that expected total variation distance, a mean over rows, of the
            worst circuit; with ``rad`` behind (``"0.05rad"``) of ``encode`` and ``reconstruct``
            for that rms angle of the encoder's mean directions.
        mitigation: a pipeline, ``"none"`` or ``"default"``.
        seed: of everything random.
        with_raw: as for :func:`qhw.measure`.
        preparation: how amplitudes are loaded, ``brickwork`` or ``exact``.
        prior: of ``generate``: a name, with options such as
            ``latent-diffusion(temperature=0.8,steps=8,atoms=7)``, or the folder of a trained one.
        kappa: of the draw of ``reconstruct``; the model's by default.
        draw: ``False`` decodes the mean direction itself.
        condition: value of each property of a conditional model, by name, for ``generate`` and the
            decoder of ``reconstruct``; molecules' own by default. For ``generate`` with any other
            model: of some or all properties that its trained prior takes.
        input: SDF file of molecules for ``encode`` and ``reconstruct``.
        calibrations: files of ``qhw calibrate``.
        head: file of ``qhw calibrate --head`` (:func:`qhw.calibrate_head`): its refitted read-outs
            decode the device's counts beside the model's own.
        workers: of a simulator: local processes that simulate and judge; none by default.
        scheduler: of a simulator: address of a Dask cluster that does.
        tell: told what is being done.

    Raises:
        ValueError: an option out of range, or one that the task would ignore.
        CheckpointError: the model is unknown or damaged.
        BackendError: the device cannot run the circuits.
        SchedulerError: the cluster cannot be used.

    Example:
        >>> found = compare(device="exact", molecules=3, shots=1000)
        >>> found.molecules("exact").counts.shape
        (3,)
    """
    place = as_device(device)
    live = model if isinstance(model, Model) else None
    stored = str(model or default_model())
    if prior is not None or task == "generate":
        prior = settled_prior(prior, stored if live is None else live)
    one_of(shots, precision, needed=False)
    named = task or default_task(prior)
    reads = named in ("encode", "reconstruct")
    wanted = None if precision is None else parse_precision(precision, "distance", angles=reads)
    settings = Settings.parse(
        model=stored if live is None else f"live {type(live).__name__}",
        device=place.name,
        task=named,
        molecules=molecules,
        shots=number_of_shots(_SHOTS if shots is None else shots),
        precision=None if wanted is None else str(wanted),
        mitigation=mitigation,
        seed=seed,
        with_raw=with_raw,
        preparation=preparation,
        prior=prior,
        kappa=kappa,
        draw=draw,
        condition=tuple(f"{name}={value}" for name, value in (condition or {}).items()),
        input=None if input is None else str(Path(input).resolve()),
        calibrations=tuple(str(Path(path).resolve()) for path in calibrations),
        head=None if head is None else str(Path(head).resolve()),
    )
    if place.takes_jobs:
        check_simulates_here(place, workers, scheduler)
        return _paid(settings, place, live, wanted, tell)
    # in double precision; the caller's model stays as it is
    own = None if live is None else copy.deepcopy(live).eval()
    assert place.backend is not None  # it takes no jobs
    if wanted is not None:
        what = distances_of_model(settings, place.backend, wanted, tell, own)
        settings = _told(settings, plan_shots(what, wanted, tell), tell)
    with some_scheduler(workers, scheduler) as pool:
        found = compute(settings, backend=place.backend, model=own, notify=tell, scheduler=pool)
    return ModelComparison(found)


def judge(
    molecules: MoleculeBatch | NamedMolecules | str | Path,
    protocol: Protocol = "strict",
    *,
    known: Sequence[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> ValidityReport:
    """Which geometries are molecules, and which of them are new.

    Args:
        molecules: heavy atoms of many molecules, or an SDF file of them.
        protocol: ``strict``, or QVAE-Mole's ``released``.
        known: SMILES of molecules that are not new; QM9's training split by default. The report's
            ``novelty`` names what was taken, and counts new SMILES and new skeletons.
        workers: local processes that judge; none by default.
        scheduler: address of a Dask cluster that judges.

    Raises:
        ValueError: an unknown protocol, or a file that cannot be used.
        SchedulerError: the cluster cannot be used.

    Example:
        >>> from qhw.chem.qm9 import sample_molecules
        >>> found = judge(sample_molecules().molecules[:100])
        >>> found.valid > 90
        True
        >>> 20 < found.novelty.novel_skeletons < 60
        True
    """
    reference = known_molecules() if known is None else Known.of(known, "molecules given")
    if isinstance(molecules, str | Path):
        molecules = read_sdf(Path(molecules))
    batch = molecules.molecules if isinstance(molecules, NamedMolecules) else molecules
    with some_scheduler(workers, scheduler) as pool:
        return judge_on(pool, batch, protocol, reference=reference)


def _told(settings: Settings, plan: ShotPlan, tell: Callable[[str], None]) -> Settings:
    tell(plan.words)
    return settings.model_copy(update=plan.settings)


def _paid(
    settings: Settings,
    place: Device,
    live: Model | None,
    wanted: Precision | None,
    tell: Callable[[str], None],
) -> ModelComparison:
    if live is not None:
        raise ValueError(
            f"Argument `model` must be stored to run on {place.name}, which takes jobs, but is "
            f"a live {type(live).__name__}; qhw.save_model writes it"
        )
    if wanted is not None:
        what = distances_of_model(settings, get_vendor(place.name), wanted, tell)
        settings = _told(settings, plan_shots(what, wanted, tell, place.budget), tell)
    run = CompareRun.new(settings, place.budget, place.project, _CALL)
    run.send(tell)
    found: Comparison | None = run.wait(tell)
    assert found is not None  # waited for without a limit
    return ModelComparison(found, run.id)

"""A finished comparison, and what every comparison is put together from."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime

from backends.base import Backend
from backends.registry import is_vendor
from backends.vendor import is_rehearsal
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.circuit_facts import circuit_facts
from qhw.analysis.compare.facts import DeviceFacts, KappaPoint, ModelFacts
from qhw.analysis.compare.mitigated import read_calibrations
from qhw.analysis.compare.predicted import judged as judged_prediction
from qhw.analysis.compare.probed import probe_facts
from qhw.analysis.compare.result import (
    Agreement,
    ComparisonResult,
    MoleculeRecord,
    Provenance,
    RowName,
    SourceKey,
)
from qhw.analysis.compare.settings import PLAIN, MeasureSettings, Settings
from qhw.analysis.compare.stage import Notify, StageRunner
from qhw.analysis.compare.tasks import Outcome
from qhw.analysis.scores.agreement import agreement
from qhw.analysis.scores.molecules import Reports, molecule_records, reports, validity_rows
from qhw.analysis.scores.verdict import verdict
from qhw.analysis.validate.beside import on_hardware
from qhw.analysis.validate.interval import judged_as
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.novelty import Known
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.words import DEFAULT
from qhw.models.base import Encodes, Model, decoding
from qhw.models.checkpoint import ModelCard, code_version
from qhw.provenance import versions


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


def assemble(
    settings: Settings | MeasureSettings,
    outcome: Outcome,
    backend: Backend,
    *,
    model: ModelFacts | None,
    command: str,
    start: datetime,
    qm9: MoleculeBatch | None = None,
    known: Known | None = None,
    kappas: tuple[KappaPoint, ...] = (),
    moment: datetime | None = None,
) -> Comparison:
    """Put a result together.

    Args:
        settings: what was asked for.
        outcome: what came of it.
        backend: where it ran.
        model: what ran, ``None`` for a person's own circuit.
        command: that gives this result.
        start: when the work began.
        qm9: molecules judged beside those of the outcome, if it has any.
        known: what generated molecules are held against.
        kappas: what other concentrations would give.
        moment: to which ages of calibrations are counted, by default now.
    """
    snapshot = backend.snapshot
    records: tuple[MoleculeRecord, ...] = ()
    judged: dict[SourceKey, Reports] = dict(outcome.judged)
    if judged:
        records = molecule_records(
            outcome.names,
            outcome.rows.tolist(),
            outcome.molecules,
            outcome.judged,
            outcome.device,
        )
        judged |= {} if qm9 is None else {"qm9": reports(qm9, reference=known)}
    said, circuits = verdict(outcome.sections), tuple(map(circuit_facts, outcome.stages))
    judged_section = next((s for s in outcome.sections if s.key == said.section), None)
    result = ComparisonResult(
        settings=settings,
        verdict=said,
        model=model,
        device=_device_facts(backend),
        circuits=circuits,
        sections=outcome.sections,
        validity=validity_rows(judged) if judged else (),
        molecules=records,
        draw=outcome.draw,
        missing=outcome.missing,
        rehearsal=is_rehearsal(backend),
        reference=outcome.reference,
        agreement=_agreement(outcome, records) if records else None,
        kappas=kappas,
        predictions=tuple(
            judged_prediction(stage.predicted, stage.kept.tolist(), stage.counts, stage.exact)
            for stage in outcome.stages
            if stage.predicted is not None
        ),
        probes=tuple(filter(None, map(probe_facts, outcome.stages))),
        head=None if outcome.refitted is None else outcome.refitted.facts(moment),
        on_hardware=on_hardware(judged_as(snapshot), circuits, judged_section)
        if snapshot is not None and not is_vendor(backend.name)
        else None,
        provenance=_provenance(command, start, snapshot),
        row_names=tuple(
            RowName(index=int(row), name=name)
            for row, name in zip(outcome.rows, outcome.names, strict=True)
        ),
    )
    return Comparison(result, outcome, snapshot)


def _agreement(outcome: Outcome, records: tuple[MoleculeRecord, ...]) -> Agreement:
    found = next((s for s in outcome.sections if s.key == "molecules_exact"), None)
    return agreement(records, found, outcome.stages[-1].best_source)


def runner_of(
    settings: Settings | MeasureSettings,
    backend: Backend,
    notify: Notify,
    moment: datetime | None = None,
) -> StageRunner:
    """What runs a comparison's circuits.

    Args:
        settings: what to do.
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
        preparation="brickwork",
        mitigation=settings.mitigation,
        seed=settings.seed,
        notify=notify,
        calibrations=read_calibrations(settings.calibrations, backend.name),
        own_raw=settings.own_raw,
        moment=moment,
        probe=settings.probe,
    )


def _provenance(command: str, start: datetime, snapshot: DeviceSnapshot | None) -> Provenance:
    git, now = code_version(), datetime.now(UTC)
    age = None if snapshot is None else snapshot.age(now).total_seconds() / 86400
    return Provenance(
        created=now.replace(microsecond=0),
        command=command,
        versions=versions(),
        git_revision=git.revision,
        git_dirty=git.modified,
        platform=platform.platform(terse=True),
        wall_s=round((now - start).total_seconds(), 1),
        snapshot_age_days=None if age is None else round(age, 2),
    )


def model_facts(
    model: Model, card: ModelCard | None, name: str, prior: str | None = None
) -> ModelFacts:
    """What a result says of a model.

    Args:
        model: what ran.
        card: of its checkpoint; ``None`` for a live model.
        name: of a live model.
        prior: that latents are drawn from, if they are.
    """
    decodes = decoding(model, name, "a comparison")
    encodes = model if isinstance(model, Encodes) else None
    plans = [decodes.decoder_plan(), *([encodes.encoder_plan()] if encodes else [])]
    quantum = sum(len(plan.weights) for plan in plans)
    return ModelFacts(
        name=name if card is None else card.name,
        kind=model.kind,
        latent_dim=decodes.latent_dim,
        wires=plans[0].ansatz.n_wires,
        quantum_parameters=quantum,
        classical_parameters=sum(p.numel() for p in model.parameters()) - quantum,
        kappa=encodes.kappa if encodes else None,
        sha256=None if card is None else card.sha256,
        kappa_assumed=card is not None and card.kappa_assumed,
        prior=prior,
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

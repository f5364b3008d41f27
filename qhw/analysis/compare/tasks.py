"""The three tasks: what runs on the device, what runs exactly, and what is compared with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.draw import Drawing, draw_latents, latents_from_shots, noiseless_way
from qhw.analysis.compare.result import (
    HEAD_OF,
    MOLECULE_SOURCES,
    Draw,
    Metric,
    MissingRow,
    Reference,
    Section,
    SourceKey,
)
from qhw.analysis.compare.stage import Stage, StageRunner
from qhw.analysis.head.refitted import Refitted
from qhw.analysis.scores.baselines import prior_mean
from qhw.analysis.scores.distributions import direction_section, distribution_section, make_row
from qhw.analysis.scores.molecules import Reports, molecule_section
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.sdf_reader import NamedMolecules
from qhw.circuits.workload import Role
from qhw.models.exact import ExactModel

FloatArray = NDArray[np.float64]

_FLOOR_STREAM, INTERVAL_STREAM = 11, 12
"""Random streams of a run, beside those of its circuits' shots."""
_FROM_EXACT = "Molecules against exact"
_WAY_ENDS = "Molecules end to end on the device against those of the exact reference."
_FROM_INPUT = "Molecules against the input"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task gave.

    Attributes:
        stages: circuits run on the device.
        sections: numbers.
        molecules: by source, ``exact`` and ``device_raw`` among them.
        names: of the rows that came all the way.
        rows: ``(K,)`` their places among the rows of the run.
        missing: the other rows.
        draw: of the latents, ``reconstruct`` only.
        arrays: latents and the like, for the run's folder.
        reference: how exact is known of a wide circuit.
        judged: validity of all molecules under both protocols, found once for everyone who asks.
        refitted: read-outs refitted to the device, if that was asked for.
    """

    stages: tuple[Stage, ...]
    sections: tuple[Section, ...]
    molecules: dict[SourceKey, MoleculeBatch]
    names: tuple[str, ...]
    rows: NDArray[np.int64]
    missing: tuple[MissingRow, ...] = ()
    draw: Draw | None = None
    arrays: dict[str, FloatArray] = field(default_factory=dict)
    reference: Reference | None = None
    judged: dict[SourceKey, Reports] = field(default_factory=dict)
    refitted: Refitted | None = None

    @property
    def device(self) -> SourceKey:
        """Whose molecules stand for the device."""
        best = self.stages[-1].best_source
        return next((s for s in reversed(MOLECULE_SOURCES) if s in self.molecules), best)


def generate(
    model: ExactModel,
    runner: StageRunner,
    latents: FloatArray,
    refitted: Refitted | None = None,
) -> Outcome:
    """Latents -> decoder on the device -> molecules.

    Args:
        model: exact reference.
        runner: device.
        latents: unit vectors ``(K, d)``; of a conditional model :meth:`ExactModel.conditioned`.
        refitted: read-outs that decode the device's counts beside the model's own.
    """
    names = tuple(f"latent {row}" for row in range(len(latents)))
    stage = _run(model, runner, "decoder", latents)
    exact = stage.exact
    runner.notify("comparing with the exact statevector")
    rng = runner.stream(INTERVAL_STREAM)
    floor = _multinomial(exact, runner.shots, runner.stream(_FLOOR_STREAM))
    decoded = _decode_all(
        model, {**stage.distributions(), "shots_only": floor, "prior_mean": prior_mean(exact)}
    )
    decoded |= refitted.molecules(stage) if refitted else {}
    reference = model.molecules(exact)
    text = "Molecules decoded from the device against those decoded from the exact distribution."
    return Outcome(
        stages=(stage,),
        sections=(
            _decoder_section(stage, rng),
            molecule_section("molecules_exact", _FROM_EXACT, text, reference, decoded, rng),
            *_kept_sections(model, (stage,), rng),
        ),
        molecules={"exact": reference, **decoded},
        names=tuple(names[row] for row in stage.kept),
        rows=stage.kept,
        missing=_missing(stage, names),
        arrays={"latents": latents[stage.kept]},
        refitted=refitted,
    )


def encode(
    model: ExactModel,
    runner: StageRunner,
    given: NamedMolecules,
    refitted: Refitted | None = None,
) -> Outcome:
    """Molecules -> encoder on the device -> mean directions.

    Args:
        model: exact reference.
        runner: device.
        given: K molecules.
        refitted: read-outs that give directions beside the model's own.
    """
    stage = _run(model, runner, "encoder", model.inputs(given.molecules))
    missing, given = _missing(stage, given.names), given.take(stage.kept)
    rng = runner.stream(INTERVAL_STREAM)
    floor = _multinomial(stage.exact, runner.shots, runner.stream(_FLOOR_STREAM))
    measured: dict[SourceKey, FloatArray] = {**stage.distributions(), "shots_only": floor}
    exact_mu = model.direction(stage.exact)
    directions = {source: model.direction(p) for source, p in measured.items()}
    directions |= refitted.directions(stage) if refitted else {}
    decoded = _decode_all(
        model,
        {s: model.decoder(model.conditioned(mu, given.molecules)) for s, mu in directions.items()},
    )
    reference = model.molecules(model.decoder(model.conditioned(exact_mu, given.molecules)))
    text = (
        "Only the encoder ran on the device. The exact decoder turns each mean direction into a "
        "molecule; these are compared with the molecules of the exact mean directions."
    )
    return Outcome(
        stages=(stage,),
        sections=(
            _encoder_section(stage, rng),
            direction_section(exact_mu, directions, rng),
            molecule_section("molecules_exact", _FROM_EXACT, text, reference, decoded, rng),
            _input_section(given, {"exact": reference, **decoded}, rng),
            *_kept_sections(model, (stage,), rng),
        ),
        molecules={"exact": reference, **decoded, "input": given.molecules},
        names=given.names,
        rows=stage.kept,
        missing=missing,
        arrays={"mu_exact": exact_mu, "mu_hat": _best(stage, directions)},
        refitted=refitted,
    )


def reconstruct(
    model: ExactModel,
    runner: StageRunner,
    given: NamedMolecules,
    kappa: float | None,
    refitted: Refitted | None = None,
) -> Outcome:
    """Molecules -> encoder shots -> mu-hat -> vMF draw -> decoder shots -> molecules.

    The exact way takes the same steps without noise; both ways draw with the same random numbers,
    and the device's concentration is raised by what its shots already spread. A row that failed in
    the encoder has no mu-hat, so the decoder does not run for it; a row keeps its draw whatever
    becomes of the others.

    Args:
        model: exact reference.
        runner: device.
        given: K molecules.
        kappa: of the draw; ``None`` for no draw.
        refitted: read-outs: of the encoder, whose directions go on in place of the model's own, and
            of the decoder, whose molecules stand beside the model's own.
    """
    encoder = _run(model, runner, "encoder", model.inputs(given.molecules))
    missing, given = _missing(encoder, given.names), given.take(encoder.kept)
    mu = model.direction(encoder.exact)
    mu_hat: dict[SourceKey, FloatArray] = {
        source: model.direction(p) for source, p in encoder.distributions().items()
    }
    mu_hat |= refitted.directions(encoder) if refitted else {}
    best = _best(encoder, mu_hat)
    seen, shots = model.selected(encoder.best, encoder.best_shots)
    assert shots is not None
    latents, draw = latents_from_shots(best, seen, shots, kappa, runner.seed, encoder.kept)
    decoder = _run(model, runner, "decoder", model.conditioned(latents, given.molecules))
    runner.notify("comparing with the exact statevector")
    whole = decoder.kept  # of the encoder's rows, those that came all the way
    missing += _missing(decoder, given.names, encoder.kept)
    given = given.take(whole)
    exact_latents = draw_latents(mu, kappa, runner.seed, encoder.kept)[whole]
    exact = model.decoder(model.conditioned(exact_latents, given.molecules))
    noiseless = runner.stream(_FLOOR_STREAM)
    mu_hat["shots_only"], floor = noiseless_way(
        model,
        encoder.exact,
        lambda p: _multinomial(p, runner.shots, noiseless),
        Drawing(kappa, runner.shots, runner.seed, encoder.kept),
        whole,
        given.molecules,
    )
    measured: dict[SourceKey, FloatArray] = {**decoder.distributions(), "shots_only": floor}
    decoded = _decode_all(model, {**measured, "prior_mean": prior_mean(exact)})
    decoded |= refitted.molecules(decoder) if refitted else {}
    reference = model.molecules(exact)
    rng = runner.stream(INTERVAL_STREAM)
    sections = (
        _pipeline_section(exact, measured, runner.shots, rng),
        _encoder_section(encoder, rng),
        direction_section(mu, mu_hat, rng),
        _decoder_section(decoder, rng),
        molecule_section("molecules_exact", _FROM_EXACT, _WAY_ENDS, reference, decoded, rng),
        _input_section(given, {"exact": reference, **decoded}, rng),
        *_kept_sections(model, (encoder, decoder), rng),
    )
    return Outcome(
        stages=(encoder, decoder),
        sections=sections,
        molecules={"exact": reference, **decoded, "input": given.molecules},
        names=given.names,
        rows=encoder.kept[whole],
        missing=tuple(sorted(missing, key=lambda row: row.index)),
        draw=draw,
        arrays={
            "mu_exact": mu,
            "mu_hat": best,
            "latents": latents[whole],
            "latents_exact": exact_latents,
        },
        refitted=refitted,
    )


def _best(stage: Stage, directions: Mapping[SourceKey, FloatArray]) -> FloatArray:
    """Directions that go on: those of a refitted read-out, if there is one."""
    head = HEAD_OF.get(stage.best_source)
    found = directions.get(head) if head else None
    return directions[stage.best_source] if found is None else found


def _run(model: ExactModel, runner: StageRunner, role: Role, inputs: FloatArray) -> Stage:
    runner.notify(f"{role}: preparing {len(inputs)} inputs")
    return runner.run(model.workload(role, inputs, runner.preparation, seed=runner.seed))


def _missing(
    stage: Stage, names: Sequence[str], rows: NDArray[np.int64] | None = None
) -> tuple[MissingRow, ...]:
    """Failed rows of a stage; ``rows`` are the run's rows of its inputs, by default all."""
    of_run = np.arange(len(names)) if rows is None else rows
    return tuple(
        MissingRow(index=int(of_run[place]), name=names[place], role=stage.role, text=text)
        for place, text in sorted(stage.missing.items())
    )


def _pipeline_section(
    exact: FloatArray,
    measured: Mapping[SourceKey, FloatArray],
    shots: int,
    rng: np.random.Generator,
) -> Section:
    return distribution_section(
        "pipeline",
        "End to end: encoder, draw, decoder",
        "The decoder's outcome distribution, end to end on the device, against the exact reference "
        "of the same steps. The shot floor is one noiseless run end to end with the same shots.",
        exact,
        measured,
        shots,
        rng,
    )


def _decoder_section(stage: Stage, rng: np.random.Generator) -> Section:
    return distribution_section(
        "decoder",
        "Decoder distribution",
        "The device's outcome distribution against the exact one of the very latent it was given.",
        stage.exact,
        stage.distributions(),
        stage.shots,
        rng,
    )


def _encoder_section(stage: Stage, rng: np.random.Generator) -> Section:
    return distribution_section(
        "encoder",
        "Encoder distribution",
        "The device's distribution over the latent wires against the exact one.",
        stage.exact,
        stage.distributions(),
        stage.shots,
        rng,
    )


def _input_section(
    given: NamedMolecules, decoded: Mapping[SourceKey, MoleculeBatch], rng: np.random.Generator
) -> Section:
    return molecule_section(
        "molecules_input",
        _FROM_INPUT,
        "Molecules at the end against those that went in: the model's own error is the exact row.",
        given.molecules,
        decoded,
        rng,
    )


def _kept_sections(
    model: ExactModel, stages: Sequence[Stage], rng: np.random.Generator
) -> tuple[Section, ...]:
    """What post-selection of condition wires kept, a metric a circuit; none without it."""
    metrics = []
    for stage in stages:
        exact = model.kept(stage.exact)
        if exact is None:
            return ()
        shares = {source: model.kept(p) for source, p in stage.distributions().items()}
        rows: dict[SourceKey, FloatArray] = {"exact": exact}
        rows |= {source: share for source, share in shares.items() if share is not None}
        metrics.append(
            Metric(
                key=f"kept_{stage.role}",
                label=f"{stage.role}: share kept",
                better="higher",
                rows=tuple(
                    make_row(source, v, rng, within=(0.0, 1.0)) for source, v in rows.items()
                ),
                note="all condition wires read |0>; the other shots are thrown away",
            )
        )
    text = "Only shots that read |0> on every condition wire are decoded; all are paid."
    return (Section(key="kept", title="Post-selection", text=text, metrics=tuple(metrics)),)


def _decode_all(
    model: ExactModel, distributions: Mapping[SourceKey, FloatArray]
) -> dict[SourceKey, MoleculeBatch]:
    return {source: model.molecules(p) for source, p in distributions.items()}


def _multinomial(p: FloatArray, shots: int, rng: np.random.Generator) -> FloatArray:
    exact = p / p.sum(axis=1, keepdims=True)
    return np.asarray(rng.multinomial(shots, exact) / shots, dtype=np.float64)

"""``qhw judge``: which geometries are molecules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.hits import Conditions, Control, Gap, Hits, Windows, judge_hits
from qhw.cli.options import (
    RUNS,
    Atoms,
    DaskCluster,
    Json,
    Model,
    Out,
    Prior,
    SamplerSteps,
    Seed,
    Temperature,
    Workers,
)
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qhw.chem.molecule import MoleculeBatch
    from qhw.chem.validity import ValidityReport

_SAMPLES = 1000


def judge_command(
    input_file: Annotated[
        Path | None, typer.Option("--input", help="3-D SDF file to judge, plain or gzipped.")
    ] = None,
    model: Model = None,
    samples: Annotated[
        int | None,
        typer.Option(
            max=1_000_000, help="Molecules generated with --model.", show_default=str(_SAMPLES)
        ),
    ] = None,
    prior: Prior = None,
    temperature: Temperature = None,
    sampler_steps: SamplerSteps = None,
    atoms: Atoms = None,
    condition: Conditions = None,
    control: Control = None,
    window: Windows = None,
    gap: Gap = "surrogate",
    out_folder: Out = RUNS,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    as_json: Json = False,
) -> None:
    """Validity under both protocols and what is new, every denominator named.

    Judges QM9's own geometries (the shipped held-out sample), an SDF file (--input), or what a
    model generates exactly, without a device (--model). New is what QM9's training split does not
    hold: by SMILES, and by skeleton (elements and which are bonded, whatever the bond orders). With
    --condition: how often a conditional model, or one whose prior takes conditions, hits what it is
    asked for, beside one that is not asked; writes DIR/<run>/ with report.html and result.json.
    """
    from qhw.analysis.scores.molecules import reports as judged
    from qhw.chem.training_split import known_molecules
    from qhw.scheduler import some_scheduler

    if condition:
        if model is None or input_file is not None:
            raise ValueError("Argument `condition` must come with `--model` alone, but does not")
        asked = Hits(model, control, condition, window or [], gap, out_folder)
        judge_hits(
            asked,
            _count(samples),
            prior,
            seed,
            as_json=as_json,
            workers=workers,
            scheduler=scheduler,
        )
        return
    with some_scheduler(workers, scheduler) as pool:
        drawing = {"temperature": temperature, "steps": sampler_steps, "atoms": atoms}
        title, molecules = _molecules(input_file, model, samples, prior, drawing, seed)
        known = known_molecules()
        reports = tuple(judged(molecules, reference=known, scheduler=pool).values())
    if as_json:
        emit_json({"judged": title, "reports": [report.summary() for report in reports]})
        return
    out.print(_table(title, reports), crop=False)
    out.print(f"new: different ones among the valid, novel against {known.said}")


def _table(title: str, reports: Sequence[ValidityReport]) -> WholeTable:
    from qhw.report.format import percent

    table = WholeTable(
        box=None, pad_edge=False, header_style="dim", title=title, title_justify="left"
    )
    for heading in ("protocol", "samples", "two atoms or more", "valid", "valid / all"):
        table.add_column(heading, justify="right")
    for heading in ("valid / two or more", "different / valid", "new SMILES / all"):
        table.add_column(heading, justify="right")
    for heading in ("new skeletons / all", "reasons"):
        table.add_column(heading, justify="right")
    for report in reports:
        rates = report.rates
        reasons = [f"{why} {n}" for why, n in report.reasons.items() if why != "valid"]
        table.add_row(
            report.protocol,
            str(report.samples),
            str(report.kept),
            str(report.valid),
            percent(rates["valid/all"]),
            percent(rates["valid/kept"]),
            f"{report.unique} / {report.valid}",
            percent(rates["novel_unique/all"]),
            percent(rates["novel_skeletons/all"]),
            ", ".join(reasons),
        )
    return table


def _count(samples: int | None) -> int:
    count = _SAMPLES if samples is None else samples
    if count < 1:
        raise ValueError(f"Argument `samples` must be >= 1, but is {count}")
    return count


def _molecules(
    file: Path | None,
    model: str | None,
    samples: int | None,
    prior: str | None,
    drawing: Mapping[str, float | None],
    seed: int,
) -> tuple[str, MoleculeBatch]:
    import numpy as np

    from qhw.analysis.compare.model import drawn_prior, make_prior
    from qhw.chem.qm9 import sample_molecules
    from qhw.chem.sdf_reader import read_sdf
    from qhw.models.checkpoint import load
    from qhw.models.conditions import sample_for
    from qhw.models.exact import ExactModel

    if file is not None and model is not None:
        raise ValueError("Argument `input` must not be given with `model`, but both are")
    for name, given in (("samples", samples), ("prior", prior), *drawing.items()):
        if given is not None and model is None:
            raise ValueError(f"Argument `{name}` must come with `--model`, but none is given")
    if file is not None:
        return str(file), read_sdf(file).molecules
    if model is None:
        sample = sample_molecules()
        return f"QM9's own geometries, {len(sample)} held-out molecules", sample.molecules
    samples = _count(samples)
    loaded, card = load(model)
    exact = ExactModel(loaded.double(), card.name, "qhw judge --model")
    prior = drawn_prior(prior, loaded, drawing)
    source = make_prior(prior, exact, sample_for(loaded), seed)
    latents = source.sample(samples, np.random.default_rng(seed))
    title = f"{samples} molecules generated exactly by {card.name}, prior {prior}"
    return title, exact.molecules(exact.decoder(latents))

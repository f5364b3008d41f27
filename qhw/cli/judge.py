"""``qhw judge``: which geometries are molecules."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
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
    Prior,
    SamplerSteps,
    Seed,
    Temperature,
    Workers,
)
from qhw.cli.whole import (
    Busters,
    Judged,
    OutIfAsked,
    Protocols,
    Reference,
    Relax,
    judged_file,
    judged_heavy,
    judged_qm9,
    judged_sample,
    measured,
    show_whole,
    write_whole,
)
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qhw.chem.molecule import MoleculeBatch
    from qhw.chem.validity import ValidityReport
    from qhw.models.base import Model as AnyModel

_SAMPLES = 1000
_TOLD = 100
"""Unreadable records that a document names."""


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
    protocol: Protocols = None,
    reference: Reference = None,
    relax: Relax = 0,
    posebusters: Busters = 0,
    out_folder: OutIfAsked = None,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    as_json: Json = False,
) -> None:
    """Validity under several protocols and what is new, every denominator named.

    Judges QM9's own geometries (the shipped held-out samples), an SDF file of any molecules
    (--input), or what a model generates exactly, without a device (--model). Molecules of heavy
    atoms are judged by protocols strict and released; those with hydrogens also by edm (stability
    and validity as EDM defines them) and valency (charges and aromatic bonds known), with bond
    lengths, angles and dihedrals beside QM9's, QED, SA and logP. Records of a file that cannot be
    read count as samples that are not valid, and are named. New is what the training split
    does not hold. With --condition: how often a conditional model, or one whose prior takes
    conditions, hits what it is asked for, beside one that is not asked. --condition and --out write
    DIR/<run>/ with report.html and result.json.
    """
    from qhw.analysis.scores.molecules import reports as judged
    from qhw.chem.training_split import known_molecules
    from qhw.scheduler import some_scheduler

    if condition:
        if model is None or input_file is not None:
            raise ValueError("Argument `condition` must come with `--model` alone, but does not")
        asked = Hits(model, control, condition, window or [], gap, out_folder or RUNS)
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
    drawing = {"temperature": temperature, "steps": sampler_steps, "atoms": atoms}
    with some_scheduler(workers, scheduler) as pool:
        subject = _judged(input_file, model, samples, prior, drawing, seed, protocol or [])
        known = known_molecules()
        reports: tuple[ValidityReport, ...] = ()
        if subject.heavy is not None:
            found = judged(subject.heavy, reference=known, scheduler=pool)
            reports = tuple(
                found[name].with_unreadable(len(subject.unreadable))
                for name in subject.heavy_protocols
            )
    whole = measured(subject, reference, relax, posebusters)
    document: dict[str, object] = {
        "judged": subject.title,
        "reports": [report.summary() for report in reports],
    }
    if subject.unreadable:
        document["unreadable"] = {
            "records": len(subject.unreadable),
            "first": dict(islice(subject.unreadable.items(), _TOLD)),
        }
    if whole is not None:
        document["whole"] = whole.to_dict()
    written = None if out_folder is None else write_whole(whole, document, out_folder)
    if as_json:
        emit_json(document if written is None else {"run": str(written), **document})
        return
    if reports:
        out.print(_table(subject.title, reports), crop=False)
        out.print(f"new: different ones among the valid, novel against {known.said}")
    if whole is not None:
        show_whole(whole)
    for words in subject.left_out:
        out.print(words)
    if written is not None:
        out.print(f"report: {written / 'report.html'}", soft_wrap=True)


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


def _judged(
    file: Path | None,
    model: str | None,
    samples: int | None,
    prior: str | None,
    drawing: Mapping[str, float | None],
    seed: int,
    protocols: Sequence[str],
) -> Judged:
    from qhw.models.base import Samples
    from qhw.models.checkpoint import load

    if file is not None and model is not None:
        raise ValueError("Argument `input` must not be given with `model`, but both are")
    for name, given in (("samples", samples), ("prior", prior), *drawing.items()):
        if given is not None and model is None:
            raise ValueError(f"Argument `{name}` must come with `--model`, but none is given")
    if file is not None:
        return judged_file(file, protocols)
    if model is None:
        return judged_qm9(protocols)
    loaded, card = load(model)
    count = _count(samples)
    if isinstance(loaded, Samples):
        return judged_sample(loaded, card.name, count, {"prior": prior, **drawing}, seed, protocols)
    return judged_heavy(*_generated(loaded, card.name, count, prior, drawing, seed), protocols)


def _generated(
    loaded: AnyModel,
    name: str,
    samples: int,
    prior: str | None,
    drawing: Mapping[str, float | None],
    seed: int,
) -> tuple[str, MoleculeBatch]:
    import numpy as np

    from qhw.analysis.compare.model import drawn_prior, make_prior
    from qhw.models.conditions import sample_for
    from qhw.models.exact import ExactModel

    exact = ExactModel(loaded.double(), name, "qhw judge --model")
    prior = drawn_prior(prior, loaded, drawing)
    source = make_prior(prior, exact, sample_for(loaded), seed)
    latents = source.sample(samples, np.random.default_rng(seed))
    title = f"{samples} molecules generated exactly by {name}, prior {prior}"
    return title, exact.molecules(exact.decoder(latents))

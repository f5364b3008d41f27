"""``qhw depth-report``: what circuits become on every device."""

from __future__ import annotations

import json
import math
import shlex
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.analysis.depth.asked import check_wanted, checked_levels
from qhw.analysis.depth.merits import checked_merit
from qhw.cli.bind import Bind, bound_values
from qhw.cli.console import emit_json, err, out
from qhw.cli.options import RUNS, DaskCluster, Json, NoiseScale, Out
from qhw.cli.own import Angles, Names, own_words, own_workload
from qhw.cli.progress import bar
from qhw.cli.shot_counts import shot_count
from qhw.mitigation.words import canonical

_WORTH_TELLING_S = 60.0

if TYPE_CHECKING:
    from qhw.analysis.depth.jobs import Limit
    from qhw.analysis.depth.report import DepthReport
    from qhw.analysis.depth.subjects import Subject
    from qhw.analysis.validate.scale import VendorScale
    from qhw.circuits.workload import Workload
    from qhw.scheduler import Scheduler


def depth_report(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.qasm|FILE.qpy]...", help="Circuits.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Encoder and decoder of a model; may be repeated."),
    ] = None,
    angles: Angles = None,
    names: Names = None,
    devices: Annotated[
        str, typer.Option(help="all, or names and .json files separated by commas.")
    ] = "all",
    levels: Annotated[str, typer.Option(help="Optimisation levels, from 0 to 3.")] = "0,1,2,3",
    seeds: Annotated[int, typer.Option(help="Seeds of layout and routing, each level.")] = 5,
    shots: Annotated[
        int,
        typer.Option(metavar="N", parser=shot_count, help="Shots that costs and verdicts are for."),
    ] = 10_000,
    by: Annotated[
        str,
        typer.Option(
            metavar="MERIT",
            help="What one device is recommended by: success, skill, dollars, dollars-for-error, "
            "waiting, gates, depth or duration.",
        ),
    ] = "success",
    error: Annotated[
        float | None,
        typer.Option(min=1e-9, max=1.0, help="Wanted distance to exact: its shots and cost."),
    ] = None,
    observable: Annotated[
        list[str] | None,
        typer.Option(help="With --error: the error of this Pauli sum instead; may be repeated."),
    ] = None,
    mitigation: Annotated[
        str | None,
        typer.Option(
            metavar="PIPELINE",
            help="Simulate each device's best row with this pipeline, such as default: what is "
            "left of its errors. Up to 10 qubits; about 5 to 20 s a row.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the vendors what waits at their devices now.")
    ] = False,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            min=0.0,
            help="Stop compiling then; the same command goes on where it stopped.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An earlier report's result.json: what changed since."),
    ] = None,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="Use IBM's fractional rzz and rx where calibrated.")
    ] = False,
    bind: Bind = None,
    compiler: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Other compilers as rows beside ours: qiskit, pytket, bqskit, separated by "
            "commas.",
        ),
    ] = "",
    noise_scale: NoiseScale = None,
    only: Annotated[str, typer.Option(help="Only circuits whose name contains this.")] = "",
    processes: Annotated[
        int, typer.Option("--processes", min=0, help="Worker processes; 0 for one a core.")
    ] = 0,
    scheduler: DaskCluster = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep compilations for the next time.")
    ] = True,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Gates, depth, predicted success and cost of circuits on every device and level.

    Writes DIR/<run>/ with report.html, result.json, rows.csv and the best compiled circuits.
    """
    wanted = checked_levels(_levels(levels), seeds=seeds, shots=shots)
    checked_merit(by, live=live)
    check_wanted(by, error, observable or ())
    pipeline = None if mitigation is None else canonical(mitigation)
    if not files and not model:
        raise ValueError("Argument `files` or `--model` must name a circuit, but neither does.")
    from backends.compilers.registry import checked_compiler
    from qhw.analysis.depth.changes import changes, read_report
    from qhw.analysis.depth.jobs import Limit
    from qhw.analysis.depth.sweep import sweep
    from qhw.api.planning import compiling
    from qhw.cache import made_cache_folder
    from qhw.report.depth_files import write_depth_files
    from qhw.report.depth_terminal import depth_summary
    from qhw.report.runfolder import run_folder, run_id

    # whatever can be refused is, before the first file is read
    others = [checked_compiler(n.strip()) for n in compiler.split(",") if n.strip()]
    before = None if against is None else read_report(against)
    rows = angles is not None or names is not None
    work = own_workload(ctx, files, angles, names, (), bind) if rows else None
    words = own_words(files or (), angles, names, bind)
    subjects = _subjects(files or [], work, words, model or [], only, bound_values(bind))
    kept = made_cache_folder() if cache else None
    command = shlex.join(["qhw", *sys.argv[1:]])
    settings = [[s.name for s in subjects], devices, wanted, seeds, shots, fractional]
    settings += [others] if others else []
    settings += [] if pipeline is None else [pipeline]
    documents = []
    for scale in _scales(noise_scale):
        named = json.dumps(settings if scale is None else [*settings, noise_scale, scale.words])
        with run_folder(out_folder, run_id("depth-report", named)) as folder:
            time_left = Limit(math.inf if time_limit is None else 60 * time_limit, _tell_minutes)
            with closing(compiling(processes, scheduler)) as pool:
                with bar("compiling") as done:
                    report = sweep(
                        subjects,
                        devices,
                        levels=wanted,
                        seeds=seeds,
                        shots=shots,
                        fractional=fractional,
                        cache=kept,
                        scheduler=pool,
                        noise_scale=scale,
                        compilers=others,
                        command=command if scale is None else f"{command}  # {scale.words}",
                        by=by,
                        error=error,
                        observables=observable or (),
                        live=live,
                        done=done,
                        limit=time_left,
                    )
                if pipeline is not None:
                    report = _mitigated(report, subjects, pipeline, pool, scale, time_left)
            if before is not None:
                report = report.model_copy(update={"changes": changes(before, report)})
            report = write_depth_files(
                folder.staging, folder.id, report, subjects, final=folder.final
            )
        told = {} if scale is None else {"noise_scale": scale.words}
        documents.append({"run": str(folder.final), **told, **report.model_dump(mode="json")})
        if as_json:
            continue
        if scale is not None:
            out.print(scale.words, soft_wrap=True)
        for part in depth_summary(report):
            out.print(part, soft_wrap=True)
        out.print(f"report: {folder.final / 'report.html'}", soft_wrap=True)
    if as_json:
        emit_json(documents[0] if len(documents) == 1 else {"runs": documents})


def _scales(text: str | None) -> tuple[VendorScale | None, ...]:
    """Factors on the noise, each for all vendors: none asked for, one, or the two measured."""
    from qhw.analysis.validate.scale import vendor_scales

    return (None,) if text is None else vendor_scales(text)


def _subjects(
    files: list[Path],
    work: Workload | None,
    words: list[str],
    models: list[str],
    only: str,
    bind: dict[str, object],
) -> list[Subject]:
    from qhw.analysis.depth.subjects import file_subjects, model_subjects, workload_subject

    found = [s for name in models for s in model_subjects(name)]
    if work is None:
        with bar("reading", silent_s=2.0) as done:
            found += file_subjects(files, bind, done)
    else:
        found.append(workload_subject(work, str(files[0]), words))
    kept = [s for s in found if only in s.name]
    if not kept:
        names = ", ".join(s.name for s in found)
        raise ValueError(f"Argument `only` must be part of a circuit's name ({names}), but {only}")
    return kept


def _tell_minutes(seconds: float, what: str = "compile") -> None:
    """Say how long it will take where that is worth knowing."""
    if seconds > _WORTH_TELLING_S:
        err.print(f"about {seconds / 60:.0f} min of CPU to {what}, shared by the processes")


def _mitigated(
    report: DepthReport,
    subjects: list[Subject],
    pipeline: str,
    pool: Scheduler,
    scale: VendorScale | None,
    limit: Limit,
) -> DepthReport:
    from qhw.analysis.depth.mitigated import mitigated_report

    limit = replace(limit, tell=lambda seconds: _tell_minutes(seconds, "simulate"))
    with bar("simulating") as done:
        return mitigated_report(
            report, subjects, pipeline, noise_scale=scale, scheduler=pool, done=done, limit=limit
        )


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"Argument `levels` must be numbers from 0 to 3 separated by commas, but is {text!r}."
        ) from error

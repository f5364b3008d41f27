"""``qhw noise-study``: models, or circuits of one's own, on devices over noise."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.bind import Bind
from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, DaskCluster, Json, NoiseScale, Out
from qhw.cli.own import Angles, Names, own_workload
from qhw.cli.progress import bar

if TYPE_CHECKING:
    from qhw.circuits.workload import Workload
    from qhw.study.config import StudyConfig


def noise_study(
    ctx: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIG.yaml|FILE.qasm|FILE.qpy",
            help="What to sweep; a circuit of your own in place of its models, or several that "
            "differ in their angles alone, a row each.",
        ),
    ],
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    devices: Annotated[
        str | None,
        typer.Option(help="Of a circuit without CONFIG.yaml: names separated by commas."),
    ] = None,
    noise_scale: NoiseScale = None,
    out_folder: Out = RUNS,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Local processes; default one a core, 0 for none."),
    ] = None,
    scheduler: DaskCluster = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed cells again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sweep noise, devices, shots and mitigation; where does each fall below the baseline?

    Writes DIR/<name of the study>/ with table.parquet, summary.json and report.html. Stopped at
    any moment and started again, it finishes what is missing and repeats nothing.
    """
    from qhw.api.studying import studied
    from qhw.report.study import cut
    from qhw.report.study_terminal import study_lines
    from qhw.scheduler import open_scheduler

    config, work = _asked(ctx, files, angles, names, bind, devices)
    if noise_scale is not None:
        from calibration.catalog import load_snapshot
        from qhw.analysis.validate.scale import noise_scales

        vendors = {load_snapshot(name).vendor for name in config.devices}
        asked = {scale for vendor in vendors for scale in noise_scales(noise_scale, vendor)}
        config = config.model_copy(update={"scales": tuple(sorted({1.0, *asked}))})
    pool = open_scheduler(workers, scheduler)
    with bar("studying") as done:
        found = studied(
            config,
            work,
            out_folder / config.name,
            pool,
            command=shlex.join(["qhw", *sys.argv[1:]]),
            retry_failed=retry_failed,
            done=done,
        )
    run, summary = found.run, found.summary
    if as_json:
        document = json.loads(found.to_json())
        emit_json({"run": str(found.folder), "cells": run.cells, "kept": run.kept, **document})
    else:
        out.print(study_lines(summary), crop=False)
        out.print(f"{run.cells} cells, {run.kept} of them kept from before")
        out.print(f"report: {found.folder / 'report.html'}", soft_wrap=True)
    if run.failed_rows == summary.rows:
        raise ValueError(f"Every cell failed; the first: {cut(summary.failures[0].reason)}")


def _asked(
    ctx: typer.Context,
    given: list[Path],
    angles: Path | None,
    names: str | None,
    bind: list[str] | None,
    devices: str | None,
) -> tuple[StudyConfig, Workload | None]:
    from qhw.api.studying import study_of
    from qhw.study.config import STUDY_SUFFIXES

    configs = [path for path in given if path.suffix in STUDY_SUFFIXES]
    files = [path for path in given if path not in configs]
    if len(configs) > 1:
        raise ValueError(
            f"Argument `files` must have one study at most, but has {len(configs)}: "
            f"{', '.join(map(str, configs))}"
        )
    if devices is not None and configs:
        raise ValueError(f"Argument `devices` must be left out beside {configs[0]}, which has them")
    work = own_workload(ctx, files, angles, names, (), bind)
    if work is None:
        return study_of(configs[0])
    sweep = None if devices is None else {"devices": tuple(devices.split(","))}
    if not configs and sweep is None:
        raise ValueError("Argument `devices` must be given for a circuit without CONFIG.yaml")
    return study_of(work, None, configs[0] if configs else sweep)

"""``qhw noise-study``: models on devices over noise, from one YAML file."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, Json, Out
from qhw.cli.progress import bar


def noise_study(
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to sweep.")],
    out_folder: Out = RUNS,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Local processes; default one a core, 0 for none."),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Dask cluster, tcp://host:port.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run failed cells again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sweep noise, devices, shots and mitigation; where does each model fall below the baseline?

    Writes DIR/<name of the study>/ with table.parquet, summary.json and report.html. Stopped at
    any moment and started again, it finishes what is missing and repeats nothing.
    """
    from qhw.models.checkpoint import write_atomically
    from qhw.report.runfolder import nothing_empty_left
    from qhw.report.study import cut, render_study
    from qhw.report.study_terminal import study_lines
    from qhw.study.config import read_config
    from qhw.study.grid import check_names
    from qhw.study.run import run_study
    from qhw.study.scheduler import open_scheduler
    from qhw.study.summary import summarise

    config = read_config(config_file)
    check_names(config)
    folder = out_folder / config.name
    pool = open_scheduler(workers, scheduler)
    with nothing_empty_left(folder):
        try:
            with bar("studying") as done:
                run = run_study(config, folder, pool, done=done, retry_failed=retry_failed)
        finally:
            pool.close()
    summary = summarise(config, run.table)
    command = shlex.join(["qhw", *sys.argv[1:]])
    write_atomically(folder / "summary.json", (summary.model_dump_json(indent=1) + "\n").encode())
    write_atomically(folder / "report.html", render_study(summary, command).encode())
    if as_json:
        document = json.loads(summary.model_dump_json())
        emit_json({"run": str(folder), "cells": run.cells, "kept": run.kept, **document})
    else:
        out.print(study_lines(summary), crop=False)
        out.print(f"{run.cells} cells, {run.kept} of them kept from before")
        out.print(f"report: {folder / 'report.html'}", soft_wrap=True)
    if run.failed_rows == summary.rows:
        raise ValueError(f"Every cell failed; the first: {cut(summary.failures[0].reason)}")

"""``qhw drift``: what changed on a device, and what that does to circuits."""

from __future__ import annotations

import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, DaskCluster, Json, Out, Workers


def drift_command(
    snapshots: Annotated[
        list[str],
        typer.Argument(metavar="A B [C...]", help="Calibrations of one device, names or files."),
    ],
    circuit: Annotated[
        list[Path] | None, typer.Option("--circuit", help="OpenQASM or QPY file; may be repeated.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model whose decoder is followed; default: the shipped one.")
    ] = None,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """What changed between calibrations, per qubit and coupling, and what it does to circuits.

    Writes DIR/<run>/ with report.html and result.json.
    """
    from calibration.catalog import load_snapshot
    from calibration.drift import drift
    from qhw.analysis.compare.model import default_model
    from qhw.analysis.depth.subjects import file_subjects, model_subjects
    from qhw.analysis.drift.effect import drift_effects
    from qhw.report.drift import Pair, render_drift
    from qhw.report.drift_terminal import drift_document, drift_summary
    from qhw.report.runfolder import run_folder, run_id
    from qhw.scheduler import some_scheduler

    if len(snapshots) < 2:
        raise ValueError(f"Argument `snapshots` must name two or more, but names {len(snapshots)}.")
    days = [load_snapshot(name) for name in snapshots]
    changes = [drift(a, b) for a, b in pairwise(days)]
    subjects = list(file_subjects(circuit or []))
    if model is not None or not subjects:
        found = model_subjects(model or default_model())
        subjects += [s for s in found if "decoder" in s.name][-1:]
    with some_scheduler(workers, scheduler) as pool:
        effects = drift_effects(subjects, list(pairwise(days)), pool)
    pairs = [
        Pair(a, b, change, effect)
        for (a, b), change, effect in zip(pairwise(days), changes, effects, strict=True)
    ]
    document = [drift_document(pair) for pair in pairs]
    settings = json.dumps([snapshots, [s.name for s in subjects]])
    with run_folder(out_folder, run_id("drift", settings)) as folder:
        text = json.dumps({"schema_version": 1, "pairs": document}, indent=1) + "\n"
        (folder.staging / "result.json").write_text(text, encoding="utf-8")
        page = render_drift(pairs, shlex.join(["qhw", *sys.argv[1:]]))
        (folder.staging / "report.html").write_text(page, encoding="utf-8")
    if as_json:
        emit_json({"run": str(folder.final), "pairs": document})
        return
    for pair in pairs:
        for part in drift_summary(pair):
            out.print(part, soft_wrap=True)
    out.print(f"report: {folder.final / 'report.html'}", soft_wrap=True)

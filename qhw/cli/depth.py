"""``qhw depth-report``: what circuits become on every device."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from qiskit import qasm3, qpy
from rich.table import Table

from backends.native.compile import NativeCircuit
from qhw.analysis.depth_report import DepthReport, Row
from qhw.analysis.depth_sweep import sweep
from qhw.analysis.subjects import Subject, file_subjects, model_subjects
from qhw.cache import cache_folder
from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, Json, Out
from qhw.cli.progress import bar
from qhw.report.depth import best_natives, render_depth, to_csv
from qhw.report.format import number, percent
from qhw.report.runfolder import run_folder, run_id

_SHOWN = 10
"""Devices listed on the terminal for each circuit."""


def depth_report(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.qasm|FILE.qpy]...", help="Circuits.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Encoder and decoder of a model; may be repeated."),
    ] = None,
    devices: Annotated[
        str, typer.Option(help="all, or names and .json files separated by commas.")
    ] = "all",
    levels: Annotated[str, typer.Option(help="Optimisation levels, from 0 to 3.")] = "0,1,2,3",
    seeds: Annotated[int, typer.Option(help="Seeds of layout and routing, each level.")] = 5,
    shots: Annotated[int, typer.Option(help="Shots that costs are for.")] = 10_000,
    fractional: Annotated[
        bool, typer.Option("--fractional", help="Use IBM's fractional rzz and rx where calibrated.")
    ] = False,
    only: Annotated[str, typer.Option(help="Only circuits whose name contains this.")] = "",
    processes: Annotated[
        int, typer.Option("--processes", help="Worker processes; 0 for one a core.")
    ] = 0,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep compilations for the next time.")
    ] = True,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Gates, depth, predicted success and cost of circuits on every device and level.

    Writes DIR/<run>/ with report.html, result.json, rows.csv and the best compiled circuits.
    """
    subjects = _subjects(files or [], model or [], only)
    wanted = _levels(levels)
    command = shlex.join(["qhw", *sys.argv[1:]])
    settings = json.dumps([[s.name for s in subjects], devices, wanted, seeds, shots, fractional])
    with run_folder(out_folder, run_id("depth-report", settings)) as folder:
        with bar("compiling") as done:
            report = sweep(
                subjects,
                devices,
                levels=wanted,
                seeds=seeds,
                shots=shots,
                fractional=fractional,
                cache=cache_folder() if cache else None,
                processes=processes or os.cpu_count() or 1,
                command=command,
                done=done,
            )
        natives = best_natives(report, subjects)
        _write(folder.staging, folder.id, report, subjects, natives)
    if as_json:
        emit_json({"run": str(folder.final), **report.model_dump(mode="json")})
        return
    _print(report)
    out.print(f"report: {folder.final / 'report.html'}", soft_wrap=True, markup=False)


def _subjects(files: list[Path], models: list[str], only: str) -> list[Subject]:
    if not files and not models:
        raise ValueError("Argument `files` or `--model` must name a circuit, but neither does.")
    found = [s for name in models for s in model_subjects(name)] + list(file_subjects(files))
    kept = [s for s in found if only in s.name]
    if not kept:
        names = ", ".join(s.name for s in found)
        raise ValueError(f"Argument `only` must be part of a circuit's name ({names}), but {only}")
    return kept


def _levels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"Argument `levels` must be numbers from 0 to 3 separated by commas, but is {text!r}."
        ) from error


def _write(
    folder: Path,
    name: str,
    report: DepthReport,
    subjects: list[Subject],
    natives: dict[str, NativeCircuit],
) -> None:
    (folder / "result.json").write_text(report.to_json(), encoding="utf-8")
    (folder / "rows.csv").write_text(to_csv(report), encoding="utf-8")
    page = render_depth(report, subjects, natives, name)
    (folder / "report.html").write_text(page, encoding="utf-8")
    circuits = folder / "circuits"
    circuits.mkdir()
    for subject, native in natives.items():
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", subject).strip("-.") or "circuit"
        with (circuits / f"{stem}.qpy").open("wb") as file:
            qpy.dump(native.circuit, file)
        (circuits / f"{stem}.qasm").write_text(qasm3.dumps(native.circuit), encoding="utf-8")


def _print(report: DepthReport) -> None:
    for facts in report.circuits:
        own = [row for row in report.rows if row.circuit == facts.name]
        good = sorted((r for r in own if r.best is not None), key=_success, reverse=True)
        by_device: dict[str, Row] = {}
        for row in good:
            by_device.setdefault(row.device, row)
        out.print(f"{facts.name}", style="bold", markup=False)
        if good:
            out.print(_table(list(by_device.values())[:_SHOWN]))
            if len(by_device) > _SHOWN:
                out.print(f"and {len(by_device) - _SHOWN} more devices in the report")
        reasons = {r.reason: r for r in own if r.reason is not None}
        for reason, row in reasons.items():
            out.print(f"failed on {row.device}: {reason}", markup=False, soft_wrap=True)


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("device")
    for heading in ("level", "2q gates", "2q depth", "pulses", "success", "distance", "beats"):
        table.add_column(heading, justify="right")
    table.add_column("cost", justify="right")
    for row in rows:
        best = row.best
        if best is None:
            continue
        table.add_row(
            row.device,
            str(row.level),
            str(best.two_qubit_gates),
            str(best.two_qubit_depth),
            str(best.pulses),
            percent(best.success),
            number(row.tvd),
            "yes" if row.beats_baseline else "no",
            f"${row.cost.usd:,.2f} ({row.cost.as_of})" if row.cost else "–",
        )
    return table


def _success(row: Row) -> float:
    return row.best.success if row.best else 0.0

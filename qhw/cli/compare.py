"""``qhw compare`` and ``qhw demo``: the main job."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import (
    DEFAULT_DEVICE,
    RUNS,
    Device,
    Json,
    Mitigation,
    Model,
    Out,
    Prior,
    Seed,
    Shots,
    WithRaw,
)

if TYPE_CHECKING:
    from qhw.analysis.compare import Comparison
    from qhw.analysis.result import Settings
    from qhw.report.runfolder import RunFolder

_DEMO_SHOTS = 100_000
_DEMO_MOLECULES = 100


def compare_command(
    model: Model = None,
    device: Device = DEFAULT_DEVICE,
    shots: Shots = 100_000,
    molecules: Annotated[int, typer.Option(help="Rows compared, two or more.")] = 20,
    task: Annotated[
        str, typer.Option(help="generate, encode or reconstruct (the whole way on the device).")
    ] = "generate",
    seed: Seed = 0,
    mitigation: Mitigation = "readout",
    with_raw: WithRaw = False,
    preparation: Annotated[
        str, typer.Option(help="How amplitudes are loaded: brickwork (shallow, fitted) or exact.")
    ] = "brickwork",
    prior: Prior = None,
    kappa: Annotated[
        float | None, typer.Option(help="Of reconstruct's vMF draw; default: the model's.")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw, or decode the mean direction itself.")
    ] = True,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="SDF of molecules for encode and reconstruct.")
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(help="File of `qhw calibrate` for the readout correction; may be repeated."),
    ] = None,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Run a model on a device and compare it with exact.

    Writes DIR/<run>/ with report.html, result.json, molecules.sdf, the compiled circuits, the
    calibration snapshot and the raw counts.
    """
    from qhw.analysis.compare import default_model
    from qhw.analysis.result import Settings

    settings = Settings.parse(
        model=model or default_model(),
        device=device,
        shots=shots,
        molecules=molecules,
        task=task,
        seed=seed,
        mitigation=mitigation,
        with_raw=with_raw,
        preparation=preparation,
        prior=prior,
        kappa=kappa,
        draw=draw,
        input=None if input_file is None else str(input_file),
        calibrations=tuple(calibration or ()),
    )
    write_run(settings, out_folder, as_json=as_json)


def demo(out_folder: Out = RUNS, seed: Seed = 0, as_json: Json = False) -> None:
    """The main job on the shipped model and the default device: start here.

    A hundred held-out molecules go the whole way through the device model: encoder shots, latent,
    decoder shots, molecule.
    """
    from qhw.analysis.compare import default_model
    from qhw.analysis.result import Settings

    settings = Settings.parse(
        model=default_model(),
        device=DEFAULT_DEVICE,
        shots=_DEMO_SHOTS,
        molecules=_DEMO_MOLECULES,
        task="reconstruct",
        seed=seed,
    )
    write_run(settings, out_folder, as_json=as_json)


def command_line(settings: Settings, command: str = "compare") -> str:
    """The command, ``qhw compare`` or another with its options, that gives these settings."""
    words = ["qhw", command]
    for name, value in settings.model_dump(exclude_defaults=True).items():
        if name == "draw":
            words += ["--no-draw"]
        elif name == "with_raw":
            words += ["--with-raw"]
        elif name == "calibrations":
            words += [word for path in value for word in ("--calibration", path)]
        else:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def write_run(settings: Settings, folder: Path, *, as_json: bool) -> None:
    """Compare on a simulator, write the run's folder and print what came out."""
    import torch

    from qhw.analysis.compare import compare
    from qhw.report.runfolder import run_folder, run_id

    # matrices of 128 rows: a second thread gains nothing, and on busy cores it waits for ages
    torch.set_num_threads(1)
    name = run_id(settings.task, settings.model_dump_json())
    with run_folder(folder, name) as run, steps() as tell:
        comparison = compare(settings, command=command_line(settings), notify=tell)
        tell("writing the report")
        _fill(run, comparison)
    _print(run, comparison, as_json=as_json)


def report_run(comparison: Comparison, folder: Path, name: str, *, as_json: bool) -> None:
    """Write the folder of a run whose comparison is there and print what came out."""
    from qhw.report.runfolder import run_folder

    with run_folder(folder, name) as run:
        _fill(run, comparison)
    _print(run, comparison, as_json=as_json)


def _fill(run: RunFolder, comparison: Comparison) -> None:
    from qhw.report.artefacts import write_artefacts
    from qhw.report.html import render

    write_artefacts(comparison, run.staging)
    (run.staging / "report.html").write_text(render(comparison, run.id), encoding="utf-8")


def _print(run: RunFolder, comparison: Comparison, *, as_json: bool) -> None:
    from qhw.report.terminal import summary

    if as_json:
        document = json.loads(comparison.result.to_json())
        emit_json({"run": str(run.final), **document})
        return
    out.print(summary(comparison.result), crop=False)
    out.print(f"report: {run.final / 'report.html'}", soft_wrap=True)

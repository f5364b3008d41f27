"""``qhw mitigate bench | advise``: what error mitigation is worth."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.bind import Bind
from qhw.cli.console import emit_json, out
from qhw.cli.options import (
    RUNS,
    DaskCluster,
    Json,
    Model,
    NoiseScale,
    Out,
    Prior,
    Seed,
    Shots,
    Workers,
)
from qhw.cli.own import Angles, Files, Names, own_workload
from qhw.cli.progress import bar
from qhw.cli.shot_counts import shot_counts
from qhw.defaults import DEFAULT_DEVICE

if TYPE_CHECKING:
    from qhw.circuits.workload import Workload

app = typer.Typer(no_args_is_help=True, help="Error mitigation: measure pipelines, choose one.")

Rows = Annotated[
    int, typer.Option("--latents", help="Latents, or molecules, of a model; 2 or more.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        help="Simulator such as engine:ibm_fez; may be repeated.",
        show_default=DEFAULT_DEVICE,
    ),
]
Task = Annotated[
    str,
    typer.Option(help="One circuit of a model: generate (decoder) or encode (encoder)."),
]
Preparation = Annotated[str, typer.Option(help="How amplitudes are loaded: brickwork or exact.")]
Noise = Annotated[
    str, typer.Option(help="Changed noise, such as zz_rad=0.05,t2_star_s=40e-6,gates=0.5.")
]
Pipelines = Annotated[
    str, typer.Option(help="all, or pipelines separated by semicolons; raw and readout are added.")
]
Share = Annotated[
    float, typer.Option(help="Of all shots for the readout calibration of a pipeline.")
]
_ADVICE_REPEATS = 3
_OF_MODELS = ("model", "rows", "task", "preparation")


@app.command("bench")
def bench_command(
    ctx: typer.Context,
    files: Files = None,
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    model: Model = None,
    device: Devices = None,
    shots: Annotated[
        str, typer.Option(help="Budgets of a row, everything counted: 20k,100k.")
    ] = "20k,100k",
    rows: Annotated[
        int, typer.Option("--latents", help="Latents, or molecules, of a model; 2 or more.")
    ] = 20,
    repeats: Annotated[int, typer.Option(help="Of shots and calibration; 2 or more.")] = 5,
    pipelines: Pipelines = "all",
    task: Task = "generate",
    preparation: Preparation = "brickwork",
    prior: Prior = None,
    share: Share = 0.05,
    noise: Noise = "",
    noise_scale: NoiseScale = None,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Measure mitigation pipelines at equal total shots on simulated devices.

    Writes DIR/<run>/ with report.html and result.json.
    """
    import torch

    from qhw.analysis.bench.pipelines import run_bench
    from qhw.analysis.bench.result import BenchSettings
    from qhw.analysis.validate.scale import scaled_devices
    from qhw.report.mitigation import write_bench
    from qhw.report.mitigation_terminal import bench_lines
    from qhw.report.runfolder import run_folder, run_id
    from qhw.scheduler import some_scheduler

    torch.set_num_threads(1)
    work = own_workload(ctx, files, angles, names, (*_OF_MODELS, "prior"), bind)
    subject = _subject(work, model, rows, task, preparation)
    settings = BenchSettings.parse(
        **subject,
        devices=tuple(
            name for one in device or (DEFAULT_DEVICE,) for name in scaled_devices(one, noise_scale)
        ),
        prior=prior,
        shots=shot_counts(shots),
        repeats=repeats,
        pipelines=_pipelines(pipelines, _heads(work, subject)),
        share=share,
        noise=options(noise),
        seed=seed,
    )
    name = run_id("mitigate-bench", settings.model_dump_json())
    with run_folder(out_folder, name) as folder:
        with some_scheduler(workers, scheduler) as pool, bar("mitigating") as done:
            command = shlex.join(["qhw", *sys.argv[1:]])
            result = run_bench(settings, work, command=command, scheduler=pool, done=done)
        write_bench(result, folder.staging, folder.id)
    if as_json:
        emit_json({"run": str(folder.final), **json.loads(result.to_json())})
        return
    out.print(bench_lines(result), soft_wrap=True)
    out.print(f"report: {folder.final / 'report.html'}", soft_wrap=True)


@app.command("advise")
def advise_command(
    ctx: typer.Context,
    files: Files = None,
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    model: Model = None,
    device: Annotated[
        str, typer.Option("--device", help="Simulator or paid device such as ibm:ibm_fez.")
    ] = DEFAULT_DEVICE,
    shots: Shots = 20_000,
    rows: Annotated[
        int, typer.Option("--latents", help="Latents, or molecules, of a model; 2 or more.")
    ] = 20,
    pipelines: Pipelines = "all",
    target: Annotated[
        float | None, typer.Option(help="Distance to exact; how many shots reach it?")
    ] = None,
    task: Task = "generate",
    preparation: Preparation = "brickwork",
    share: Share = 0.05,
    noise: Noise = "",
    noise_scale: NoiseScale = None,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    as_json: Json = False,
) -> None:
    """Predict which pipeline wins at a budget, from near-Clifford circuits; nothing is paid.

    Exit code 2 where nothing is predicted to beat a constant that needs no QPU.
    """
    import torch

    from qhw.analysis.advise.advise import HopelessError, advise
    from qhw.analysis.bench.result import BenchSettings
    from qhw.analysis.validate.scale import scaled_devices
    from qhw.report.mitigation_terminal import advice_lines
    from qhw.scheduler import some_scheduler

    torch.set_num_threads(1)
    work = own_workload(ctx, files, angles, names, _OF_MODELS, bind)
    subject = _subject(work, model, rows, task, preparation)
    asked = [
        BenchSettings.parse(
            **subject,
            devices=(name,),
            shots=(shots,),
            repeats=_ADVICE_REPEATS,
            pipelines=_pipelines(pipelines),
            share=share,
            noise=options(noise),
            seed=seed,
        )
        for name in scaled_devices(device, noise_scale, models_only=False)
    ]
    with some_scheduler(workers, scheduler) as pool, bar("predicting") as done:
        found = [advise(one, work, target=target, scheduler=pool, done=done) for one in asked]
    if as_json:
        documents = [advice.model_dump(mode="json") for advice in found]
        emit_json(documents[0] if len(documents) == 1 else {"runs": documents})
    else:
        for advice in found:
            out.print(advice_lines(advice), soft_wrap=True)
    hopeless = next((a.hopeless for a in found if a.hopeless is not None), None)
    if hopeless is not None:
        raise HopelessError(f"No pipeline is worth running here: {hopeless}")


def _subject(
    work: Workload | None, model: str | None, rows: int, task: str, preparation: str
) -> dict[str, object]:
    """What the settings say of the circuits that are mitigated."""
    from qhw.analysis.bench.subject import circuit_subject
    from qhw.analysis.compare.model import default_model

    if work is not None:
        return circuit_subject(work)
    named = model or default_model()
    return {"model": named, "rows": rows, "task": task, "preparation": preparation}


def options(text: str) -> dict[str, float]:
    """Numbers of ``name=number,name=number``.

    Raises:
        ValueError: not of that form.
    """
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, word = part.partition("=")
        try:
            found[name.strip()] = float(word)
        except ValueError:
            raise ValueError(
                f"Argument `noise` must be name=number,..., but has {part!r}"
            ) from None
    return found


def _heads(work: Workload | None, subject: dict[str, object]) -> tuple[str, ...]:
    """Pipelines with a refitted head that "all" has beside the others."""
    from qhw.analysis.head.bench import WITH_HEAD, decoding_of

    if work is not None:
        return ()
    model, task = str(subject["model"]), str(subject["task"])
    return () if decoding_of(model, task, "brickwork", 0) is None else WITH_HEAD


def _pipelines(text: str, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    from qhw.mitigation.default import CANDIDATES

    if text.strip() == "all":
        return (*CANDIDATES, *more)
    return tuple(part.strip() for part in text.split(";") if part.strip())

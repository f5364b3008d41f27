"""``qhw compare`` and ``qhw demo``: the main job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhw.cli.asked import Line, takes_comparison
from qhw.cli.console import emit_json, out, steps
from qhw.cli.counts import BitOrder, CountsFile, Qubits, with_counts
from qhw.cli.options import RUNS, DaskCluster, Json, NoiseScale, Out, Seed, Workers
from qhw.cli.precision import planned, tell_plan

if TYPE_CHECKING:
    from qhw.analysis.compare.comparison import Comparison
    from qhw.report.runfolder import RunFolder
    from qhw.scheduler import Scheduler

_DEMO_DEVICE = "aer:ibm_boston"
"""The default's device model, simulated by Qiskit Aer: what is published stays as it is."""
_DEMO_SHOTS = 100_000
_DEMO_MOLECULES = 100


@takes_comparison(paid=False)
def compare_command(
    line: Any,
    noise_scale: NoiseScale = None,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    counts: CountsFile = None,
    bit_order: BitOrder = None,
    qubits: Qubits = None,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Run a model, or circuits of your own, on a device and compare with exact.

    With --counts nothing runs: counts of the circuits that were made elsewhere are compared.

    Writes DIR/<run>/ with report.html, result.json, the compiled circuits, the calibration
    snapshot and the raw counts; molecules.sdf of a model.
    """
    from qhw.scheduler import some_scheduler

    if counts is not None:
        if noise_scale is not None:
            raise ValueError(
                "Argument `noise_scale` must be left out with --counts: nothing is simulated"
            )
        if line.wanted is not None:
            raise ValueError("Argument `precision` must be left out with --counts: nothing is run")
        if line.settings.probe:
            raise ValueError("Argument `probe` must be left out with --counts: nothing runs")
        write_run(with_counts(line, counts, bit_order, qubits), out_folder, as_json=as_json)
        return
    for name, value in (("bit_order", bit_order), ("qubits", qubits)):
        if value is not None:
            raise ValueError(f"Argument `{name}` must be left out without --counts, but is {value}")
    lines = [line]
    if noise_scale is not None:
        from qhw.analysis.validate.scale import scaled_devices

        lines = [line.on(name) for name in scaled_devices(line.settings.device, noise_scale)]
    with some_scheduler(workers, scheduler) as pool:
        if len(lines) == 1 or not as_json:
            for one in lines:
                write_run(one, out_folder, as_json=as_json, scheduler=pool)
            return
        found = [run_document(one, out_folder, pool) for one in lines]
    emit_json({"noise_scale": noise_scale, "runs": found})


def demo(
    task: Annotated[
        str, typer.Option(help="reconstruct, generate or encode, as of `qhw compare`.")
    ] = "reconstruct",
    out_folder: Out = RUNS,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The main job on the shipped model and a model of ibm_boston: start here.

    A hundred held-out molecules go end to end through the device model: encoder shots, latent,
    decoder shots, molecule. With --task generate a hundred new ones are drawn and decoded.
    """
    from qhw.analysis.compare.model import default_model, settled_prior
    from qhw.analysis.compare.settings import Settings
    from qhw.paid.asked import AskedModel

    settings = Settings.parse(
        model=default_model(),
        device=_DEMO_DEVICE,
        shots=_DEMO_SHOTS,
        molecules=_DEMO_MOLECULES,
        task=task,
        prior=settled_prior(None, default_model()) if task == "generate" else None,
        seed=seed,
    )
    line = Line(AskedModel(settings), ("--model", settings.model))
    write_run(line, out_folder, as_json=as_json)


def write_run(
    line: Line, folder: Path, *, as_json: bool, scheduler: Scheduler | None = None
) -> None:
    """Compare on a simulator, write the run's folder and print what came out."""
    run, comparison = _written(line, folder, scheduler)
    _print(run, comparison, as_json=as_json)


def _written(line: Line, folder: Path, scheduler: Scheduler | None) -> tuple[RunFolder, Comparison]:
    import torch

    from qhw.report.runfolder import run_folder, run_id

    # matrices of 128 rows: a second thread gains nothing, and on busy cores it waits for ages
    torch.set_num_threads(1)
    with steps() as tell:
        line, plan, _ = planned(line, tell)
    tell_plan(plan)
    name = run_id(line.settings.task, line.settings.model_dump_json())
    with run_folder(folder, name) as run, steps() as tell:
        comparison = line.asked.compare(line.command(), tell, scheduler)
        tell("writing the report")
        _fill(run, comparison)
    return run, comparison


def run_document(line: Line, folder: Path, scheduler: Scheduler | None) -> dict[str, object]:
    """Compare on a simulator, write the run's folder and give what ``--json`` prints."""
    run, comparison = _written(line, folder, scheduler)
    return _document(run, comparison)


def report_run(comparison: Comparison, folder: Path, name: str, *, as_json: bool) -> None:
    """Write the folder of a run whose comparison is there and print what came out."""
    from qhw.report.runfolder import run_folder

    with run_folder(folder, name) as run:
        _fill(run, comparison)
    _print(run, comparison, as_json=as_json)


def _fill(run: RunFolder, comparison: Comparison) -> None:
    from qhw.report.whole import write_comparison

    write_comparison(comparison, run.staging, run.id)


def _print(run: RunFolder, comparison: Comparison, *, as_json: bool) -> None:
    from qhw.report.terminal import summary

    if as_json:
        emit_json(_document(run, comparison))
        return
    out.print(summary(comparison.result), crop=False)
    out.print(f"report: {run.final / 'report.html'}", soft_wrap=True)


def _document(run: RunFolder, comparison: Comparison) -> dict[str, object]:
    return {"run": str(run.final), **json.loads(comparison.result.to_json())}

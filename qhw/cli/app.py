"""The command line: ``qhw --help`` is its table of contents.

Commands import the house's other rooms when they are called: torch, Qiskit and RDKit take seconds
to load, and ``qhw --help`` should not.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from qhw.cli import (
    bundles,
    calibrate,
    compare,
    dashboard,
    depth,
    devices,
    doctor,
    drift,
    expect,
    force_field,
    jobs,
    judge,
    latents,
    lmdm,
    mitigate,
    models,
    noise_study,
    runs,
    snapshot,
    submit,
    validate_models,
    vendors,
)
from qhw.cli.console import show_what_is_lacking, warn_plainly
from qhw.cli.errors import HouseGroup
from qhw.cli.interrupts import defer_interrupts
from qhw.report.plain import plain

MAIN_JOB = "The main job"
PAID = "On devices that cost money"
LOOK = "What there is"
MODELS = "Models"
TOOLS = "Tools"

app = typer.Typer(
    cls=HouseGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run trained molecular quantum circuits on noisy quantum computers and know exactly what "
    "came out.\n\nEvery command takes --json (one JSON document on stdout) and --debug (a "
    "traceback instead of one line). Exit codes: 0 done, 2 bad input, 130 interrupted.",
)

app.command("demo", rich_help_panel=MAIN_JOB)(compare.demo)
app.command("compare", rich_help_panel=MAIN_JOB)(compare.compare_command)
app.command("expect", rich_help_panel=MAIN_JOB)(expect.expect_command)
app.command("depth-report", rich_help_panel=MAIN_JOB)(depth.depth_report)
app.command("noise-study", rich_help_panel=MAIN_JOB)(noise_study.noise_study)
app.add_typer(mitigate.app, name="mitigate", rich_help_panel=MAIN_JOB)
app.command("estimate", rich_help_panel=PAID)(submit.estimate)
app.command("submit", rich_help_panel=PAID)(submit.submit)
app.command("run", rich_help_panel=PAID)(submit.run)
jobs.app.command("export")(bundles.export)
app.add_typer(jobs.app, name="jobs", rich_help_panel=PAID)
app.command("verify", rich_help_panel=PAID)(bundles.verify_command)
app.add_typer(vendors.app, name="vendors", rich_help_panel=PAID)
app.add_typer(runs.app, name="runs", rich_help_panel=LOOK)
app.command("dashboard", rich_help_panel=LOOK)(dashboard.dashboard)
app.command("models", rich_help_panel=LOOK)(models.list_models)
app.command("devices", rich_help_panel=LOOK)(devices.list_devices)
app.command("drift", rich_help_panel=LOOK)(drift.drift_command)
app.command("validate-models", rich_help_panel=LOOK)(validate_models.validate_models_command)
app.add_typer(snapshot.app, name="snapshot", rich_help_panel=LOOK)
app.command("doctor", rich_help_panel=LOOK)(doctor.doctor)
app.command("train", rich_help_panel=MODELS)(models.train_command)
app.add_typer(force_field.app, name="force-field", rich_help_panel=MODELS)
app.add_typer(lmdm.app, name="lmdm", rich_help_panel=MODELS)
app.command("import-checkpoint", rich_help_panel=MODELS)(models.import_checkpoint)
app.command("calibrate", rich_help_panel=TOOLS)(calibrate.calibrate_command)
app.command("judge", rich_help_panel=TOOLS)(judge.judge_command)
app.command("plan-shots", rich_help_panel=TOOLS)(latents.plan_shots_command)
app.command("sample-latents", rich_help_panel=TOOLS)(latents.sample_latents)


def _version(wanted: bool) -> None:
    if wanted:
        from qhw.models.checkpoint import code_version

        typer.echo(f"qhw {code_version().version}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Entry point of ``qhw``."""
    defer_interrupts()
    show_what_is_lacking()
    warn_plainly()
    try:
        app()
    except Exception:  # of --debug, or a fault of ours: its words may be a file's or a vendor's
        sys.exit(plain(traceback.format_exc()))

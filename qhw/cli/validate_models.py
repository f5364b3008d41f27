"""``qhw validate-models``: every prediction beside what real quantum computers gave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json
from qhw.cli.progress import bar


def validate_models_command(
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="[DEVICE]...", help="Only these devices.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Results of your own in place of the shipped ones: JSON or lines of records, a "
            "bundle of `qhw jobs export`, or the folder of a run on a paid device.",
        ),
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep predictions for the next time.")
    ] = True,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where a folder with report.html is made."),
    ] = None,
    as_json: Json = False,
) -> None:
    """How wrong are the device models? Predictions beside public results of real devices.

    Every shipped result is predicted anew by the model of its device. A noise factor of 2 is twice
    the noise that the model says. Results that cannot judge a model are listed with the reason.
    """
    import torch

    from qhw.analysis.validate.records import shipped_results
    from qhw.analysis.validate.validation import validate_models
    from qhw.cache import made_cache_folder
    from qhw.paid.own_results import given_results
    from qhw.report.runfolder import check_folder, run_folder, run_id
    from qhw.report.validation import write_validation
    from qhw.report.validation_terminal import validation_summary

    torch.set_num_threads(1)
    results = shipped_results() if data is None else given_results(data)
    if out_folder is not None:
        check_folder(out_folder)
    kept = made_cache_folder() if cache else None
    named = "shipped" if data is None else str(data)
    with bar("predicting") as done:
        found = validate_models(results, devices or (), data=named, cache=kept, done=done)
    final = None
    if out_folder is not None:
        with run_folder(out_folder, run_id("validate-models", found.to_json())) as folder:
            write_validation(folder.staging, folder.id, found)
        final = folder.final
    if as_json:
        run = {} if final is None else {"run": str(final)}
        emit_json({**run, **found.model_dump(mode="json")})
        return
    for part in validation_summary(found):
        out.print(part, crop=False)
    if final is not None:
        out.print(f"report: {final / 'report.html'}", soft_wrap=True)

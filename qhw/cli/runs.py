"""``qhw runs``: what is in the runs folder, and runs beside each other."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, Json

app = typer.Typer(
    invoke_without_command=True,
    help="What is in the runs folder, newest first; `qhw runs compare A B` lays runs side by side.",
)

Folder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of runs.")]


@app.callback()
def list_runs(
    context: typer.Context,
    folder: Folder = RUNS,
    only: Annotated[
        str,
        typer.Option(
            "--only", metavar="WORDS", help="Only runs with these words in name, task or device."
        ),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=2**31, help="The newest so many.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """What is in the runs folder, newest first; `qhw runs compare A B` lays runs side by side."""
    if context.invoked_subcommand is not None:
        return
    from qhw.report.runs_terminal import runs_table, unreadable_lines
    from qhw.saved.shelf import Shelf

    found = Shelf(folder).runs(only)
    if as_json:
        emit_json({"runs": [run.document() for run in found[:limit]], "found": len(found)})
        return
    if any(run.problem is None for run in found[:limit]):
        out.print(runs_table(found[:limit]), crop=False)
    for line in unreadable_lines(found[:limit]):
        out.print(line, soft_wrap=True)
    shown = min(limit, len(found))
    out.print(f"{shown} of {len(found)} runs in {folder}" if found else f"no runs in {folder}")


@app.command("compare")
def compare_runs(
    names: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="Names, beginnings or ends of them, or folders."),
    ],
    folder: Folder = RUNS,
    out_folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write DIR/runs.html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Lay finished runs side by side: what differs, and figures with paired intervals.

    The others are set against the first, row by row, where the rows are the same.
    """
    from qhw.models.checkpoint import write_atomically
    from qhw.report.runfolder import check_folder
    from qhw.report.runs_terminal import side_by_side_lines
    from qhw.report.side_by_side import PAGE, render_runs
    from qhw.saved.shelf import Shelf
    from qhw.saved.side_by_side import lay_side_by_side

    if out_folder is not None:
        check_folder(out_folder)
    compared = lay_side_by_side(Shelf(folder), names)
    written: Path | None = None
    if out_folder is not None:
        page = render_runs(compared, shlex.join(["qhw", *sys.argv[1:]]))
        out_folder.mkdir(parents=True, exist_ok=True)
        written = out_folder / PAGE
        write_atomically(written, page.encode())
    if as_json:
        emit_json({**json.loads(compared.to_json()), "page": written and str(written)})
        return
    for part in side_by_side_lines(compared):
        out.print(part, crop=False)
    if written is not None:
        out.print(f"page: {written}", soft_wrap=True)

"""``qhw jobs export`` and ``qhw verify``: a run as one file, and the check of such a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json, writable_file

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its end.")]


def export(
    run: RunName,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Bundle to write.", show_default="RUN.bundle.zip"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """One run as a file for others: circuits, calibration, prediction, payload hashes, counts.

    Prints one hash over all. Written down before the results are there (`qhw submit` first), it
    shows later that nothing was predicted afterwards. `qhw verify FILE` checks it anywhere.
    """
    from qhw.jobs.bundle import export_run
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.queries import get_run
    from qhw.models.checkpoint import write_atomically
    from qhw.report.runfolder import file_name

    with Ledger.open() as ledger, ledger.read() as connection:
        name = get_run(connection, run).id
        path = writable_file(out_file or Path(f"{file_name(name)}.bundle.zip"))
        if path.is_symlink():
            raise ValueError(f"Option `--out` must not be a link, but {path} is one")
        sha, raw = export_run(connection, name)
    write_atomically(path, raw)
    if as_json:
        emit_json({"run": name, "bundle": str(path), "sha256": sha, "bytes": len(raw)})
        return
    out.print(f"{path}: {len(raw):,} bytes", soft_wrap=True, markup=False)
    out.print(f"hash over all: {sha}")


def verify_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File of `qhw jobs export`.")],
    sha256: Annotated[
        str | None,
        typer.Option("--hash", metavar="SHA256", help="The hash that was told when it was made."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle offline: every hash, that its parts belong together, and the prediction.

    Asks no ledger, vendor or network. A bundle altered by one byte is refused, naming the part.
    """
    import json

    from qhw.paid.verified import verify
    from qhw.report.format import printable
    from qhw.report.prediction import prediction_line

    found = verify(bundle, sha256)
    m = found.manifest
    if as_json:
        emit_json(
            {
                "bundle": str(bundle),
                "sha256": m.sha256,
                "run": m.run,
                "backend": m.backend,
                "rehearsal": m.rehearsal,
                "parts": len(m.parts),
                "jobs": len(m.jobs),
                "predictions": [json.loads(one.model_dump_json()) for one in found.predictions],
                "unknown": list(found.unknown),
            }
        )
        return
    shots = sum(job.rows * job.shots for job in m.jobs if job.counts is not None)
    out.print(printable(f"{m.run} on {m.backend}, {len(m.jobs)} jobs, {shots:,} shots counted"))
    for one in found.predictions:
        out.print(printable(prediction_line(one)), soft_wrap=True, markup=False)
    for text in found.unknown:
        out.print(f"not proven: {text}", soft_wrap=True)
    out.print(f"verified: {len(m.parts)} parts, hash over all {m.sha256}", soft_wrap=True)

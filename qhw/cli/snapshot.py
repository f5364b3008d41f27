"""``qhw snapshot show | export | import``: calibrations in and out of files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json, OutFile
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from calibration.snapshot import DeviceSnapshot

app = typer.Typer(no_args_is_help=True, help="Calibration snapshots: show, export, import.")

Name = Annotated[str, typer.Argument(metavar="NAME|FILE.json", help="See `qhw devices`.")]


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """What a snapshot says, and what was clamped, masked or missing in it."""
    from calibration.catalog import load_snapshot

    snapshot = load_snapshot(name)
    if as_json:
        emit_json(summary(snapshot))
        return
    table = WholeTable(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    for key, value in summary(snapshot).items():
        table.add_row(key.replace("_", " "), _words(key, value))
    out.print(table, crop=False)


@app.command("export")
def export(
    name: Name,
    out_file: OutFile,
    as_json: Json = False,
) -> None:
    """Write a snapshot in our own format; every command takes such a file as a device."""
    from calibration.catalog import load_snapshot
    from calibration.store import export_snapshot

    snapshot = load_snapshot(name)
    export_snapshot(snapshot, out_file)
    if as_json:
        emit_json({"file": str(out_file), **summary(snapshot)})
        return
    out.print(f"{snapshot.name} of {snapshot.taken:%Y-%m-%d}: {out_file}", soft_wrap=True)


@app.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(help="Braket deviceCapabilities, IBM properties, or our own format.")
    ],
    out_folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Gets the snapshot and the raw payload.")
    ],
    name: Annotated[str | None, typer.Option(help="House name of the device.")] = None,
    configuration: Annotated[
        Path | None, typer.Option(help="IBM's configuration, needed with IBM properties.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a vendor's calibration; its raw payload is kept beside, with its hash."""
    from calibration.store import import_snapshot
    from qhw.report.runfolder import check_folder

    check_folder(out_folder)
    found = import_snapshot(file, out_folder, name=name, configuration=configuration)
    if as_json:
        files = {"file": str(found.file), "raw": [str(path) for path in found.raw]}
        emit_json({**files, **summary(found.snapshot)})
        return
    out.print(f"snapshot: {found.file}", soft_wrap=True)
    for path in found.raw:
        out.print(f"raw payload: {path}", soft_wrap=True)
    counts = found.snapshot.correction_counts()
    said = ", ".join(f"{kind}: {count}" for kind, count in counts.items()) or "none"
    out.print(f"corrections: {said}", soft_wrap=True)


def summary(snapshot: DeviceSnapshot) -> dict[str, object]:
    """Facts of a snapshot by name, times in seconds."""
    price = snapshot.price
    return {
        "name": snapshot.name,
        "vendor": snapshot.vendor,
        "processor": snapshot.processor,
        "taken": snapshot.taken.isoformat(),
        "age_days": snapshot.age().days,
        "source": snapshot.source,
        "payload_sha256": snapshot.payload_sha256,
        "qubits": snapshot.n_qubits,
        "dead_qubits": sorted(snapshot.labels[q] for q in snapshot.dead_qubits),
        "usable_couplings": len(snapshot.usable_couplings),
        "dead_couplings": [
            [snapshot.labels[a], snapshot.labels[b]] for a, b in snapshot.dead_couplings
        ],
        "one_qubit_gates": list(snapshot.one_qubit_gates),
        "two_qubit_gates": list(snapshot.two_qubit_gates),
        "gates_to_ask_for": list(snapshot.optional_gates),
        "virtual_gates": list(snapshot.virtual_gates),
        "median_two_qubit_error": snapshot.median_two_qubit_error(),
        "median_one_qubit_error": snapshot.median_one_qubit_error(),
        "median_readout_error": snapshot.median_readout_error(),
        "median_t1_s": snapshot.median_qubit(lambda q: q.t1_s),
        "median_t2_s": snapshot.median_qubit(lambda q: q.t2_s),
        "median_two_qubit_duration_s": snapshot.median_two_qubit_duration(),
        "max_shots": snapshot.job_limits.max_shots,
        "usd_per_shot": price.usd_per_shot if price else None,
        "usd_per_task": price.usd_per_task if price else None,
        "price_as_of": price.as_of.isoformat() if price else None,
        "corrections": snapshot.correction_counts(),
    }


def _words(key: str, value: object) -> str:
    from qhw.report.format import duration, number

    if isinstance(value, dict):
        return ", ".join(f"{kind}: {count}" for kind, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float) and key.endswith("_s"):
        return duration(value)
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)

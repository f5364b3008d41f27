"""``qhw devices``: what a model can be run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json

if TYPE_CHECKING:
    from calibration.catalog import CatalogRow


def list_devices(
    word: Annotated[str, typer.Argument(help="Only names that contain this.")] = "",
    as_json: Json = False,
) -> None:
    """Device models: age of the calibration, qubits, median errors."""
    from calibration.catalog import list_snapshots
    from qhw.report.format import duration, number

    rows = [row for row in list_snapshots() if word in row.reference]
    if not rows:
        raise ValueError(f"Argument `word` must be part of a device's name, but no name has {word}")
    if as_json:
        emit_json({"devices": [{"backend": "exact"}, *map(_document, rows)]})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("backend")
    headings = ("age (days)", "qubits", "2q error", "1q error", "readout", "T1", "T2")
    for heading in (*headings, "$/shot (of)", "corrected"):
        table.add_column(heading, justify="right")
    table.add_column("processor")
    for row in rows:
        table.add_row(
            f"aer:{row.reference}",
            str(row.age().days),
            str(row.n_qubits),
            number(row.two_qubit_error),
            number(row.one_qubit_error),
            number(row.readout_error),
            duration(row.t1_s) if row.t1_s else "–",
            duration(row.t2_s) if row.t2_s else "–",
            "–" if row.usd_per_shot is None else f"{row.usd_per_shot:g} ({row.price_as_of})",
            str(row.corrections),
            row.processor,
        )
    out.print(table)
    out.print("also: exact (ideal, finite shots)", markup=False)


def _document(row: CatalogRow) -> dict[str, object]:
    return {
        "backend": f"aer:{row.reference}",
        "vendor": row.vendor,
        "processor": row.processor,
        "taken": row.taken.isoformat(),
        "age_days": row.age().days,
        "qubits": row.n_qubits,
        "usable_couplings": row.usable_couplings,
        "median_two_qubit_error": row.two_qubit_error,
        "median_one_qubit_error": row.one_qubit_error,
        "median_readout_error": row.readout_error,
        "median_t1_s": row.t1_s,
        "median_t2_s": row.t2_s,
        "usd_per_shot": row.usd_per_shot,
        "price_as_of": row.price_as_of.isoformat() if row.price_as_of else None,
        "corrections": row.corrections,
    }

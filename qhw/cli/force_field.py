"""``qhw force-field``: what is done with a trained force field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Energies and forces of a trained force field.")


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="Name or path of a trained force field.")],
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="rMD17's .npz, or .xyz/.extxyz.")
    ],
    unit: Annotated[
        str | None,
        typer.Option(help="Of energies: eV, kcal/mol or Ha. [kcal/mol of .npz, eV of .xyz]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Errors of energies and forces on labelled geometries, beside what a constant achieves."""
    from qhw.api.force_fields import evaluate_force_field
    from qhw.report.format import number
    from qhw.report.tables import WholeTable

    found = evaluate_force_field(model, data, unit)
    if as_json:
        emit_json(found.to_dict())
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in (f"{found.frames} frames of {found.data}", "energy (meV)", "force (meV/Å)"):
        table.add_column(heading)
    for name, energy, force in (
        ("mean absolute error", found.energy_mae, found.force_mae),
        ("root mean square", found.energy_rmse, found.force_rmse),
        ("baseline: a constant energy, MAE", found.mean_energy_mae, found.mean_force_mae),
    ):
        table.add_row(name, number(energy), number(force))
    out.print(table, crop=False)
    if found.shot_sigma is not None:
        out.print(f"energy at one shot of every atom's circuit: ± {number(found.shot_sigma)} meV")

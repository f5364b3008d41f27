"""``qhw models``, ``qhw train`` and ``qhw import-checkpoint``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json
from qhw.report.tables import WholeTable

UNITS = {
    "median_rmsd": "Å",
    "rms_coordinate": "Å",
    "energy_mae": "meV",
    "force_mae": "meV/Å",
    "shot_sigma": "meV",
}
"""Of the metrics that have one, by the last part of their names; the others are shares."""


def list_models(as_json: Json = False) -> None:
    """Shipped models, with what was measured after their training."""
    from qhw.models.checkpoint import load, shipped
    from qhw.report.format import number

    cards = [load(name)[1] for name in shipped()]
    if as_json:
        emit_json({"models": [card.model_dump(mode="json") for card in cards], "units": UNITS})
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "kind", "tensors", "made", "measured"):
        table.add_column(heading)
    for card in cards:
        measured = ", ".join(f"{key} {number(v)}{_unit(key)}" for key, v in card.metrics.items())
        table.add_row(
            card.name, card.kind, str(len(card.tensors)), f"{card.created:%Y-%m-%d}", measured
        )
    out.print(table, crop=False)


def train_command(
    config: Annotated[Path, typer.Argument(help="YAML; see experiments/.")],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    as_json: Json = False,
) -> None:
    """Train a model on QM9 (extra `train`), a force field on its config's data; goes on where it
    was stopped."""
    from qhw.api.force_fields import read_training, train
    from qhw.models.checkpoint import load
    from qhw.report.format import number
    from qhw.report.runfolder import nothing_empty_left

    with nothing_empty_left(folder):
        path = train(read_training(config), folder)
    card = load(path)[1]
    if as_json:
        emit_json({"checkpoint": str(path), "card": card.model_dump(mode="json"), "units": UNITS})
        return
    for key, value in card.metrics.items():
        out.print(f"{key}: {number(value)}{_unit(key)}")
    out.print(f"checkpoint: {path}", soft_wrap=True)


def _unit(metric: str) -> str:
    unit = UNITS.get(metric.rpartition("/")[2])
    return "" if unit is None else f" {unit}"


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="Released TorchQuantum state dict (.pth).")],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    kappa: Annotated[float, typer.Option(help="Of the latent; the file does not hold it.")] = 20.0,
    blocks: Annotated[int, typer.Option(help="Blocks L of its circuits.")] = 10,
    as_json: Json = False,
) -> None:
    """Read the authors' released QVAE-Mole checkpoint into our format."""
    from qhw.models.checkpoint import save
    from qhw.models.import_torchquantum import import_torchquantum

    model = import_torchquantum(file, n_blocks=blocks, kappa=kappa)
    path = folder / f"{file.stem}.safetensors"
    card = save(model, path, name=file.stem, training={"imported_from": file.name})
    if as_json:
        emit_json({"checkpoint": str(path), "card": card.model_dump(mode="json")})
        return
    out.print(f"checkpoint: {path}", soft_wrap=True)

"""``qhw models``, ``qhw train`` and ``qhw import-checkpoint``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import Json
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from qhw.latent.diffusion import PriorCard
    from qhw.models.checkpoint import ModelCard

UNITS = {
    "median_rmsd": "Å",
    "rms_coordinate": "Å",
    "energy_mae": "meV",
    "force_mae": "meV/Å",
    "shot_sigma": "meV",
    "alpha": "Bohr^3",
    "gap": "meV",
    "homo": "meV",
    "lumo": "meV",
    "mu": "D",
    "cv": "cal/(mol K)",
}
"""Of the metrics that have one, by the last part of their names; the others are shares."""


def list_models(as_json: Json = False) -> None:
    """Shipped models and their trained priors, with what was measured after training."""
    from qhw.latent.diffusion import PriorCard, shipped_priors
    from qhw.models.checkpoint import load, shipped
    from qhw.report.format import number

    cards = [load(name)[1] for name in shipped()]
    if as_json:
        priors = [card.model_dump(mode="json") for card in shipped_priors().values()]
        models = [card.model_dump(mode="json") for card in cards]
        emit_json({"models": models, "priors": priors, "units": UNITS})
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "kind", "tensors", "made", "measured"):
        table.add_column(heading)
    everything: list[ModelCard | PriorCard] = [*cards, *shipped_priors().values()]
    for card in everything:
        kind = f"{card.kind} of {card.model.name}" if isinstance(card, PriorCard) else card.kind
        tensors = "" if isinstance(card, PriorCard) else str(len(card.tensors))
        measured = ", ".join(f"{key} {number(v)}{_unit(key)}" for key, v in card.metrics.items())
        table.add_row(card.name, kind, tensors, f"{card.created:%Y-%m-%d}", measured)
    out.print(table, crop=False)


def train_command(
    config: Annotated[Path, typer.Argument(help="YAML; see experiments/.")],
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")],
    as_json: Json = False,
) -> None:
    """Train a model or a prior of one on QM9 (extra `train`), a force field on its config's data.

    Goes on where it was stopped.
    """
    from qhw.api.training import train
    from qhw.latent.diffusion import load_prior
    from qhw.models.checkpoint import load
    from qhw.models.train import is_of_prior
    from qhw.report.format import number
    from qhw.report.loss_curve import CURVE, write_loss_curve
    from qhw.report.runfolder import nothing_empty_left

    with nothing_empty_left(folder):
        path = train(config, folder)
        write_loss_curve(folder)
    card = load_prior(path).card if is_of_prior(config) else load(path)[1]
    if as_json:
        emit_json({"checkpoint": str(path), "card": card.model_dump(mode="json"), "units": UNITS})
        return
    for key, value in card.metrics.items():
        out.print(f"{key}: {number(value)}{_unit(key)}")
    out.print(f"loss curve: {folder / CURVE}", soft_wrap=True)
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
    from qhw.models.import_torchquantum import import_torchquantum, source_facts
    from qhw.report.format import number

    model = import_torchquantum(file, n_blocks=blocks, kappa=kappa)
    path = folder / f"{file.stem}.safetensors"
    card = save(model, path, name=file.stem, training=source_facts(file))
    if as_json:
        emit_json({"checkpoint": str(path), "card": card.model_dump(mode="json")})
        return
    out.print(f"source: {file.name}, sha256 {card.training['source_sha256']}", soft_wrap=True)
    out.print(f"kappa: {number(kappa)}, assumed; the file does not hold it")
    out.print(f"checkpoint: {path}", soft_wrap=True)

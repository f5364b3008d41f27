"""A model small enough to run everywhere in tests: shallow circuits, random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from qhw.models.checkpoint import save
from qhw.models.registry import build


def save_small_model(folder: Path) -> Path:
    """Write its checkpoint into a folder and return the card's path."""
    config = {"encoder_layers": 1, "decoder_layers": 2, "kappa": 500.0}
    model = build("nisq", config, torch.Generator().manual_seed(1))
    save(model, folder / "small.safetensors", name="small")
    return folder / "small.json"


def save_small_qvae(folder: Path) -> Path:
    """The same of a QVAE-Mole with one block and random angles, whose gates are controlled RX."""
    model = build("qvae", {"n_blocks": 1, "kappa": 500.0}, torch.Generator().manual_seed(1))
    save(model, folder / "small_qvae.safetensors", name="small_qvae")
    return folder / "small_qvae.json"

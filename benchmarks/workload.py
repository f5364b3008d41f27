"""The training step that every framework is timed on: one batch, same angles, same loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from qhw.chem.frames import to_frame
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.models.losses import Targets, amplitude_loss
from qhw.models.qvae import QVAE, QVAEConfig

LEARNING_RATE = 0.01
MICRO_BATCH = 512
"""Larger batches are accumulated from pieces of this size by frameworks that keep every gate's
state of every sample for the backward pass (8192 samples would need over 10 GB)."""


@dataclass(frozen=True, eq=False)
class Workload:
    """QVAE-Mole with 7 wires, and a batch of shipped molecules."""

    config: QVAEConfig
    encoder_angles: torch.Tensor
    decoder_angles: torch.Tensor
    data: Targets

    def model(self) -> QVAE:
        """A fresh model with the workload's angles."""
        model = QVAE(self.config, torch.Generator().manual_seed(0))
        with torch.no_grad():
            model.encoder_angles.copy_(self.encoder_angles)
            model.decoder_angles.copy_(self.decoder_angles)
        return model

    def first_loss(self) -> float:
        """Loss of the mean latents (no vMF noise), which every framework must reproduce."""
        return self.loss_at(self.model())

    def loss_at(self, model: QVAE) -> float:
        """Likewise, at a model's angles."""
        with torch.no_grad():
            mean = model.latent_mean(model.encoder_probabilities(self.data.amplitudes))
            output = model.decoder_probabilities(mean)
            terms = amplitude_loss(output, self.data, self.config.layout, self.config.loss)
        return float(terms["total"])


@dataclass(frozen=True)
class Rival:
    """A framework made ready.

    Attributes:
        step: forward, backward and update once; returns the loss before the update.
        setup_seconds: tracing and compilation, with the first step.
        first_loss: loss of the first step.
        remark: what a reader should know.
        tolerance: how far the first loss may be from ours, relative above a loss of 1.
    """

    step: Callable[[], float]
    setup_seconds: float
    first_loss: float
    remark: str
    tolerance: float = 1e-5


def make_workload(batch: int, n_blocks: int = 10) -> Workload:
    """The shipped molecules repeated to a batch; L is the paper's by default."""
    config = QVAEConfig(n_blocks=n_blocks, kappa=100.0)
    model = QVAE(config, torch.Generator().manual_seed(1))
    shipped = sample_molecules().molecules
    rows = torch.arange(batch).numpy() % len(shipped)
    molecules: MoleculeBatch = to_frame(shipped[rows], config.frame)
    return Workload(
        config,
        model.encoder_angles.detach().clone(),
        model.decoder_angles.detach().clone(),
        model.precompute(molecules),
    )


def ours(workload: Workload, threads: int = 1) -> Callable[[], float]:
    """Our step as the trainer does it with so many threads, the draw from the vMF included."""
    model = workload.model()
    model.threads = threads
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(0)

    def step() -> float:
        total = model.loss_of(workload.data, generator)["total"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        return float(total.detach())

    return step

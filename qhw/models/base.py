"""What every molecular quantum VAE offers to the rest of the house.

The classical side (heads, decoding) and the quantum side (two circuit plans) are kept apart so
that the same model runs in torch, on the exact statevector, and on a device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.plan import CircuitPlan

__all__ = ["CircuitPlan", "MoleculeVAE"]


class MoleculeVAE(nn.Module, ABC):
    """A variational autoencoder of molecules: quantum encoder, vMF latent, quantum decoder."""

    kind: ClassVar[str]
    """Registry key, also written in checkpoints."""

    latent_dim: int
    kappa: float
    """Concentration of the vMF latent used in training."""
    spreads: ClassVar[bool] = False
    """Whether :meth:`loss` itself spreads a batch over :attr:`threads`."""
    threads: int = 1

    # -- quantum side --------------------------------------------------------------------------
    @abstractmethod
    def encoder_plan(self) -> CircuitPlan:
        """The encoder's circuit with the current weights."""

    @abstractmethod
    def decoder_plan(self) -> CircuitPlan:
        """The decoder's circuit; its preparation loads a signed latent ``(latent_dim,)``."""

    # -- classical side ------------------------------------------------------------------------
    @abstractmethod
    def encoder_inputs(self, molecules: MoleculeBatch) -> Tensor:
        """Data for the encoder's preparation: amplitudes ``(B, 2**n)`` or angles ``(B, P)``."""

    def latent_mean(self, probabilities: Tensor) -> Tensor:
        """mu ``(B, latent_dim)``: normalised square root of the measured distribution."""
        root = probabilities.clamp_min(0).sqrt()
        mean: Tensor = root / root.norm(dim=-1, keepdim=True)
        return mean

    @abstractmethod
    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from measured decoder distributions ``(B, 2**n)``."""

    @property
    def structure(self) -> MoleculeStructure | None:
        """What the decoder's exact outcomes are meant to look like, if anything is known."""
        return None

    # -- exact ---------------------------------------------------------------------------------
    @abstractmethod
    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Exact distribution over the encoder's measured wires, ``(B, latent_dim)``."""

    @abstractmethod
    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution ``(B, 2**n)`` for unit latents ``(B, latent_dim)``, signs allowed."""

    def encode(self, molecules: MoleculeBatch) -> Tensor:
        """Exact latent mean directions ``(B, latent_dim)``."""
        return self.latent_mean(self.encoder_probabilities(self.encoder_inputs(molecules)))

    @abstractmethod
    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Training losses by name; ``"total"`` is minimised."""

"""The MVAE: molecules to an equivariant latent and back (GeoLDM's form, arXiv 2305.01140).

A latent is a point and a few invariant numbers for every atom. Its noise is fixed, so the decoder
learns to mend positions that are a little off, as those of a sampler are.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from qhw.lmdm.diffusion import POSITION_SPREAD
from qhw.lmdm.network import EquivariantNetwork, NetworkConfig, centred, normals


class AutoencoderConfig(BaseModel):
    """Shape of encoder and decoder.

    Attributes:
        features: invariant numbers of an atom's latent.
        encoder: of its network.
        decoder: of its network.
        position_noise: of a latent's points in training, Å.
        feature_noise: of its numbers in training, of which the KL term keeps the spread near 1.
        kl: weight of the KL divergence to normals of spread 1.5 Å and 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: int = Field(default=2, ge=1, le=16)
    encoder: NetworkConfig = NetworkConfig(layers=1)
    decoder: NetworkConfig = NetworkConfig(layers=2)
    position_noise: float = Field(default=0.03, gt=0)
    feature_noise: float = Field(default=0.15, gt=0)
    kl: float = Field(default=0.05, ge=0)


class Autoencoder(nn.Module):
    """Encoder and decoder.

    Args:
        config: their shape.
        kinds: elements there are.
        generator: draws the weights.
    """

    def __init__(self, config: AutoencoderConfig, kinds: int, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.kinds = config, kinds
        self.encoder = EquivariantNetwork(config.encoder, kinds, config.features, 1, generator)
        self.decoder = EquivariantNetwork(config.decoder, config.features, kinds, 1, generator)

    def encode(self, x: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Means of latents.

        Args:
            x: centred positions ``(B, n, 3)``, Å.
            types: of atoms ``(B, n)``.

        Returns:
            Points ``(B, n, 3)`` with zero mean, numbers ``(B, n, features)``.
        """
        moved, numbers = self.encoder(x, one_hot(types, self.kinds).float(), *plain_scales(x))
        return x + moved, numbers

    def decode(self, points: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Positions ``(B, n, 3)`` with zero mean, and logits of the elements ``(B, n, kinds)``."""
        moved, logits = self.decoder(points, numbers, *plain_scales(points))
        return points + moved, logits

    def loss(self, x: Tensor, types: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Reconstruction from a noisy latent, positions in units of its noise, and the KL term."""
        points, numbers = self.encode(x, types)
        kl = 0.5 * (points / POSITION_SPREAD).square().mean() + 0.5 * numbers.square().mean()
        noise = centred(normals(x.shape, x, generator))
        found, logits = self.decode(
            points + self.config.position_noise * noise,
            numbers + self.config.feature_noise * normals(numbers.shape, x, generator),
        )
        off = (found - x).square().mean() / self.config.position_noise**2
        kinds = cross_entropy(logits.flatten(0, 1), types.flatten())
        return {"total": off + kinds + self.config.kl * kl, "positions": off, "types": kinds}


def plain_scales(x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Context and scales of a network whose positions have no noise."""
    one = x.new_ones(len(x), 1, 1)
    return x.new_zeros(len(x), 1), (one / POSITION_SPREAD, one, one * 0.1)

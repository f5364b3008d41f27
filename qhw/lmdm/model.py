"""LMDM: an autoencoder, a score network on its latents, and molecules from both.

Without an autoencoder it is a plain diffusion of positions and elements (EDM's space), the control
beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor
from torch.nn.functional import one_hot

from qhw.chem.geometries import Geometries
from qhw.chem.molecule import MoleculeBatch
from qhw.lmdm.autoencoder import Autoencoder, AutoencoderConfig
from qhw.lmdm.data import PROPERTIES, Asked, Batch
from qhw.lmdm.diffusion import (
    FEATURE_SPREAD,
    POSITION_SPREAD,
    SamplingConfig,
    preconditioning,
    sample,
)
from qhw.lmdm.network import EquivariantNetwork, NetworkConfig, centred, normals
from qhw.models.base import AbilityError, Model

_TYPE_SCALE = 4.0
"""One-hot elements are divided by it (EDM), so that they are resolved after the positions."""
_TYPE_WEIGHT = 0.5
_LEVELS = (-0.7, 1.2)
"""Mean and spread of the logarithm of the noise in training, Å."""
_CHUNK = 250


class LMDMConfig(BaseModel):
    """What a model is made from.

    Attributes:
        elements: atomic numbers.
        autoencoder: of the latent; ``None`` for a plain diffusion of positions and elements.
        score: the score network.
        variational: numbers an atom of variational noise; 0 leaves it out.
        variational_weight: of its KL divergence.
        conditions: properties that may be asked for.
        sizes: atoms of the training molecules.
        shares: how many of them have so many, adding up to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    elements: tuple[int, ...] = (1, 6, 7, 8, 9)
    autoencoder: AutoencoderConfig | None = AutoencoderConfig()
    score: NetworkConfig = NetworkConfig()
    variational: int = Field(default=0, ge=0, le=64)
    variational_weight: float = Field(default=1e-3, ge=0)
    conditions: tuple[Asked, ...] = ()
    sizes: tuple[int, ...] = (18,)
    shares: tuple[float, ...] = (1.0,)

    @field_validator("elements")
    @classmethod
    def _elements(cls, found: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(found)) < max(len(found), 2) or not all(1 <= z <= 118 for z in found):
            raise ValueError("must be two or more atomic numbers, each once")
        return found


class LMDM(Model):
    """Generates molecules with hydrogens.

    Args:
        config: what it is made from.
        generator: draws the initial weights.
    """

    kind: ClassVar[str] = "lmdm"
    Config: ClassVar[type[BaseModel]] = LMDMConfig
    config: LMDMConfig

    def __init__(self, config: LMDMConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        kinds = len(config.elements)
        self.autoencoder = (
            None
            if config.autoencoder is None
            else Autoencoder(config.autoencoder, kinds, generator)
        )
        features = kinds if config.autoencoder is None else config.autoencoder.features
        self.features = features
        inputs = features + 2 * len(config.conditions) + config.variational
        self.score = EquivariantNetwork(config.score, inputs, features, 8, generator)
        self.variational = None
        if config.variational:
            one = config.score.model_copy(update={"layers": 1, "local": 0})
            self.variational = EquivariantNetwork(
                one, features, 2 * config.variational, 8, generator
            )

    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Not of heavy atoms.

        Raises:
            AbilityError: always; :func:`qhw.lmdm.training.train_lmdm` trains it.
        """
        del molecules, generator
        raise AbilityError("An lmdm model must be trained on molecules with hydrogens")

    def latent(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Positions and features that are diffused, the latter at a spread of about 0.1."""
        if self.autoencoder is None:
            return batch.positions, one_hot(batch.types, self.features).float() / _TYPE_SCALE
        points, numbers = self.autoencoder.encode(batch.positions, batch.types)
        return points, numbers * FEATURE_SPREAD

    def denoise(
        self,
        x: Tensor,
        h: Tensor,
        sigma: Tensor,
        conditions: Tensor,
        noise: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The clean state expected behind a noisy one.

        Args:
            x: noisy positions ``(B, n, 3)`` with zero mean, Å.
            h: noisy features ``(B, n, features)``.
            sigma: noise ``(B,)``, Å.
            conditions: standardised values ``(B, c)``, NaN for what is left open.
            noise: variational noise ``(B, n, variational)`` of a model that has it.
        """
        answer_x, answer_h = self._answer(x, h, sigma, conditions, noise)
        _, keep, change = preconditioning(sigma, POSITION_SPREAD)
        _, keep_h, change_h = preconditioning(sigma, FEATURE_SPREAD)
        return keep * x + change * answer_x, keep_h * h + change_h * answer_h

    def _answer(
        self, x: Tensor, h: Tensor, sigma: Tensor, conditions: Tensor, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        scales = preconditioning(sigma, POSITION_SPREAD)
        parts = [preconditioning(sigma, FEATURE_SPREAD)[0] * h]
        if conditions.shape[1]:
            known = ~conditions.isnan()
            both = torch.cat([conditions.nan_to_num(0.0), known.float()], dim=1)
            parts.append(both.unsqueeze(1).expand(-1, h.shape[1], -1))
        if noise is not None:
            parts.append(noise)
        return self.score(x, torch.cat(parts, dim=-1), _level(sigma), scales)  # type: ignore[no-any-return]

    def score_loss(
        self, x: Tensor, h: Tensor, conditions: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Squared error of the network's answer, positions and features, and the KL term."""
        mean, spread = _LEVELS
        sigma = (mean + spread * normals((len(x),), x, generator)).exp()
        level = sigma.view(-1, 1, 1)
        dirty_x = x + level * centred(normals(x.shape, x, generator))
        dirty_h = h + level * normals(h.shape, x, generator)
        noise, kl = self._variational(dirty_x, dirty_h, sigma, generator)
        answer_x, answer_h = self._answer(dirty_x, dirty_h, sigma, conditions, noise)
        _, keep, change = preconditioning(sigma, POSITION_SPREAD)
        _, keep_h, change_h = preconditioning(sigma, FEATURE_SPREAD)
        positions = (answer_x - (x - keep * dirty_x) / change).square().mean()
        features = (answer_h - (h - keep_h * dirty_h) / change_h).square().mean()
        total = positions + _TYPE_WEIGHT * features + self.config.variational_weight * kl
        return {"total": total, "positions": positions, "features": features, "kl": kl}

    def _variational(
        self, x: Tensor, h: Tensor, sigma: Tensor, generator: torch.Generator
    ) -> tuple[Tensor | None, Tensor]:
        """MDM's distribution control variable of a noisy state, and its KL divergence an atom."""
        if self.variational is None:
            return None, x.new_zeros(())
        scales = preconditioning(sigma, POSITION_SPREAD)
        inside = preconditioning(sigma, FEATURE_SPREAD)[0] * h
        mean, log_variance = self.variational(x, inside, _level(sigma), scales)[1].chunk(2, -1)
        log_variance = log_variance.clamp(-10, 10)
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(-1).mean()
        fresh = normals(mean.shape, mean, generator)
        return mean + (log_variance / 2).exp() * fresh, kl

    @torch.no_grad()
    def sample(
        self,
        molecules: int,
        *,
        seed: int,
        atoms: int | None = None,
        conditions: Mapping[str, float] | None = None,
        sampling: SamplingConfig | None = None,
    ) -> Geometries:
        """Draw molecules.

        Args:
            molecules: how many.
            seed: same seed, same molecules.
            atoms: of each, hydrogens included; by default as the training molecules have them.
            conditions: wanted values by name, in :data:`qhw.lmdm.data.PROPERTIES`' units.
            sampling: sampler and steps.

        Raises:
            ValueError: fewer than one molecule, an unknown property, a value out of range, or a
                number of atoms no training molecule had.
        """
        if molecules < 1:
            raise ValueError(f"Argument `molecules` must be 1 or more, but is {molecules}.")
        asked = self.asked(conditions or {})
        config = self.config
        if atoms is not None and atoms not in config.sizes:
            raise ValueError(
                f"Argument `atoms` must be one of {_span(config.sizes)}, but is {atoms}."
            )
        shares = np.array(config.shares)
        drawn = np.random.default_rng([seed, 0]).choice(
            config.sizes, molecules, p=shares / shares.sum()
        )
        sizes = np.full(molecules, atoms) if atoms is not None else drawn
        return self.sample_each(sizes, asked.expand(molecules, -1), seed=seed, sampling=sampling)

    @torch.no_grad()
    def sample_each(
        self,
        sizes: NDArray[np.int64],
        asked: Tensor,
        *,
        seed: int,
        sampling: SamplingConfig | None = None,
    ) -> Geometries:
        """Draw molecules that are each asked for something else.

        Args:
            sizes: atoms of each, hydrogens included, ``(B,)``.
            asked: standardised values of the properties, ``(B, c)``, NaN for what is left open.
            seed: same seed, same noise.
            sampling: sampler and steps.
        """
        asked = asked.to(self.score.radii.device)
        generator = torch.Generator().manual_seed(seed)
        numbers = np.zeros((len(sizes), int(sizes.max())), dtype=np.int64)
        positions = np.zeros((*numbers.shape, 3))
        for n in np.unique(sizes):
            rows = np.flatnonzero(sizes == n)
            for part in np.split(rows, range(_CHUNK, len(rows), _CHUNK)):
                x, types = self._drawn(int(n), asked[part], sampling, generator)
                positions[part, :n] = x.cpu().numpy()
                numbers[part, :n] = np.array(self.config.elements)[types.cpu().numpy()]
        return Geometries(numbers, positions)

    def _drawn(
        self,
        atoms: int,
        wanted: Tensor,
        sampling: SamplingConfig | None,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        molecules, sampling = len(wanted), sampling or SamplingConfig()
        nothing = torch.full_like(wanted, torch.nan)
        guided = sampling.guidance != 1 and not bool(wanted.isnan().all())

        def denoise(x: Tensor, h: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
            noise = None
            if self.variational is not None:
                shape = (molecules, atoms, self.config.variational)
                noise = normals(shape, x, generator)
            asked = self.denoise(x, h, sigma, wanted, noise)
            if not guided:
                return asked
            anything = self.denoise(x, h, sigma, nothing, noise)
            found = [a.lerp(b, sampling.guidance) for a, b in zip(anything, asked, strict=True)]
            return found[0], found[1]

        shape = (molecules, atoms, self.features)
        x, h = sample(denoise, shape, sampling, generator, like=wanted)
        if self.autoencoder is None:
            return x, h.argmax(dim=-1)
        x, logits = self.autoencoder.decode(x, h / FEATURE_SPREAD)
        return x, logits.argmax(dim=-1)

    def asked(self, conditions: Mapping[str, float]) -> Tensor:
        """Standardised values ``(1, c)`` of properties, NaN for what is left open.

        Raises:
            ValueError: an unknown property, or a value out of range.
        """
        known = {c.name: c for c in self.config.conditions}
        for name, value in conditions.items():
            if name not in known:
                some = ", ".join(known) or "none: it is not conditional"
                raise ValueError(
                    f"Argument `conditions` must name properties of the model ({some}), but names "
                    f"{name!r}."
                )
            low, high = known[name].low, known[name].high
            if not (math.isfinite(value) and low <= value <= high):
                unit = PROPERTIES[name][2]
                raise ValueError(
                    f"Condition {name} must be from {low:.6g} to {high:.6g} {unit}, but is {value}."
                )
        values = [
            (conditions[c.name] - c.mean) / c.spread if c.name in conditions else math.nan
            for c in self.config.conditions
        ]
        return torch.tensor([values], dtype=torch.float32).view(1, len(values))


def _level(sigma: Tensor) -> Tensor:
    """Logarithm of the noise, ``(B, 8)``: itself and a few waves."""
    log = sigma.log().unsqueeze(1) / 4
    waves = log * torch.tensor([math.pi, 2 * math.pi, 4 * math.pi], device=sigma.device)
    return torch.cat([log, log.square(), waves.sin(), waves.cos()], dim=1)


def _span(values: tuple[int, ...]) -> str:
    return f"{min(values)} to {max(values)}" if len(values) > 6 else ", ".join(map(str, values))

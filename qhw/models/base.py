"""What a model is to the rest of the house, and what models can do.

A model trains and is stored (:class:`Model`). What else it can do are protocols: it encodes
molecules, decodes latents, samples, gives energies; who needs one of these asks for it. The
classical side (heads, decoding) and the quantum side (circuit plans) are kept apart so that the
same model runs in torch, on the exact statevector, and on a device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from qhw.chem.geometries import Geometries
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.workload import Role
from qhw.models.evaluate import reconstruction_metrics

__all__ = ["CircuitPlan", "Model", "MoleculeVAE"]

Ability = Literal["encode", "decode", "sample", "give energies", "have its read-out refitted"]


class AbilityError(ValueError):
    """A model is asked for what it cannot do."""


class Model(nn.Module, ABC):
    """What is trained on molecules and stored; made from ``(config, generator)``."""

    kind: ClassVar[str]
    """Registry key, also written in checkpoints."""
    Config: ClassVar[type[BaseModel]]
    config: Any
    """What it was made from, a ``Config``."""

    spreads: ClassVar[bool] = False
    """Whether :meth:`loss` itself spreads a batch over :attr:`threads`."""
    threads: int = 1

    @property
    def structure(self) -> MoleculeStructure | None:
        """What a decoder's exact outcomes are meant to look like, if anything is known."""
        return None

    @property
    def own_prior(self) -> str | None:
        """Name of the prior its latents come from by default; ``None`` for the house's default."""
        return None

    @abstractmethod
    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Training losses by name; ``"total"`` is minimised."""

    def metrics(
        self, molecules: MoleculeBatch, generator: torch.Generator
    ) -> dict[str, float | None]:
        """What is measured after training and written into the checkpoint, by name; nothing here.

        Called in evaluation mode.

        Args:
            molecules: held out.
            generator: of whatever is random.
        """
        del molecules, generator
        return {}


@runtime_checkable
class Encodes(Protocol):
    """A model that turns molecules into directions of its latent through a circuit."""

    latent_dim: int
    kappa: float

    def encoder_plan(self) -> CircuitPlan:
        """The encoder's circuit with the current weights."""

    def encoder_inputs(self, molecules: MoleculeBatch) -> Tensor:
        """Data for the encoder's preparation: amplitudes ``(B, 2**n)`` or angles ``(B, P)``."""

    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Exact distribution over the encoder's measured wires, ``(B, 2**m)``."""

    def latent_mean(self, probabilities: Tensor) -> Tensor:
        """Directions ``(B, latent_dim)`` of measured distributions."""


@runtime_checkable
class Decodes(Protocol):
    """A model that turns latents into molecules through a circuit."""

    latent_dim: int

    def decoder_plan(self) -> CircuitPlan:
        """The decoder's circuit; its preparation loads a signed latent ``(latent_dim,)``."""

    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution ``(B, 2**n)`` for unit latents ``(B, latent_dim)``, signs allowed.

        A :class:`qhw.models.conditions.Conditional` model's are followed by its condition's angles.
        """

    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from measured decoder distributions ``(B, 2**n)``."""


@runtime_checkable
class ReadsOut(Decodes, Protocol):
    """A model whose molecules are a linear map of what is measured, so that it can be refitted."""

    def read_out_features(self, probabilities: Tensor) -> Tensor:
        """What the map takes, ``(B, F)``, of measured decoder distributions ``(B, 2**n)``."""

    def read_out_map(self) -> tuple[Tensor, Tensor]:
        """Weight ``(O, F)`` and bias ``(O,)`` of the map."""

    def with_read_out(self, weight: Tensor, bias: Tensor) -> Self:
        """A copy that decodes by another map; this model stays as it is."""


@runtime_checkable
class Samples(Protocol):
    """A model that draws molecules with every atom, without a latent of the house's."""

    def sample(self, molecules: int, *, seed: int) -> Geometries:
        """So many molecules; same seed, same molecules."""


@runtime_checkable
class Energy(Protocol):
    """A model of the energies of molecules of any elements, such as a force field."""

    def energy(self, geometries: Geometries) -> Tensor:
        """Energies ``(B,)``, eV."""


def encoding(model: Model, name: str, need: str) -> Encodes:
    """The model as one that encodes.

    Args:
        model: any.
        name: in the error.
        need: who needs it, such as ``task encode``.

    Raises:
        AbilityError: it cannot.
    """
    if isinstance(model, Encodes):
        return model
    raise unable(model, name, need, "encode")


def decoding(model: Model, name: str, need: str) -> Decodes:
    """The model as one that decodes.

    Args:
        model: any.
        name: in the error.
        need: who needs it, such as ``task generate``.

    Raises:
        AbilityError: it cannot.
    """
    if isinstance(model, Decodes):
        return model
    raise unable(model, name, need, "decode")


def reading_out(model: Model, name: str, need: str) -> ReadsOut:
    """The model as one whose read-out can be refitted.

    Args:
        model: any.
        name: in the error.
        need: who needs it.

    Raises:
        AbilityError: it has no linear read-out.
    """
    if isinstance(model, ReadsOut):
        return model
    raise unable(model, name, need, "have its read-out refitted")


def plan_of(model: Model, role: Role, name: str, need: str) -> CircuitPlan:
    """The circuit of a role with the current weights.

    Raises:
        AbilityError: the model has none.
    """
    if role == "encoder":
        return encoding(model, name, need).encoder_plan()
    return decoding(model, name, need).decoder_plan()


def unable(model: Model, name: str, need: str, ability: Ability) -> AbilityError:
    """What to say of a model that lacks an ability."""
    return AbilityError(
        f"Model {name} of kind {model.kind} cannot {ability}: {need} needs a model that can"
    )


class MoleculeVAE(Model):
    """A variational autoencoder of molecules: quantum encoder, vMF latent, quantum decoder."""

    latent_dim: int
    kappa: float
    """Concentration of the vMF latent used in training."""

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
        # a root's slope at zero is infinite, and NaN behind an amplitude of exactly zero
        tiny = torch.finfo(probabilities.dtype).tiny
        root = probabilities.clamp_min(tiny).sqrt() * (probabilities > 0)
        mean: Tensor = root / root.norm(dim=-1, keepdim=True)
        return mean

    @abstractmethod
    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from measured decoder distributions ``(B, 2**n)``."""

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

    # -- trained -------------------------------------------------------------------------------
    def metrics(
        self, molecules: MoleculeBatch, generator: torch.Generator
    ) -> dict[str, float | None]:
        """How well molecules are rebuilt; see :mod:`qhw.models.evaluate`."""
        return reconstruction_metrics(self, molecules, generator)

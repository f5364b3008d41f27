"""QCVAE-Mole: QVAE-Mole whose circuits also take properties, on condition wires of their own.

Each of m condition wires starts as ``RY(2 pi (c - 1/2)) |0>`` for a property scaled to c in
[0, 1], and controls an RX of every other wire before each block of rotations. At the end the
condition wires are traced out (the paper): devices just do not measure them, which is
marginalisation of counts. Or only what reads |0> on them is kept (the released code).

What follows from the encoding alone, whatever the angles: c = 0 and c = 1 load the same state up to
sign, so that no circuit tells them apart; and the output of a traced wire is
``A + B cos(2 pi c) + C sin(2 pi c)``. Where condition wires are controls only (``turned`` false),
C is 0: c and 1 - c are the same, and post-selection on |0> keeps the one branch in which no
condition acts. ``encoding: half`` uses ``RY(pi c)`` instead, which keeps all c apart.

Source: Wu, Ye, Yan, QVAE-Mole (NeurIPS 2024), section 3.5, and its released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from qhw.chem.molecule import MoleculeBatch
from qhw.chem.properties import property_values
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.ansatz import Ansatz, qvae_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.latent.vmf_torch import sample
from qhw.models.conditions import ConditionScale
from qhw.models.layers import SharedCircuit, born_probabilities, circuit_matrix
from qhw.models.losses import Targets, amplitude_loss
from qhw.models.qvae import LATENT_WIRES, N_WIRES, QVAE, USED, QVAEConfig

MAX_CONDITIONS = 4
_LATENTS = 2**LATENT_WIRES


class QCVAEConfig(QVAEConfig):
    """A QVAE's, and what it is conditioned on.

    Attributes:
        conditions: properties and their ranges, one condition wire each.
        ending: ``"trace"`` (paper) or ``"post-select"`` condition wires on |0> (released code).
        encoding: ``"full"`` turn, ``RY(2 pi (c - 1/2))`` (paper), or ``"half"``, ``RY(pi c)``.
        turned: whether condition wires have rotations of their own in every block, before they
            control; else they are controls only.
    """

    conditions: tuple[ConditionScale, ...] = Field(min_length=1, max_length=MAX_CONDITIONS)
    ending: Literal["trace", "post-select"] = "trace"
    encoding: Literal["full", "half"] = "full"
    turned: bool = True

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [scale.property for scale in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError("conditions must be of different properties")
        if self.ending == "post-select" and not self.turned:
            raise ValueError(
                "ending post-select must have turned condition wires: controls that read |0> never "
                "acted, so that no condition would have any effect"
            )
        return self


@dataclass(frozen=True, eq=False)
class ConditionedTargets:
    """A training set: what to rebuild, and under which condition.

    Attributes:
        targets: of the molecules.
        angles: of the condition wires ``(B, m)``, radians.
    """

    targets: Targets
    angles: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, rows: Tensor | slice) -> ConditionedTargets:
        return ConditionedTargets(self.targets[rows], self.angles[rows])


class QCVAE(QVAE):
    """Seven wires as of :class:`QVAE`, then m condition wires, of encoder and decoder alike.

    Data of a circuit are amplitudes (or a latent), then m angles. Distributions are over the
    measured wires of the QVAE; with post-selection over the condition wires too, least significant.
    """

    kind: ClassVar[str] = "qcvae"
    Config: ClassVar[type[QCVAEConfig]] = QCVAEConfig
    config: QCVAEConfig
    spreads = False

    @property
    def conditions(self) -> tuple[ConditionScale, ...]:
        """Properties it takes, in order."""
        return self.config.conditions

    @property
    def condition_wires(self) -> tuple[int, ...]:
        """The last m."""
        return tuple(range(N_WIRES, N_WIRES + len(self.conditions)))

    def _circuits(self) -> tuple[Ansatz, Ansatz]:
        m = len(self.conditions)
        encoder, decoder = (
            qvae_ansatz(
                N_WIRES,
                self.config.n_blocks,
                mirrored=mirrored,
                n_conditions=m,
                turned_conditions=self.config.turned,
            )
            for mirrored in (False, True)
        )
        # A molecule fills the first amplitudes; condition wires are the least significant bits.
        self._encoder = SharedCircuit(encoder, range(USED * 2**m))
        self._decoder = SharedCircuit(decoder, range(_LATENTS * 2**m))
        return encoder, decoder

    # -- quantum side --------------------------------------------------------------------------
    def encoder_plan(self) -> CircuitPlan:
        """As of a QVAE, condition wires turned by data; measured to be post-selected."""
        return self._with_conditions(super().encoder_plan())

    def decoder_plan(self) -> CircuitPlan:
        """As of a QVAE, condition wires turned by data; measured to be post-selected."""
        return self._with_conditions(super().decoder_plan())

    def _with_conditions(self, plan: CircuitPlan) -> CircuitPlan:
        measured = plan.measured_wires + (self.condition_wires if self._post_selects else ())
        return replace(plan, measured_wires=measured, condition_wires=self.condition_wires)

    @property
    def _post_selects(self) -> bool:
        return self.config.ending == "post-select"

    # -- conditions ----------------------------------------------------------------------------
    def condition_values(self, molecules: MoleculeBatch) -> Tensor:
        """Properties of molecules ``(B, m)``, see :func:`qhw.chem.properties.property_values`.

        Raises:
            ValueError: a molecule that has no such property.
        """
        names = [scale.property for scale in self.conditions]
        return torch.as_tensor(property_values(molecules, names))

    def condition_angles(self, values: Tensor) -> Tensor:
        """RY angles of condition wires ``(B, m)``, radians, of properties in their own units."""
        columns = [
            scale.scaled(column)
            for scale, column in zip(self.conditions, values.double().numpy().T, strict=True)
        ]
        share = torch.as_tensor(np.stack(columns, axis=1)).to(self.encoder_angles)
        return math.pi * (share if self.config.encoding == "half" else 2 * share - 1)

    def conditioned(self, latents: Tensor, values: Tensor) -> Tensor:
        """The decoder's data ``(B, 32 + m)`` of latents and properties ``(B, m)``."""
        return torch.cat([latents, self.condition_angles(values).to(latents)], dim=1)

    def kept(self, probabilities: Tensor) -> Tensor | None:
        """Share of each distribution in which all condition wires read |0>, ``(B,)``."""
        if not self._post_selects:
            return None
        return self._branch(probabilities).sum(-1) / probabilities.sum(-1)

    def _branch(self, probabilities: Tensor) -> Tensor:
        return probabilities[:, :: 2 ** len(self.conditions)]  # the least significant bits are 0

    def selected(self, probabilities: Tensor) -> Tensor:
        """Distribution over the other measured wires: as it is, or of what was kept.

        Where nothing was kept nothing is known: uniform.
        """
        if not self._post_selects:
            return probabilities
        branch = self._branch(probabilities.clamp_min(0))
        kept = branch.sum(-1, keepdim=True)
        tiny = torch.finfo(kept.dtype).tiny
        return torch.where(kept > tiny, branch / kept.clamp_min(tiny), 1 / branch.shape[1])

    # -- classical side ------------------------------------------------------------------------
    def encoder_inputs(self, molecules: MoleculeBatch) -> Tensor:
        """Amplitudes and the angles of the molecules' own properties, ``(B, 128 + m)``.

        Raises:
            ValueError: a molecule that cannot be encoded, or has no such property.
        """
        angles = self.condition_angles(self.condition_values(molecules))
        return torch.cat([super().encoder_inputs(molecules), angles], dim=1)

    def latent_mean(self, probabilities: Tensor) -> Tensor:
        """mu ``(B, 32)`` of the distribution over wires 0-4."""
        return super().latent_mean(self.selected(probabilities))

    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from the distribution over wires 0-6."""
        return super().decode(self.selected(probabilities))

    @property
    def structure(self) -> MoleculeStructure | None:
        """Encoded molecules, where outcomes are those of wires 0-6 alone."""
        return None if self._post_selects else super().structure

    # -- exact ---------------------------------------------------------------------------------
    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Exact distribution over the encoder's measured wires, of data ``(B, 128 + m)``."""
        loaded = self._loaded(inputs, 2**N_WIRES)
        return self._measured(circuit_matrix(self.encoder_ansatz, self.encoder_angles), loaded)

    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution over the decoder's measured wires, of data ``(B, 32 + m)``."""
        wires = range(N_WIRES - LATENT_WIRES, N_WIRES + len(self.conditions))
        matrix = circuit_matrix(self.decoder_ansatz, self.decoder_angles, wires)
        return self._measured(matrix, self._loaded(latents, _LATENTS), whole=True)

    def _measured(self, matrix: Tensor, loaded: Tensor, *, whole: bool = False) -> Tensor:
        """Over wires 0-4, or 0-6 where ``whole``, and condition wires that are post-selected."""
        wires = tuple(range(N_WIRES if whole else LATENT_WIRES))
        wires += self.condition_wires if self._post_selects else ()
        return born_probabilities(matrix, loaded, wires)

    def _loaded(self, data: Tensor, amplitudes: int) -> Tensor:
        """Amplitudes ``(B, amplitudes * 2**m)`` of what is loaded and of turned condition wires."""
        m = len(self.conditions)
        if data.ndim != 2 or data.shape[1] != amplitudes + m:
            raise ValueError(
                f"Argument `inputs` must have shape (B, {amplitudes + m}), amplitudes and the "
                f"angles of {m} condition wires, but has {tuple(data.shape)}."
            )
        state = data[:, :amplitudes]
        for half in (data[:, amplitudes:] / 2).T:
            turned = torch.stack([half.cos(), half.sin()], dim=-1)
            state = (state[:, :, None] * turned[:, None]).flatten(1)
        return state

    def fidelity(self, molecules: MoleculeBatch, probabilities: Tensor) -> Tensor:
        """Squared overlap of the roots of distributions with the encoded molecules, ``(B,)``."""
        roots = self.selected(probabilities).clamp_min(0).sqrt()
        return (roots * super().encoder_inputs(molecules)).sum(-1).square()

    # -- training ------------------------------------------------------------------------------
    def precompute(self, molecules: MoleculeBatch) -> ConditionedTargets:  # type: ignore[override]
        """Encode a training set once, its properties too."""
        angles = self.condition_angles(self.condition_values(molecules))
        return ConditionedTargets(super().precompute(molecules), angles)

    def loss_of(  # type: ignore[override]
        self, data: ConditionedTargets, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Losses of precomputed molecules, each under its own condition."""
        given = torch.cat([data.targets.amplitudes[:, :USED], data.angles], dim=1)
        encoder = torch.complex(*self._encoder(self.encoder_angles))
        encoded = self._measured(encoder, self._loaded(given, USED))
        latents = sample(self.latent_mean(encoded.clamp_min(_FLOOR)), self.kappa, generator)
        loaded = self._loaded(torch.cat([latents, data.angles], dim=1), _LATENTS)
        decoder = torch.complex(*self._decoder(self.decoder_angles))
        found = self.selected(self._measured(decoder, loaded, whole=True))
        return amplitude_loss(found, data.targets, self.config.layout, self.config.loss)


_FLOOR = 1e-12
"""Keeps the slope of a root finite where an outcome is empty."""

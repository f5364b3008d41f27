"""The NISQ-native model whose latent is not loaded: all angles of its decoder follow from it.

Elsewhere the latent's 32 amplitudes are prepared by 16 CZ that nothing trains, and the trained
circuit is one unitary behind them. Here the decoder's angles are an affine map of the latent,
trained like the rest: every CZ is preparation and decoder at once, and outcomes are trigonometric
in the latent. Without its CZ (`entangled: false`) the same is a product of single qubits, which a
classical computer follows at once: its control.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from qhw.circuits.ansatz import Ansatz
from qhw.models.base import AbilityError
from qhw.models.nisq import N_WIRES, NISQVAE, NISQConfig
from qhw.models.sweep import gate_tables, rows_after


class NISQJointConfig(NISQConfig):
    """As of the NISQ-native model.

    Attributes:
        entangled: ``False`` leaves the decoder's CZ out.
        bases: one.
    """

    bases: Literal[1] = 1
    entangled: bool = True


class NISQJoint(NISQVAE):
    """As :class:`qhw.models.nisq.NISQVAE`, its decoder's angles made of the latent."""

    kind: ClassVar[str] = "nisq-joint"
    Config: ClassVar[type[NISQConfig]] = NISQJointConfig
    config: NISQJointConfig

    def __init__(self, config: NISQJointConfig, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        if not config.entangled:
            turns = tuple(op for op in self._decoder.ops if op.name != "cz")
            self._decoder = Ansatz(N_WIRES, turns, self._decoder.n_angles)
        self._gates = gate_tables(self._decoder, range(N_WIRES))
        # a latent is a unit vector: angles spread by about 1 rad over all directions
        weight = torch.randn(self._decoder.n_angles, self.latent_dim, generator=generator)
        self.angle_weight = nn.Parameter(weight)

    def _check_for_devices(self) -> None:
        raise AbilityError(
            "A decoder of kind nisq-joint loads angles that follow from the latent, which no "
            "command does on a device: it is decoded exactly only"
        )

    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution ``(B, 128)`` of the decoder."""
        angles = functional.linear(latents, self.angle_weight, self.decoder_angles)
        return rows_after(self._gates, angles).square().sum(1)

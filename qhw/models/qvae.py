"""QVAE-Mole: fully quantum encoder and decoder, no classical weights.

Source: Wu, Ye, Yan, QVAE-Mole (NeurIPS 2024), and its released code where the two differ (each
switch of :class:`QVAEConfig` names which is which).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from qhw.chem import encoding
from qhw.chem.encoding import RELEASED_BOX, RELEASED_DECODE, BoundingBox, DecodeOptions, Layout
from qhw.chem.frames import FrameName, to_frame
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch
from qhw.chem.structure import MoleculeStructure
from qhw.circuits.ansatz import Ansatz, qvae_ansatz
from qhw.latent.vmf_torch import draw_noise
from qhw.models.base import CircuitPlan, MoleculeVAE
from qhw.models.layers import SharedCircuit, born_probabilities, circuit_matrix
from qhw.models.losses import LossConfig, Targets, make_targets
from qhw.models.reconstruction import reconstruction_loss

N_WIRES = 7
LATENT_WIRES = 5
USED = 8 * MAX_ATOMS
"""Amplitudes that a molecule can fill in either layout; all later ones are padding."""


class QVAEConfig(BaseModel):
    """Everything that makes a QVAE beside its angles.

    Attributes:
        n_blocks: L; a circuit has 7(4L+3) angles.
        kappa: concentration of the latent vMF.
        layout: ``"paper"`` or ``"released"`` order of the amplitudes.
        frame: ``"paper"`` (atom 0 to +z) or ``"fixed"`` (azimuth fixed too).
        box: cube that coordinates are measured in.
        decode: how amplitudes are read as molecules.
        loss: training loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_blocks: int = Field(default=10, ge=1, le=200)
    kappa: float = Field(default=100.0, ge=0, le=1e5)
    layout: Layout = "paper"
    frame: FrameName = "paper"
    box: BoundingBox = RELEASED_BOX
    decode: DecodeOptions = DecodeOptions()
    loss: LossConfig = LossConfig()


class QVAE(MoleculeVAE):
    """Seven wires; the encoder keeps wires 0-4, the decoder starts with the latent on wires 2-6.

    Args:
        config: see :class:`QVAEConfig`.
        generator: draws the initial angles, uniform in [-pi, pi) as in the released code.
    """

    kind: ClassVar[str] = "qvae"
    Config: ClassVar[type[QVAEConfig]] = QVAEConfig
    latent_dim = 2**LATENT_WIRES
    spreads = True

    def __init__(self, config: QVAEConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.kappa = config.kappa
        self.encoder_ansatz, self.decoder_ansatz = self._circuits()

        def angles(n: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(n, generator=generator) * 2 - 1) * math.pi)

        self.encoder_angles = angles(self.encoder_ansatz.n_angles)
        self.decoder_angles = angles(self.decoder_ansatz.n_angles)

    def _circuits(self) -> tuple[Ansatz, Ansatz]:
        """Encoder's and decoder's, and what training follows of them."""
        encoder = qvae_ansatz(N_WIRES, self.config.n_blocks)
        decoder = qvae_ansatz(N_WIRES, self.config.n_blocks, mirrored=True)
        order = [*range(LATENT_WIRES, N_WIRES), *range(LATENT_WIRES)]  # traced wires in front
        self._encoder = SharedCircuit(encoder, range(USED), order)
        self._decoder = SharedCircuit(decoder, range(2**LATENT_WIRES))
        return encoder, decoder

    # -- quantum side --------------------------------------------------------------------------
    def encoder_plan(self) -> CircuitPlan:
        """Amplitudes of a molecule on all wires; wires 0-4 measured."""
        return CircuitPlan(
            preparation="amplitudes",
            data_wires=tuple(range(N_WIRES)),
            loader=None,
            ansatz=self.encoder_ansatz,
            weights=_radians(self.encoder_angles),
            measured_wires=tuple(range(LATENT_WIRES)),
        )

    def decoder_plan(self) -> CircuitPlan:
        """A signed latent on wires 2-6, wires 0-1 in |0>; all wires measured."""
        return CircuitPlan(
            preparation="amplitudes",
            data_wires=tuple(range(N_WIRES - LATENT_WIRES, N_WIRES)),
            loader=None,
            ansatz=self.decoder_ansatz,
            weights=_radians(self.decoder_angles),
            measured_wires=tuple(range(N_WIRES)),
        )

    # -- classical side ------------------------------------------------------------------------
    def encoder_inputs(self, molecules: MoleculeBatch) -> Tensor:
        """Non-negative amplitudes ``(B, 128)`` of molecules in any placement.

        Raises:
            ValueError: a molecule that cannot be encoded.
        """
        framed = to_frame(molecules, self.config.frame)
        amplitudes = encoding.encode(framed, layout=self.config.layout, box=self.config.box)
        return torch.as_tensor(amplitudes, dtype=self.encoder_angles.dtype)

    def decode(self, probabilities: Tensor) -> MoleculeBatch:
        """Molecules from distributions ``(B, 128)``, in the config's frame."""
        amplitudes = probabilities.detach().double().clamp_min(0).sqrt().numpy()
        return encoding.decode(
            amplitudes,
            layout=self.config.layout,
            box=self.config.box,
            options=self.config.decode,
        )

    @property
    def structure(self) -> MoleculeStructure | None:
        """Encoded molecules: what training aims at, reached or not."""
        return MoleculeStructure(self.config.layout, self.config.box)

    @property
    def own_prior(self) -> str | None:
        """The released code's, where amplitudes are read as it reads them."""
        return "positive-orthant" if self.config.decode == RELEASED_DECODE else None

    # -- exact ---------------------------------------------------------------------------------
    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Exact distribution over wires 0-4, ``(B, 32)``."""
        matrix = circuit_matrix(self.encoder_ansatz, self.encoder_angles)
        return born_probabilities(matrix, inputs, range(LATENT_WIRES))

    def decoder_probabilities(self, latents: Tensor) -> Tensor:
        """Exact distribution ``(B, 128)``."""
        wires = range(N_WIRES - LATENT_WIRES, N_WIRES)
        return born_probabilities(
            circuit_matrix(self.decoder_ansatz, self.decoder_angles, wires), latents
        )

    def fidelity(self, molecules: MoleculeBatch, probabilities: Tensor) -> Tensor:
        """Squared overlap of the roots of distributions with the encoded molecules, ``(B,)``."""
        roots = probabilities.clamp_min(0).sqrt()
        return (roots * self.encoder_inputs(molecules)).sum(-1).square()

    # -- training ------------------------------------------------------------------------------
    def precompute(self, molecules: MoleculeBatch) -> Targets:
        """Encode a training set once; see :class:`qhw.models.train.Precomputes`."""
        framed = to_frame(molecules, self.config.frame)
        dtype = self.encoder_angles.dtype
        return make_targets(framed, self.config.layout, self.config.box, dtype)

    def loss_of(self, data: Targets, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of precomputed molecules; the vMF's KL is constant in the weights, so left out."""
        angles = self.encoder_angles
        noise = draw_noise(self.latent_dim, self.kappa, len(data), generator, angles.dtype)
        return reconstruction_loss(
            self._encoder(angles),
            self._decoder(self.decoder_angles),
            data,
            noise,
            self.config.layout,
            self.config.loss,
            self.threads,
        )

    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Training losses by name; ``"total"`` is minimised."""
        return self.loss_of(self.precompute(molecules), generator)


def _radians(angles: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return angles.detach().double().cpu().numpy()

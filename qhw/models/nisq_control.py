"""Controls of the NISQ-native model: the same heads, latent and losses without its circuits.

What a circuit adds is known only beside what takes its place: nothing (``identity``), a real
orthogonal map that is trained like the circuit (``orthogonal``), or a random unitary that is not
trained (``unitary``). Outcomes are squared amplitudes as they are of a circuit. No device runs one.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from qhw.circuits.plan import CircuitPlan
from qhw.models.base import unable
from qhw.models.layers import born_probabilities
from qhw.models.nisq import LATENT_WIRES, N_WIRES, NISQVAE, NISQConfig

Core = Literal["identity", "orthogonal", "unitary"]


class NISQControlConfig(NISQConfig):
    """As of the model it is a control of, whose circuits' depths mean nothing here.

    Attributes:
        core: what takes the place of both circuits.
    """

    core: Core


class NISQControl(NISQVAE):
    """Heads, vMF latent on S^31 and read-out of :class:`qhw.models.nisq.NISQVAE`, no circuit."""

    kind: ClassVar[str] = "nisq-control"
    Config: ClassVar[type[NISQConfig]] = NISQControlConfig
    config: NISQControlConfig

    def __init__(self, config: NISQControlConfig, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        del self.encoder_angles, self.decoder_angles
        for name, wires in (("encoder", LATENT_WIRES), ("decoder", N_WIRES)):
            size = 2**wires
            if config.core == "orthogonal":
                # of an antisymmetric generator; as far from the identity as the circuits start
                start = 0.6 * torch.randn(size, size, generator=generator) / size**0.5
                self.register_parameter(f"{name}_generator", nn.Parameter(start))
            elif config.core == "unitary":
                self.register_buffer(f"{name}_unitary", _haar(size, generator))

    def encoder_plan(self) -> CircuitPlan:
        """There is none; :class:`qhw.models.base.AbilityError`."""
        raise unable(self, "given", "a circuit", "encode")

    def decoder_plan(self) -> CircuitPlan:
        """There is none; :class:`qhw.models.base.AbilityError`."""
        raise unable(self, "given", "a circuit", "decode")

    def encoder_probabilities(self, inputs: Tensor) -> Tensor:
        """Squared amplitudes ``(B, 32)`` after the encoder's map."""
        return born_probabilities(self._matrix("encoder", 2**LATENT_WIRES), inputs)

    def _decoder_matrix(self) -> Tensor:
        # wires 0 and 1 in |0>: the latent is the first 32 amplitudes, as in the circuit
        return self._matrix("decoder", 2**N_WIRES)[:, : self.latent_dim]

    def _matrix(self, name: str, size: int) -> Tensor:
        if self.config.core == "unitary":
            parts: Tensor = getattr(self, f"{name}_unitary")
            return torch.complex(parts[0], parts[1])
        if self.config.core == "orthogonal":
            weights: Tensor = getattr(self, f"{name}_generator")
            real = torch.linalg.matrix_exp(weights - weights.T)
        else:
            real = torch.eye(size).to(self.head_weight)
        return torch.complex(real, torch.zeros_like(real))


def _haar(size: int, generator: torch.Generator) -> Tensor:
    """Real and imaginary parts ``(2, size, size)`` of a Haar-random unitary.

    Source: Mezzadri, Notices of the AMS 54, 592 (2007).
    """
    parts = torch.randn(2, size, size, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(torch.complex(parts[0], parts[1]))
    phases = torch.diagonal(r) / torch.diagonal(r).abs()
    return torch.view_as_real(q * phases).permute(2, 0, 1).float().contiguous()

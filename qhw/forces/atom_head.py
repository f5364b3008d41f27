"""What every head of a force field is to training and to the model."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn


class AtomHead(nn.Module):
    """Atomic energies of an atom's inputs."""

    config: Any
    """With ``kind`` and ``quantum``."""

    @abstractmethod
    def energies(self, inputs: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Atomic energies and the variance of one shot of each, ``(M,)``, eV and eV².

        Args:
            inputs: ``(M, K)``.
            kinds: index of each atom's species, ``(M,)``.
        """

    @property
    @abstractmethod
    def mapped(self) -> Tensor:
        """Weights of the map from inputs to angles, which weight decay is of."""

    @property
    def energetic(self) -> list[nn.Parameter]:
        """Weights whose unit is an energy."""
        return []

    @property
    def angular(self) -> list[nn.Parameter]:
        """Weights whose unit is a radian an input, or a radian."""
        energetic = {id(parameter) for parameter in self.energetic}
        return [parameter for parameter in self.parameters() if id(parameter) not in energetic]

"""``engine:<device>``: what ``aer:<device>`` does, its exact distributions by our own engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot

if TYPE_CHECKING:
    import torch

    from backends.engine.program import NoisyProgram

FloatArray = NDArray[np.float64]


class EngineBackend(AerBackend):
    """Simulation of one device snapshot, rows of angles batched, quasi-static detuning included.

    Compiles as :class:`AerBackend` and agrees with it to rounding; thousands of rows cost little
    more than one. Circuits of more than ten qubits run as Aer's trajectories.

    Args:
        snapshot: the device.
        noise: strength of each source of noise; as reported by default.
        scheduled: let idle qubits relax.
        fractional: also use the gates that must be asked for.
        device: torch device; a GPU where there is one and it is named.
        detuning_level: see :class:`NoisyProgram`.
        scale: as :class:`AerBackend`'s.
    """

    def __init__(
        self,
        snapshot: DeviceSnapshot,
        *,
        noise: NoiseOptions | None = None,
        scheduled: bool = True,
        fractional: bool = False,
        device: torch.device | str = "cpu",
        detuning_level: int = 2,
        scale: float = 1.0,
    ) -> None:
        super().__init__(
            snapshot, noise=noise, scheduled=scheduled, fractional=fractional, scale=scale
        )
        self._device = device
        self._level = detuning_level
        self._program: NoisyProgram | None = None

    def __getstate__(self) -> dict[str, Any]:
        """As :class:`AerBackend`'s."""
        return {**super().__getstate__(), "_program": None}

    @property
    def name(self) -> str:
        """``engine:`` and the device's name, ``+fractional`` where that was asked for."""
        return f"engine:{self._snapshot.name}{self._asked}"

    def program(self, compiled: CompiledTemplate) -> NoisyProgram:
        """The circuit with this backend's noise; the last one is kept."""
        if self._program is None or self._program.compiled is not compiled:
            from backends.engine.program import NoisyProgram  # torch takes seconds to import

            self._program = NoisyProgram(
                compiled, self._noise, device=self._device, detuning_level=self._level
            )
        return self._program

    def pieces(self, compiled: CompiledTemplate, rows: int) -> list[slice]:
        """All in one: how rows are added up depends on how many there are."""
        del compiled
        return [slice(0, rows)]

    def _density_matrix(self, compiled: CompiledTemplate, x: FloatArray) -> FloatArray:
        return self.program(compiled).probabilities(x)

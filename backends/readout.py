"""How each measured wire of a compiled circuit is misread, for readout correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from backends.checks import measured_qubits
from calibration.noise import DeviceNoise, NoiseOptions


@dataclass(frozen=True)
class ReadoutMatrices:
    """Confusion matrices of a compiled circuit's measured wires.

    Attributes:
        matrices: ``(m, 2, 2)``, most significant wire first; element ``[wire, read, prepared]``,
            so each column sums to 1.
        source: where the numbers come from, one line.
    """

    matrices: NDArray[np.float64]
    source: str


def readout_matrices(
    compiled: CompiledTemplate, options: NoiseOptions | None = None
) -> ReadoutMatrices:
    """Confusion matrices as the compiled circuit's snapshot reports them.

    Args:
        compiled: its measurements say which physical qubit each wire is read from.
        options: scales the reported errors, as a simulated device does.
    """
    if compiled.snapshot is None:
        return ReadoutMatrices(np.tile(np.eye(2), (compiled.n_measured, 1, 1)), "ideal readout")
    device = DeviceNoise(compiled.snapshot, options or NoiseOptions())
    physical = [compiled.physical_qubits[q] for q in measured_qubits(compiled.circuit)]
    source = (
        f"snapshot of {compiled.snapshot.name} taken {compiled.snapshot.taken:%Y-%m-%d %H:%M} UTC"
    )
    return ReadoutMatrices(np.stack([device.confusion(q) for q in physical]), source)

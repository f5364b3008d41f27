"""A model's circuit as plain data: what is loaded, what is trained, what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qhw.circuits.ansatz import Ansatz

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class CircuitPlan:
    """A data-dependent preparation followed by a trained ansatz, then measurement.

    Attributes:
        preparation: ``"amplitudes"`` loads real signed amplitudes on ``data_wires`` (others |0>);
            ``"angles"`` applies ``loader`` with data angles.
        data_wires: wires the preparation acts on, most significant first.
        loader: the data-angle ansatz when ``preparation == "angles"``, else ``None``.
        ansatz: trained circuit.
        weights: its angles ``(ansatz.n_angles,)``, radians.
        measured_wires: wires measured, most significant first.
        condition_wires: wires that a data angle each turns by RY, beside what is loaded.
    """

    preparation: Literal["amplitudes", "angles"]
    data_wires: tuple[int, ...]
    loader: Ansatz | None
    ansatz: Ansatz
    weights: FloatArray
    measured_wires: tuple[int, ...]
    condition_wires: tuple[int, ...] = ()

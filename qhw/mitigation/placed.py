"""A workload on a device: compiled once, its rows bound, a pipeline around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, CompiledTemplate
from backends.statevector import measured_probabilities
from calibration.readout import ReadoutCalibration
from qhw.circuits.workload import Workload
from qhw.mitigation.base import OutcomeStructure
from qhw.mitigation.default import resolve
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import Program, build_program

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placed:
    """A workload compiled for a device.

    Attributes:
        workload: what runs.
        backend: where.
        compiled: its circuit.
    """

    workload: Workload
    backend: Backend
    compiled: CompiledTemplate

    @classmethod
    def on(cls, backend: Backend, workload: Workload, *, seed: int) -> Placed:
        """Compile a workload for a device.

        Raises:
            BackendError: it does not fit.
        """
        return cls(workload, backend, backend.compile(workload.circuit, seed=seed))

    @cached_property
    def angles(self) -> FloatArray:
        """``(B, P)`` radians, columns as compiled."""
        return self.workload.columns(self.compiled.parameter_names)

    @cached_property
    def exact(self) -> FloatArray:
        """``(B, 2**m)`` the compiled circuit's own exact distributions: the best that can come."""
        found = measured_probabilities(self.compiled, self.angles)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def pipeline(self, text: str, shots: int, *, share: float = 0.0) -> Pipeline:
        """The pipeline of a text, see :func:`~qhw.mitigation.default.resolve`."""
        total = len(self.angles) * shots
        return resolve(text, self.compiled, share=share, total_shots=total)

    def program(
        self,
        pipeline: Pipeline,
        *,
        shots: int,
        seed: int,
        label: str | None = None,
        calibration: ReadoutCalibration | None = None,
        moment: datetime | None = None,
        structure: OutcomeStructure | None = None,
    ) -> Program:
        """Everything a pipeline runs for all rows, see :func:`~.program.build_program`.

        Args:
            pipeline: what to do.
            shots: for each row on average, everything counted.
            seed: of random choices.
            label: first part of every batch's label, by default the workload's role.
            calibration: measured readout to use.
            moment: to which its age is counted.
            structure: of the exact outcomes.

        Raises:
            MitigationError: pipeline, shots, circuit, device and calibration do not go together.
        """
        return build_program(
            pipeline,
            self.backend,
            self.compiled,
            self.angles,
            shots=shots,
            seed=seed,
            label=label or self.workload.role,
            calibration=calibration,
            moment=moment,
            structure=structure,
        )

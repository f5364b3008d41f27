"""Shots of comparisons: how far distributions are from those of infinitely many shots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, CircuitBatch
from backends.checks import MAX_SIMULATED_SHOTS
from backends.vendor import VendorBackend
from qhw.analysis.compare.comparison import runner_of
from qhw.analysis.compare.quote import StageQuote, quote_stage
from qhw.analysis.compare.settings import MeasureSettings
from qhw.analysis.compare.stage import Notify, StageRunner
from qhw.analysis.precision.errors import Error, distribution_error, mean_distance
from qhw.analysis.precision.modelled import Modelled
from qhw.circuits.workload import Workload
from qhw.mitigation.placed import Placed
from qhw.mitigation.words import MitigationError

FloatArray = NDArray[np.float64]

_TRIALS = (10_000, 1_000_000)
"""Shots that circuits' shares of them are found with."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Circuits of a comparison, compiled.

    Attributes:
        runner: of the comparison; its shots are set aside.
        placed: the circuits.
        modelled: the device's model, one for each.
        vendor: whose device it is; ``None`` on a simulator.
        rows: chosen of each circuit's; ``None`` for the model's choice.
        read: what is wanted of each circuit's distributions, by default their distance.
    """

    runner: StageRunner
    placed: tuple[Placed, ...]
    modelled: tuple[Modelled, ...]
    vendor: VendorBackend | None = None
    rows: NDArray[np.int64] | None = None
    read: Error = mean_distance

    @classmethod
    def of_workload(
        cls,
        settings: MeasureSettings,
        workload: Workload,
        backend: Backend | VendorBackend,
        notify: Notify,
    ) -> Distances:
        """Of a person's own circuit.

        Raises:
            BackendError: the circuit does not fit the device.
            ValueError: an option that the mitigation would ignore, or a bad calibration file.
        """
        runner = runner_of(settings, cast(Backend, backend), notify)
        return cls.placing(runner, (workload,), backend)

    @classmethod
    def placing(
        cls,
        runner: StageRunner,
        workloads: tuple[Workload, ...],
        backend: Backend | VendorBackend,
        rows: NDArray[np.int64] | None = None,
        read: Error = mean_distance,
    ) -> Distances:
        """Circuits compiled for a device; arguments as the attributes."""
        placed = tuple(map(runner.place, workloads))
        vendor = None if isinstance(backend, Backend) else backend
        models = tuple(Modelled(backend, mixed=False) for _ in placed)
        return cls(runner, placed, models, vendor, rows, read)

    @property
    def note(self) -> str:
        """What the device's model had to leave out."""
        return "; ".join(dict.fromkeys(m.note for m in self.modelled if m.note))

    def error(self, shots: int) -> float:
        """Of the worst circuit, expected with shots of a row."""
        runner = replace(self.runner, shots=shots)
        return max(
            distribution_error(
                runner.plan(placed).program, modelled, runner.seed, self.read, self.rows
            )
            for placed, modelled in zip(self.placed, self.modelled, strict=True)
        )

    def quotes(self, shots: int) -> tuple[StageQuote, ...]:
        """What they cost; none on a simulator."""
        if self.vendor is None:
            return ()
        runner = replace(self.runner, shots=shots)
        return tuple(quote_stage(runner, self.vendor, placed) for placed in self.placed)

    def bounds(self) -> tuple[int, int]:
        """Fewest and most shots of a row with which each circuit has as many as the device takes.

        Raises:
            MitigationError: the pipeline does not go with the circuit or the device.
        """
        least, most = 1, MAX_SIMULATED_SHOTS
        if self.vendor is not None and self.vendor.snapshot is not None:
            limits = self.vendor.snapshot.job_limits
            least, most = limits.min_shots, min(most, limits.max_shots or most)
        ends = [_shares(partial(self._batches, placed)) for placed in self.placed]
        few, many = min(low for low, _ in ends), max(high for _, high in ends)
        low, high = max(2, int(np.ceil(least / few))), int(most / many)
        if high < low:
            raise MitigationError(
                f"Argument `mitigation` must leave each circuit {least:,} to {most:,} shots on "
                f"{self.runner.backend.name}, but {self.runner.mitigation} cannot"
            )
        return low, high

    def _batches(self, placed: Placed, shots: int) -> tuple[CircuitBatch, ...]:
        return replace(self.runner, shots=shots).plan(placed).batches


def _shares(batches: Callable[[int], tuple[CircuitBatch, ...]]) -> tuple[float, float]:
    """Smallest and largest share of a row's shots that a circuit has."""
    first, enough = _TRIALS
    try:
        found, trial = batches(first), first
    except MitigationError:
        found, trial = batches(enough), enough
    shots = [batch.shots for batch in found]
    return min(shots) / trial, max(shots) / trial

"""Simulations of a sweep, wherever they are done; the same to the last bit everywhere.

A circuit with its rows is one piece of work where sums depend, in their last bit, on how many rows
are added up together; else a backend says which rows may go apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.aer import MAX_EXACT_QUBITS, AerBackend
from backends.base import (
    Backend,
    BackendError,
    CircuitBatch,
    CompiledTemplate,
    DistributionBackend,
    ShotResult,
)
from qhw.mitigation.calibrate import run_here
from qhw.scheduler import Lost, Progress, Scheduler, by_place, untold

FloatArray = NDArray[np.float64]
Key = TypeVar("Key")
Work = TypeVar("Work")
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Distribution:
    """Work: exact noisy distributions of a circuit.

    Attributes:
        backend: that simulates.
        compiled: the circuit.
        angles: ``(B, P)`` radians.
    """

    backend: DistributionBackend
    compiled: CompiledTemplate
    angles: FloatArray


@dataclass(frozen=True, eq=False)
class Shots:
    """Work: shots of a batch.

    Attributes:
        backend: that runs them.
        batch: what runs.
        seed: of the shots.
    """

    backend: Backend
    batch: CircuitBatch
    seed: int


@dataclass(frozen=True)
class Refused:
    """A backend's words where it refuses."""

    reason: str


def distributions(
    works: Mapping[Key, Distribution], scheduler: Scheduler, progress: Progress
) -> dict[Key, FloatArray | Refused]:
    """``(B, 2**m)`` of every work, or why there is none."""
    return _all(_distribution, works, scheduler, progress)


def shot_results(
    works: Mapping[Key, Shots], scheduler: Scheduler, progress: Progress
) -> dict[Key, ShotResult | Refused]:
    """Counts of every work, or why there are none."""
    return _all(_shots, works, scheduler, progress)


def simulated_shots(
    backend: AerBackend,
    batches: Mapping[CircuitBatch, int],
    scheduler: Scheduler,
) -> dict[str, ShotResult]:
    """What ``backend.run`` gives for every batch, the simulation done elsewhere.

    Args:
        backend: that simulates.
        batches: each with the seed of its shots.
        scheduler: where.

    Returns:
        Results by label.

    Raises:
        BackendError: the backend refuses, or a piece whose workers died.
    """
    progress = Progress(untold, 0, 0)
    exact: dict[tuple[CircuitBatch, int], Distribution] = {}
    wide: dict[CircuitBatch, Shots] = {}
    for batch, seed in batches.items():
        compiled, angles = batch.compiled, batch.angles
        if compiled.circuit.num_qubits > MAX_EXACT_QUBITS:
            wide[batch] = Shots(backend, batch, seed)
            continue
        for place, piece in enumerate(backend.pieces(compiled, len(angles))):
            exact[batch, place] = Distribution(backend, compiled, angles[piece])
    parts: dict[CircuitBatch, list[FloatArray]] = {}
    for (batch, _), found in sorted(
        distributions(exact, scheduler, progress).items(), key=lambda item: item[0][1]
    ):
        parts.setdefault(batch, []).append(granted(found))
    out = {b.label: granted(r) for b, r in shot_results(wide, scheduler, progress).items()}
    for batch, pieces in parts.items():
        backend.keep(batch.compiled, batch.angles, np.concatenate(pieces))
        out[batch.label] = backend.run(
            batch.compiled, batch.angles, shots=batch.shots, seed=batches[batch]
        )
    return out


@dataclass(frozen=True, eq=False)
class RunOn:
    """Runs a batch on a backend, the simulation of a device done elsewhere.

    Attributes:
        scheduler: where; ``None`` for in this process.
    """

    scheduler: Scheduler | None

    def __call__(self, backend: Backend, batch: CircuitBatch, seed: int) -> ShotResult:
        """As ``backend.run``."""
        if self.scheduler is not None and isinstance(backend, AerBackend):
            return simulated_shots(backend, {batch: seed}, self.scheduler)[batch.label]
        return run_here(backend, batch, seed)


def granted(found: Found | Refused) -> Found:
    """What was found.

    Raises:
        BackendError: it was refused.
    """
    if isinstance(found, Refused):
        raise BackendError(found.reason)
    return found


def _all(
    function: Callable[[Work], Found | Refused],
    works: Mapping[Key, Work],
    scheduler: Scheduler,
    progress: Progress,
) -> dict[Key, Found | Refused]:
    keys: Sequence[Key] = list(works)
    progress.expect(len(keys))
    out: dict[Key, Found | Refused] = {}
    for place, found in by_place(scheduler, function, [works[key] for key in keys]):
        if isinstance(found, Lost):
            found = Refused(f"No worker could simulate it: {found.reason}")
        out[keys[place]] = found
        progress.step()
    return out


def _distribution(work: Distribution) -> FloatArray | Refused:
    try:
        return work.backend.probabilities(work.compiled, work.angles)
    except BackendError as error:
        return Refused(str(error))


def _shots(work: Shots) -> ShotResult | Refused:
    batch = work.batch
    try:
        return work.backend.run(batch.compiled, batch.angles, shots=batch.shots, seed=work.seed)
    except BackendError as error:
        return Refused(str(error))

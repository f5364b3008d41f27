"""Simulations of a sweep, wherever they are done; the same to the last bit everywhere.

A circuit with its rows is one piece of work: the engine's sums depend, in their last bit, on how
many rows are added up together, so rows of a circuit stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import (
    Backend,
    BackendError,
    CircuitBatch,
    CompiledTemplate,
    DistributionBackend,
    ShotResult,
    run_batches,
)
from qhw.scheduler import Lost, Progress, Scheduler, by_place

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
    """Work: counts of batches.

    Attributes:
        backend: that runs them.
        batches: what runs, labels different.
        seed: of the shots.
    """

    backend: Backend
    batches: tuple[CircuitBatch, ...]
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
) -> dict[Key, tuple[ShotResult, ...] | Refused]:
    """Results of every work's batches, or why there are none."""
    return _all(_shots, works, scheduler, progress)


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


def _shots(work: Shots) -> tuple[ShotResult, ...] | Refused:
    try:
        return run_batches(work.backend, work.batches, seed=work.seed)
    except BackendError as error:
        return Refused(str(error))

"""Counts of mitigation programs, the noise simulated once however often they are repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backends.aer import MAX_EXACT_QUBITS
from backends.base import (
    Backend,
    BatchBackend,
    CircuitBatch,
    DistributionBackend,
    ShotResult,
    run_batches,
    stream_seed,
)
from backends.checks import sample
from qhw.analysis.compare.simulations import (
    Distribution,
    Refused,
    Shots,
    distributions,
    granted,
    shot_results,
)
from qhw.mitigation.base import MitigationError
from qhw.mitigation.program import Mitigated, Program
from qhw.scheduler import LocalScheduler, Progress, Scheduler, untold

FloatArray = NDArray[np.float64]


class CountSource:
    """Runs programs on one backend; a simulator's exact noisy distributions are kept.

    Budgets, repeats and pipelines that share circuits then cost a multinomial draw each. Backends
    that give counts only just run.

    Args:
        backend: where.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._kept: dict[bytes, FloatArray | Refused] = {}
        self._ran: dict[tuple[CircuitBatch, int], ShotResult | Refused] = {}

    def fetch(
        self,
        wanted: Sequence[tuple[Program, Sequence[int]]],
        scheduler: Scheduler,
        progress: Progress,
    ) -> None:
        """Have everything simulated that :meth:`counts` will need; it tells what is refused.

        Args:
            wanted: programs, each with its seeds.
            scheduler: where that is done.
            progress: told of every piece of work.
        """
        exact: dict[bytes, CircuitBatch] = {}
        runs: dict[tuple[CircuitBatch, int], Shots] = {}
        for program, seeds in wanted:
            if self._exact(program):
                exact |= {_fingerprint(batch): batch for batch in program.batches}
            elif not isinstance(self._backend, BatchBackend):  # it wants them all at once
                runs |= {
                    (batch, seed): Shots(self._backend, batch, stream_seed(seed, batch.label))
                    for batch in program.batches
                    for seed in seeds
                }
        self._simulate({k: b for k, b in exact.items() if k not in self._kept}, scheduler, progress)
        self._ran |= shot_results(runs, scheduler, progress)

    def counts(self, program: Program, seed: int) -> dict[str, NDArray[np.int64]]:
        """Counts of every batch by label; the same program and seed give the same.

        Raises:
            BackendError: the backend refuses.
        """
        if self._exact(program):
            rng = np.random.default_rng(seed)
            return {b.label: sample(self.distribution(b), b.shots, rng) for b in program.batches}
        fetched = [self._ran.pop((batch, seed), None) for batch in program.batches]
        if any(result is None for result in fetched):
            results = run_batches(self._backend, program.batches, seed=seed)
        else:
            results = tuple(granted(result) for result in fetched if result is not None)
        found = zip(program.batches, results, strict=True)
        return {batch.label: result.counts for batch, result in found}

    def repeated(self, program: Program, seeds: Iterable[int]) -> Iterator[Mitigated]:
        """What comes of a program of distributions, once for every seed.

        Raises:
            BackendError: the backend refuses.
            MitigationError: the pipeline gives no distributions.
        """
        for seed in seeds:
            found = program.combine(self.counts(program, seed))
            if found.probabilities is None:
                raise MitigationError(
                    f"Pipelines must give distributions here, but {program.pipeline} gives none"
                )
            yield found

    def distribution(self, batch: CircuitBatch) -> FloatArray:
        """Exact noisy distributions ``(B, 2**m)`` of a batch, simulated at the first call.

        Raises:
            BackendError: the backend refuses.
            TypeError: the backend gives counts only.
        """
        key = _fingerprint(batch)
        if key not in self._kept:
            self._simulate({key: batch}, LocalScheduler(0), Progress(untold, 0, 0))
        return granted(self._kept[key])

    def _simulate(
        self, batches: dict[bytes, CircuitBatch], scheduler: Scheduler, progress: Progress
    ) -> None:
        if not batches:
            return
        if not isinstance(self._backend, DistributionBackend):
            raise TypeError(f"{self._backend.name} gives counts only")
        works, places = {}, {}
        for key, batch in batches.items():
            rows, place = np.unique(batch.angles, axis=0, return_inverse=True)
            works[key] = Distribution(self._backend, batch.compiled, rows)
            places[key] = place.reshape(-1)
        for key, found in distributions(works, scheduler, progress).items():
            self._kept[key] = found if isinstance(found, Refused) else found[places[key]]

    def _exact(self, program: Program) -> bool:
        widest = max(b.compiled.circuit.num_qubits for b in program.batches)
        return isinstance(self._backend, DistributionBackend) and widest <= MAX_EXACT_QUBITS


def _fingerprint(batch: CircuitBatch) -> bytes:
    """Equal for equal circuits with equal angles, whatever objects hold them."""
    compiled = batch.compiled
    place = {bit: i for i, bit in enumerate((*compiled.circuit.qubits, *compiled.circuit.clbits))}
    lines = [str(compiled.physical_qubits), str(compiled.parameter_names)]
    for item in compiled.circuit.data:
        gate = item.operation
        wires = [place[bit] for bit in (*item.qubits, *item.clbits)]
        lines.append(f"{gate.name} {gate.params} {wires}")
    digest = hashlib.sha256("\n".join(lines).encode())
    digest.update(np.ascontiguousarray(batch.angles).tobytes())
    return digest.digest()

"""Probabilistic error cancellation: the reported noise undone by random, signed Paulis.

The inverse of the noise is a mixture of Paulis with negative weights. Circuits drawn from it, their
results counted with the sign, are unbiased for as much of the noise as the snapshot knows and
Paulis describe; ``twirl(1)`` makes the rest of it Pauli as well. The circuit without any insertion
is run for itself, not drawn, which leaves less to chance.

Sources: Temme, Bravyi and Gambetta, Phys. Rev. Lett. 119, 180509 (2017); van den Berg, Minev,
Kandala and Temme, Nat. Phys. 19, 1116 (2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction

from backends.base import CircuitBatch, CompiledTemplate
from backends.rewrite import Pair, Placed, rewritten
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    split_shots,
    weighted_sum,
)
from qhw.mitigation.pauli_noise import Inverse, inverses
from qhw.mitigation.twirl import placed_paulis

FloatArray = NDArray[np.float64]

MAX_SAMPLES = 10_000
_FEW = 2
"""Circuits from which a variance between circuits can be told."""


@dataclass(frozen=True)
class ErrorCancellation:
    """``pec(100)``, ``pec(100,limit=30)``.

    Attributes:
        samples: circuits drawn, the one without insertions not counted; all rows share them.
        limit: largest ``gamma**2``, the factor on the shots that equal error bars take.
    """

    samples: int = 100
    limit: float = 100.0

    name: ClassVar[str] = "pec"
    rank: ClassVar[int] = 2
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if not _FEW <= self.samples <= MAX_SAMPLES:
            raise MitigationError(
                f"pec(n) must have n from {_FEW} to {MAX_SAMPLES}, but has {self.samples}"
            )
        if not self.limit >= 1.0:
            raise MitigationError(f"pec must have a limit from 1, but has {self.limit:g}")

    def __str__(self) -> str:
        default = ErrorCancellation()
        limit = "" if self.limit == default.limit else f",limit={self.limit:g}"
        return f"pec({self.samples}{limit})"

    @property
    def circuits(self) -> int:
        """One batch a sample, and the circuit itself."""
        return self.samples + 1

    @property
    def needs(self) -> tuple[str, ...]:
        """A trustworthy snapshot."""
        return (f"the snapshot's noise of every gate, gamma^2 up to {self.limit:g}",)

    def build(self, batch: CircuitBatch, context: Context) -> CancellationStep:
        """The circuit and its samples, fewer of them where there are few shots.

        Raises:
            MitigationError: ``gamma**2`` above the limit, noise that cannot be inverted, or too
                few shots.
        """
        noise = inverses(batch.compiled)
        gamma = math.prod(inverse.gamma for inverse in noise)
        if gamma**2 > self.limit:
            raise MitigationError(
                f"pec must have noise of gamma^2 up to {self.limit:g}, but this circuit on this "
                f"device has {gamma**2:.4g}; fewer two-qubit gates or a higher limit are needed"
            )
        untouched = math.prod(float(inverse.weights[0, 0]) for inverse in noise) / gamma
        drawn = 1.0 - untouched
        if not noise:
            label = f"{batch.label}/pec=0"
            only = CircuitBatch(label, batch.compiled, batch.angles, batch.shots)
            return CancellationStep((only,), np.ones(1), 1.0)
        count = min(self.samples, max(_FEW, int(drawn * batch.shots)))
        # where noise is next to nothing, a sample still needs a shot
        each = max(drawn / count, 1.0 / batch.shots)
        shots = split_shots(batch.shots, [untouched, *[each] * count], str(self))
        picks, signs = drawn_paulis(noise, count, context.rng(f"{batch.label}/pec"))
        circuits = [batch.compiled, *(inserted(batch.compiled, noise, row) for row in picks)]
        batches = [
            CircuitBatch(f"{batch.label}/pec={i}", circuit, batch.angles, part)
            for i, (circuit, part) in enumerate(zip(circuits, shots, strict=True))
        ]
        weights = gamma * np.concatenate([[untouched], signs * drawn / count])
        return CancellationStep(tuple(batches), weights, gamma)


@dataclass(frozen=True, eq=False)
class CancellationStep:
    """The circuit without insertions and samples of the others.

    Attributes:
        batches: the circuit, then the samples.
        weights: signed, one a batch.
        gamma: of the whole circuit.
    """

    batches: tuple[CircuitBatch, ...]
    weights: FloatArray
    gamma: float

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Weighted sum; the scatter of the samples holds their shot noise as well.

        It does not hold the errors of a calibration, which all samples share.
        """
        found = [context.wanted(r) for r in results]
        parts = np.array([w * r.values for w, r in zip(self.weights, found, strict=True)])
        variance = self.weights[0] ** 2 * found[0].variance
        samples = parts[1:]
        if len(samples):
            variance = variance + len(samples) * samples.var(axis=0, ddof=1)
        record = {
            "gamma": self.gamma,
            "gamma_squared": self.gamma**2,
            "weights": self.weights.tolist(),
        }
        common = weighted_sum(self.weights, found).common
        total = Estimate(parts.sum(axis=0), np.asarray(variance), common=common)
        return total.noted(pec=record)


def drawn_paulis(
    noise: Sequence[Inverse], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray]:
    """Insertions drawn by the size of their weights, given that there is at least one.

    Args:
        noise: inverses, ``L`` of them.
        count: of draws.
        rng: of the draws; the first inserted Pauli is spread evenly over its probabilities.

    Returns:
        ``(count, L)`` Paulis as ``4 first + second``, and signs ``(count,)``.
    """
    table = np.array([inverse.weights.ravel() for inverse in noise])
    sizes = np.abs(table)
    sizes /= sizes.sum(axis=1, keepdims=True)
    none_before = np.cumprod(np.concatenate([[1.0], sizes[:-1, 0]]))
    first = (none_before[:, None] * sizes[:, 1:]).ravel()
    points = (np.arange(count) + rng.random()) / count
    chosen = np.searchsorted(np.cumsum(first) / first.sum(), points, side="right")
    place, letter = np.divmod(np.minimum(chosen, first.size - 1), 15)
    later = np.stack([rng.choice(16, size=count, p=row) for row in sizes], axis=1)
    order = np.arange(len(noise))
    picks = np.where(order > place[:, None], later, 0)
    picks[np.arange(count), place] = letter + 1
    signs = np.sign(table)[order, picks].prod(axis=1)
    return picks, signs


def inserted(
    compiled: CompiledTemplate, noise: Sequence[Inverse], picks: NDArray[np.int64]
) -> CompiledTemplate:
    """The circuit with one Pauli ``4 first + second`` at each place of an inverse, ``(L,)``."""
    chosen = {
        (inverse.number, inverse.after): divmod(int(pick), 4)
        for inverse, pick in zip(noise, picks, strict=True)
    }

    def edit(number: int, gate: Instruction, pair: Pair) -> list[Placed]:
        before, after = (chosen.get((number, side), (0, 0)) for side in (False, True))
        return [*placed_paulis(before, pair), (gate, pair), *placed_paulis(after, pair)]

    return rewritten(compiled, edit)

"""Layerwise Richardson extrapolation: parts of a circuit get more noise one by one.

A polynomial of several variables, the noise of each part, is drawn through the values and read off
where all of them vanish.

Source: Russo and Mari, Phys. Rev. A 110, 062420 (2024), section III.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch
from backends.rewrite import two_qubit_gates
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    split_shots,
    weighted_sum,
)
from qhw.mitigation.zne import folded

FloatArray = NDArray[np.float64]

MAX_CIRCUITS = 500


@dataclass(frozen=True)
class LayerwiseRichardson:
    """``lre(1,4)``: degree of the polynomial, number of parts of the circuit.

    Attributes:
        degree: of the polynomial, 1 or more.
        chunks: parts, each of consecutive two-qubit gates, numbers as equal as they get.
    """

    degree: int = 1
    chunks: int = 4

    name: ClassVar[str] = "lre"
    rank: ClassVar[int] = 2
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if self.degree < 1 or self.chunks < 1:
            raise MitigationError(
                f"lre(degree,chunks) must have numbers from 1, but has {self.degree},{self.chunks}"
            )
        if self.circuits > MAX_CIRCUITS:
            raise MitigationError(
                f"{self} must take at most {MAX_CIRCUITS} circuits, but takes {self.circuits}"
            )

    def __str__(self) -> str:
        return f"lre({self.degree},{self.chunks})"

    @property
    def circuits(self) -> int:
        """One batch a term of the polynomial."""
        return math.comb(self.chunks + self.degree, self.degree)

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def build(self, batch: CircuitBatch, context: Context) -> LayerwiseStep:
        """The circuit with its parts folded in every pattern of at most ``degree`` folds.

        Raises:
            MitigationError: fewer two-qubit gates than parts, or too few shots.
        """
        del context
        gates = len(two_qubit_gates(batch.compiled))
        if gates < self.chunks:
            raise MitigationError(
                f"{self} must have a circuit of at least {self.chunks} two-qubit gates, "
                f"but it has {gates}"
            )
        patterns = fold_patterns(self.degree, self.chunks)
        coefficients = richardson_coefficients(patterns)
        shots = split_shots(batch.shots, np.abs(coefficients).tolist(), str(self))
        sizes = [len(part) for part in np.array_split(np.arange(gates), self.chunks)]
        batches = []
        for pattern, part in zip(patterns, shots, strict=True):
            variant = folded(batch.compiled, np.repeat(pattern, sizes)) if any(pattern) else None
            label = f"{batch.label}/lre={'.'.join(map(str, pattern))}"
            batches.append(CircuitBatch(label, variant or batch.compiled, batch.angles, part))
        return LayerwiseStep(tuple(batches), coefficients)


@dataclass(frozen=True, eq=False)
class LayerwiseStep:
    """Folded circuits of one batch.

    Attributes:
        batches: one a pattern.
        coefficients: of each in the value at no noise.
    """

    batches: tuple[CircuitBatch, ...]
    coefficients: FloatArray

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Values at no noise."""
        found = [context.wanted(r) for r in results]
        estimate = weighted_sum(self.coefficients, found)
        return estimate.noted(lre={"coefficients": self.coefficients.tolist()})


def fold_patterns(degree: int, chunks: int) -> list[tuple[int, ...]]:
    """How often each part is folded: every way of at most ``degree`` folds in all."""
    return [
        tuple(picked.count(part) for part in range(chunks))
        for total in range(degree + 1)
        for picked in itertools.combinations_with_replacement(range(chunks), total)
    ]


def richardson_coefficients(patterns: Sequence[tuple[int, ...]]) -> FloatArray:
    """Weights ``(M,)`` of values at noise ``1 + 2 folds`` of each part in the value at no noise.

    Args:
        patterns: from :func:`fold_patterns`; they are the exponents of the polynomial as well.
    """
    powers = np.array(patterns)
    scales = 1.0 + 2.0 * powers
    terms = np.prod(scales[:, None, :] ** powers[None, :, :], axis=2)
    return np.asarray(np.linalg.inv(terms)[0], dtype=np.float64)

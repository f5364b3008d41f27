"""What every mitigation technique is: circuits to build, and results to combine.

A technique takes one batch of circuits and says which batches to run in its place
(:meth:`Technique.build`); what came back is handed to the step it returned, which combines it into
one estimate for the batch it was given (:meth:`Step.combine`). Techniques nest: the outermost
builds first and combines last.

An estimate holds *features*: linear functionals of the outcome distribution. Where a distribution
is wanted they are the ``2**m`` probabilities themselves; where expectation values are, one feature
is one observable. Their variances follow from the multinomial law of counts and stay exact through
every linear step.

A measured readout calibration errs in the same sense in all circuits and rows it corrects. That
part is no variance to be added up: it travels beside the values, one column a source of error, as
what one standard deviation of the source changes in them, and is squared at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, CircuitBatch
from backends.outcomes import Outcomes
from backends.vendor import VendorBackend
from calibration.readout import ReadoutCalibration
from qhw.distributions import relative_frequencies
from qhw.mitigation.words import MitigationError as MitigationError

FloatArray = NDArray[np.float64]
Quantity = Literal["distribution", "expectation"]

PSEUDO_COUNTS = 0.5
"""Counts that variances allow for beyond those seen: nothing seen is not taken for certain."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Frequencies that values are linear in.

    Attributes:
        frequencies: ``(B, D)``.
        shots: behind each row.
        weights: ``(K, D)``; the values are ``frequencies @ weights.T``.
    """

    frequencies: FloatArray
    shots: int
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Estimate:
    """Features of B rows with their uncertainties.

    Attributes:
        values: ``(B, K)``; relative frequencies of the ``2**m`` outcomes while ``shots`` is set.
        variance: ``(B, K)``, of ``values``, from shot noise and whatever fits were made; without
            the common part.
        shots: behind each row while ``values`` are plain frequencies, 0 afterwards.
        record: intermediate results worth keeping, JSON values and arrays by name.
        measured: what the values are linear in, where that is known; their correlations follow.
        common: ``(C, B, K)``, what one standard deviation of each of C independent errors of the
            readout calibration changes in ``values``, to first order; C is 0 without a measured
            calibration. Errors come in the same order in everything corrected with one calibration.
    """

    values: FloatArray
    variance: FloatArray
    shots: int = 0
    record: dict[str, Any] = field(default_factory=dict)
    measured: Measured | None = None
    common: FloatArray = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def __post_init__(self) -> None:
        if not len(self.common):
            object.__setattr__(self, "common", np.zeros((0, *self.values.shape)))

    def noted(self, **entries: Any) -> Estimate:
        """The same with more to remember."""
        return replace(self, record={**self.record, **entries})

    def variance_of(self, weights: FloatArray, *, unbiased: bool = False) -> FloatArray:
        """Variance ``(B, J)`` of functionals ``values @ weights.T``.

        Exact where the values are frequencies or linear in some; taken as uncorrelated otherwise.

        Args:
            weights: ``(J, K)``.
            unbiased: see :func:`linear_variance`.
        """
        if self.shots:
            return linear_variance(self.values, self.shots, weights, unbiased=unbiased)
        if self.measured is not None:
            m = self.measured
            joined = weights @ m.weights
            return linear_variance(m.frequencies, m.shots, joined, unbiased=unbiased)
        return np.asarray(self.variance @ (weights**2).T, dtype=np.float64)


def weighted_sum(weights: Iterable[float], found: Sequence[Estimate]) -> Estimate:
    """Estimates times fixed weights, added up; independent but for their common errors."""
    parts = list(zip(weights, found, strict=True))
    return Estimate(
        np.asarray(sum(w * r.values for w, r in parts)),
        np.asarray(sum(w * w * r.variance for w, r in parts)),
        common=np.asarray(sum(w * r.common for w, r in parts)),
    )


def frequencies(counts: NDArray[np.int64]) -> Estimate:
    """Counts ``(B, 2**m)`` as an estimate; where rows have unequal shots, of the fewest."""
    shots = int(counts.sum(axis=1).min()) if len(counts) else 0
    values = relative_frequencies(counts)
    return Estimate(values, linear_variance(values, shots, None), shots)


def linear_variance(
    values: FloatArray, shots: int, weights: FloatArray | None, *, unbiased: bool = False
) -> FloatArray:
    """Variance of linear functionals of measured frequencies.

    Args:
        values: ``(B, D)`` frequencies of ``shots`` multinomial shots.
        shots: per row.
        weights: ``(K, D)`` functionals; ``None`` for the frequencies themselves.
        unbiased: for taking noise out of squares, not for error bars: the expectation is exact,
            and nothing is added for what was not seen. Two shots or more.

    Returns:
        ``(B, K)``: ``(sum_j w_kj^2 p_j - (sum_j w_kj p_j)^2) / shots``, ``p`` being the
        frequencies, and what :data:`PSEUDO_COUNTS` more at an outcome as far away as there is adds.
    """
    n = max(shots, 1)
    if weights is None:
        return np.asarray(values * (1 - values) / n + PSEUDO_COUNTS / n**2, dtype=np.float64)
    spread = values @ (weights**2).T - (values @ weights.T) ** 2
    if unbiased:
        return np.asarray(np.maximum(spread, 0.0) / max(n - 1, 1), dtype=np.float64)
    reach = np.ptp(weights, axis=1)
    variance = np.maximum(spread, 0.0) / n + PSEUDO_COUNTS * (reach / n) ** 2
    return np.asarray(variance, dtype=np.float64)


class OutcomeStructure(Protocol):
    """What is known beforehand of a model's exact outcomes, of which there are D.

    Attributes:
        what: the outcomes are, in words.
        case: name of what :meth:`cases` finds.
        n_outcomes: D.
    """

    what: ClassVar[str]
    case: ClassVar[str]
    n_outcomes: ClassVar[int]

    @property
    def empty(self) -> NDArray[np.int64]:
        """Outcomes whose exact probability is 0 in every case."""

    def cases(self, values: FloatArray) -> NDArray[np.int64]:
        """Which case each row is ``(B,)``, of frequencies or quasi-probabilities ``(B, D)``."""

    def nearest(
        self, values: FloatArray, variance: FloatArray, counts: NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The nearest that is allowed: values and variance ``(B, D)``, mean background ``(B,)``.

        Args:
            values: ``(B, D)``.
            variance: of them.
            counts: case of each row.
        """


@dataclass(frozen=True, eq=False)
class Context:
    """What techniques may know.

    Attributes:
        backend: where circuits will run.
        seed: of every random choice; a technique draws from ``rng(label)``.
        rows: of data, B.
        features: ``(K, 2**m)`` functionals wanted, ``None`` for the distribution itself.
        calibration: measured readout, ``None`` for the snapshot's error rates.
        moment: to which the calibration's age is counted, ``None`` for now; a run taken up again
            is judged by when it was submitted.
        structure: of the exact outcomes, where a model declares one and obeys it.
        outcomes: of the columns of counts, where they are not all ``2**m`` in order; known once
            there are counts.
    """

    backend: Backend
    seed: int
    rows: int
    features: FloatArray | None = None
    calibration: ReadoutCalibration | None = None
    moment: datetime | None = None
    structure: OutcomeStructure | None = None
    outcomes: Outcomes | None = None

    def rng(self, label: str) -> np.random.Generator:
        """Generator of one batch's random choices: the same for the same seed and label."""
        return np.random.default_rng([self.seed, *label.encode()])

    def wanted(self, estimate: Estimate) -> Estimate:
        """Plain frequencies as the features wanted; anything else as it is."""
        if self.features is None or not estimate.shots:
            return replace(estimate, shots=0)
        return Estimate(
            estimate.values @ self.features.T,
            linear_variance(estimate.values, estimate.shots, self.features),
            0,
            estimate.record,
        )

    def mixed(self, outcomes: int) -> FloatArray | float:
        """Features ``(K,)`` of the maximally mixed state, what depolarised circuits give."""
        return 1.0 / outcomes if self.features is None else self.features.mean(axis=1)


class Step(Protocol):
    """Circuits of one technique and how their results are combined."""

    @property
    def batches(self) -> tuple[CircuitBatch, ...]:
        """What runs in place of the batch the technique was given."""

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """One estimate from one estimate per batch, in the order of :attr:`batches`."""


@runtime_checkable
class Technique(Protocol):
    """A stage of a pipeline, immutable, made from its arguments.

    Attributes:
        name: as written in a pipeline.
        rank: place in a pipeline, see :data:`RANKS`.
        valid_for: what it can estimate.
    """

    name: ClassVar[str]
    rank: ClassVar[int]
    valid_for: ClassVar[frozenset[Quantity]]

    def __str__(self) -> str:
        """As written in a pipeline: parsing it gives the technique back."""

    @property
    def circuits(self) -> int:
        """Batches of the same rows run in place of one (training circuits not counted)."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What it takes beside shots, in words: a calibration, training circuits."""

    def build(self, batch: CircuitBatch, context: Context) -> Step:
        """What to run in place of a batch.

        Raises:
            MitigationError: shots too few, or a circuit or device it cannot work on.
        """


@runtime_checkable
class Calibrating(Protocol):
    """A technique that measures the device's readout first where it is given no calibration.

    Attributes:
        share: of all shots spent on it.
    """

    share: float


@runtime_checkable
class AnyWidth(Protocol):
    """A technique that says whether counts may lack outcomes; others need all ``2**m``."""

    @property
    def any_width(self) -> bool:
        """Whether it takes counts of outcomes too many to be listed all."""


@runtime_checkable
class DeviceBound(Protocol):
    """A technique that not every device can take."""

    def check_device(self, backend: Backend | VendorBackend) -> None:
        """Refuse a device, as far as that shows before a circuit is compiled for it.

        Raises:
            MitigationError: says what the device lacks.
        """


RANKS = ("ensemble", "readout", "extrapolation", "structure")
"""Order of techniques in a pipeline: from the circuit outwards."""
BOTH: frozenset[Quantity] = frozenset(("distribution", "expectation"))
DISTRIBUTION: frozenset[Quantity] = frozenset(("distribution",))


def split_shots(shots: int, weights: Sequence[float], what: str) -> tuple[int, ...]:
    """Divide shots in proportion to weights, nothing lost.

    Args:
        shots: to divide.
        weights: positive.
        what: named in the error.

    Raises:
        MitigationError: a part would get no shot.
    """
    w = np.asarray(weights, dtype=np.float64)
    parts = np.floor(shots * w / w.sum()).astype(int)
    order = np.argsort(-(shots * w / w.sum() - parts), kind="stable")
    parts[order[: shots - int(parts.sum())]] += 1
    if parts.min() < 1:
        raise MitigationError(
            f"Argument `shots` must give each of the {len(w)} circuits of {what} at least one, "
            f"but is {shots}"
        )
    return tuple(int(p) for p in parts)

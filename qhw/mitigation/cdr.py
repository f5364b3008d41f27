"""Clifford data regression: how noise shrinks values, learnt from circuits whose values are known.

The training circuits have the noise of the circuit itself (see :mod:`qhw.mitigation.clifford`). A
distribution is corrected in its parities: those of ``k`` wires share one slope, since noise shrinks
a parity the more the more wires it is made of. Expectation values are grouped likewise.

Sources: Czarnik, Arrasmith, Coles and Cincio, Quantum 5, 592 (2021) (regression); errors in the
regressor: Fuller, Measurement Error Models (Wiley, 1987), section 1.2; error bars of the slopes:
White, Econometrica 48, 817 (1980), a circuit an observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch
from backends.exact import MAX_QUBITS
from backends.statevector import measured_probabilities
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    linear_variance,
)
from qhw.mitigation.clifford import near_clifford
from qhw.mitigation.parity import (
    from_parities,
    leading_wires,
    parities,
    wires_in,
)
from qhw.mitigation.slopes import Slopes, learn_slopes

FloatArray = NDArray[np.float64]
Map = Literal["weights", "slope"]

MAX_CIRCUITS = 1000
MAX_SHARE = 0.9
_MIN_SPREAD = 1e-6
"""Least mean square of the exact training values about those of the mixed state, summed."""


@dataclass(frozen=True)
class CliffordRegression:
    """``cdr``, ``cdr(24)``, ``cdr(24,slope,non_clifford=0.3,share=0.1)``.

    Attributes:
        training: number of training circuits.
        map: ``weights``: one slope for all parities of as many wires; ``slope``: one for all.
        non_clifford: chance of a one-qubit gate of a training circuit to keep its angle.
        training_share: of all shots, ``share`` in the text.
    """

    training: int = 16
    map: Map = "weights"
    non_clifford: float = 0.15
    training_share: float = 0.05

    name: ClassVar[str] = "cdr"
    rank: ClassVar[int] = 2
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if not 2 <= self.training <= MAX_CIRCUITS:
            raise MitigationError(
                f"cdr(n) must have n from 2 to {MAX_CIRCUITS}, but has {self.training}"
            )
        if self.map not in get_args(Map):
            raise MitigationError(
                f"cdr must have one of the maps {', '.join(get_args(Map))}, but has {self.map!r}"
            )
        if not 0.0 <= self.non_clifford <= 1.0:
            raise MitigationError(
                f"cdr must have non_clifford from 0 to 1, but has {self.non_clifford:g}"
            )
        if not 0.0 < self.training_share <= MAX_SHARE:
            raise MitigationError(
                f"cdr must have a share above 0, up to {MAX_SHARE:g}, "
                f"but has {self.training_share:g}"
            )

    def __str__(self) -> str:
        default = CliffordRegression()
        parts = [str(self.training)] if self.map == default.map else [f"{self.training},{self.map}"]
        if self.non_clifford != default.non_clifford:
            parts.append(f"non_clifford={self.non_clifford:g}")
        if self.training_share != default.training_share:
            parts.append(f"share={self.training_share:g}")
        return f"cdr({','.join(parts)})"

    @property
    def circuits(self) -> int:
        """The circuit itself."""
        return 1

    @property
    def needs(self) -> tuple[str, ...]:
        """Training circuits."""
        part = f"{self.training_share:.0%} of the shots"
        return (f"{self.training} near-Clifford training circuits, {part}",)

    def build(self, batch: CircuitBatch, context: Context) -> RegressionStep:
        """The circuit itself and the training circuits, each from a row of angles.

        Raises:
            MitigationError: too many qubits to know the exact values, training values without
                spread, or too few shots to train with.
        """
        qubits = batch.compiled.circuit.num_qubits
        if qubits > MAX_QUBITS:
            raise MitigationError(
                f"cdr must have circuits of up to {MAX_QUBITS} qubits, but has {qubits}"
            )
        rows = len(batch.angles)
        each = int(self.training_share * batch.shots * rows / self.training)
        left = batch.shots - math.ceil(each * self.training / rows)
        if each < 1 or left < 1:
            raise MitigationError(
                f"Argument `shots` must pay for {self.training} training circuits of cdr with "
                f"{self.training_share:.0%} of the shots, but is {batch.shots} for {rows} rows"
            )
        batches = [CircuitBatch(f"{batch.label}/cdr=data", batch.compiled, batch.angles, left)]
        exact = []
        for i in range(self.training):
            label = f"{batch.label}/cdr={i}"
            row = batch.angles[i % rows : i % rows + 1]
            circuit = near_clifford(batch.compiled, row[0], self.non_clifford, context.rng(label))
            batches.append(CircuitBatch(label, circuit, row, each))
            exact.append(measured_probabilities(circuit, row)[0])
        step = RegressionStep(tuple(batches), np.array(exact), self.map)
        step.check(context, each)
        return step


@dataclass(frozen=True, eq=False)
class RegressionStep:
    """The data and what to learn from.

    Attributes:
        batches: the data, then one row a training circuit.
        exact: ``(n, 2**m)`` exact distributions of the training circuits.
        map: see :class:`CliffordRegression`.
    """

    batches: tuple[CircuitBatch, ...]
    exact: FloatArray
    map: Map

    def check(self, context: Context, shots: int) -> None:
        """Refuse training circuits that nothing can be learnt from.

        Raises:
            MitigationError: their values are all those of the mixed state, or differ from them by
                less than the noise of this many shots a circuit.
        """
        ideal = Estimate(self.exact, linear_variance(self.exact, shots, None), shots)
        known, variance, _ = _centred(ideal, context)
        spread = float((known**2).sum())
        if spread < _MIN_SPREAD:
            raise MitigationError(
                "cdr must have training circuits whose exact values differ from those of the mixed "
                "state, but all are equal to them; another seed or more non_clifford may help"
            )
        if spread < variance.sum():
            raise MitigationError(
                f"Argument `shots` must give each training circuit of cdr more than {shots} shots, "
                "whose noise hides what there is to learn"
            )

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Values enlarged by the slopes.

        The error bars hold shot noise, values taken as uncorrelated unless they are plain
        frequencies; the slopes' uncertainty, which errs in the same sense in every row; and how
        far the training values were from sharing a slope. An error of the readout calibration moves
        data and training values alike, so that the slopes make up for part of it.
        """
        groups = self._groups(context)
        training = [_centred(r, context) for r in results[1:]]
        learnt = learn_slopes(
            np.concatenate([values for values, _, _ in training]),
            np.concatenate([variance for _, variance, _ in training]),
            _centred(Estimate(self.exact, np.zeros_like(self.exact), 1), context)[0],
            groups,
            np.concatenate([common for _, _, common in training], axis=1),
        )
        enlarged = _expectations if context.features is not None else _distributions
        found = enlarged(results[0], context, learnt, groups)
        record = {
            "map": self.map,
            "slopes": learnt.values[1:].tolist(),
            "standard_error": np.sqrt(np.diag(learnt.covariance))[1:].tolist(),
            "misfit": np.sqrt(learnt.misfit)[1:].tolist(),
            "exact": self.exact,
        }
        return found.noted(cdr=record)

    def _groups(self, context: Context) -> NDArray[np.int64]:
        """Number of the slope of every value; 0 for the parity of no wire, which is always 1."""
        features = context.features
        sizes = wires_in(self.exact.shape[1]) if features is None else leading_wires(features)
        return sizes if self.map == "weights" else np.minimum(sizes, 1)


def _centred(estimate: Estimate, context: Context) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Parities, or expectation values less those of the mixed state; variances, common errors.

    The variances are to be taken out of squares, where an error bar's safety would be an error.
    """
    features = context.features
    if features is not None:
        weights = features if estimate.shots else np.eye(len(features))
        wanted = context.wanted(estimate)
        values = wanted.values - context.mixed(features.shape[1])
        return values, estimate.variance_of(weights, unbiased=True), wanted.common
    values = parities(estimate.values)
    variance = estimate.variance_of(parities(np.eye(values.shape[1])), unbiased=True)
    some = wires_in(values.shape[1]) > 0
    return values * some, variance * some, parities(estimate.common) * some


def _expectations(
    data: Estimate, context: Context, learnt: Slopes, groups: NDArray[np.int64]
) -> Estimate:
    x, _, moved = _centred(data, context)
    gains = learnt.values[groups]
    spread = np.diag(learnt.covariance)[groups] + learnt.misfit[groups] * gains**2
    mixed = context.mixed(data.values.shape[1])
    variance = gains**2 * context.wanted(data).variance + x**2 * spread
    return Estimate(mixed + gains * x, variance, common=_turned(x, moved, learnt, groups))


def _distributions(
    data: Estimate, context: Context, learnt: Slopes, groups: NDArray[np.int64]
) -> Estimate:
    del context
    x, gains = parities(data.values), learnt.values[groups]
    variance = data.variance_of(from_parities(gains * parities(np.eye(len(gains)))))
    parts = np.stack([from_parities(x * (groups == g)) for g in range(len(learnt.values))])
    spread = np.einsum("gbd,hbd,gh->bd", parts, parts, learnt.covariance)
    misfit = ((x * gains) ** 2 @ learnt.misfit[groups]) / x.shape[1] ** 2
    common = from_parities(_turned(x, parities(data.common), learnt, groups))
    return Estimate(from_parities(x * gains), variance + spread + misfit[:, None], common=common)


def _turned(
    x: FloatArray, moved: FloatArray, learnt: Slopes, groups: NDArray[np.int64]
) -> FloatArray:
    """Common errors ``(C, B, K)`` of values times slopes, those of the values being ``moved``."""
    return moved * learnt.values[groups] + x * learnt.common[:, None, groups]

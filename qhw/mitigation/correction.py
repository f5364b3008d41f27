"""``readout``: the technique of a pipeline that undoes misread bits, by one of several methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch, CompiledTemplate
from backends.outcomes import Outcomes
from calibration.readout import AGE_LIMIT
from qhw.mitigation.base import (
    BOTH,
    PSEUDO_COUNTS,
    Context,
    Estimate,
    Measured,
    MitigationError,
    Quantity,
    linear_variance,
)
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.ibu import unfolded_estimate
from qhw.mitigation.m3 import m3_estimate, require_mthree
from qhw.mitigation.readout import (
    Factors,
    Shift,
    calibration_shifts,
    common_errors,
    confusion_factors,
    inverse,
    inverse_reach,
    joint,
    shifted,
    undone,
)
from qhw.mitigation.subspace import subspace_estimate

FloatArray = NDArray[np.float64]
Method = Literal["tensored", "m3", "ibu"]

MAX_SHARE = 0.5
MATRIX_BITS = 12
"""Measured bits up to which a matrix of all outcomes is written down: 134 MB."""
_LEFT_OUT = "left out: {} bits are too many to propagate them"


@dataclass(frozen=True)
class ReadoutTechnique:
    """``readout``, ``readout(tensored)``, ``readout(ibu,share=0.05)``.

    Attributes:
        method: ``None`` inverts the confusion matrices of all wires, those of significantly
            correlated pairs together where a measured calibration knows of any; ``tensored``
            leaves pairs apart; ``m3`` does too, and inverts on the outcomes seen
            (:mod:`qhw.mitigation.m3`); ``ibu`` finds the likeliest valid distribution
            (:mod:`qhw.mitigation.ibu`), pairs together.
        share: of all shots spent on measuring a calibration first; 0 takes the calibration given,
            or else the snapshot's error rates.
    """

    method: Method | None = None
    share: float = 0.0

    name: ClassVar[str] = "readout"
    rank: ClassVar[int] = 1
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in get_args(Method):
            raise MitigationError(
                f"readout must have one of the methods {', '.join(get_args(Method))} or none, "
                f"but has {self.method!r}"
            )
        if not 0.0 <= self.share <= MAX_SHARE:
            raise MitigationError(
                f"readout must have a share from 0 to {MAX_SHARE:g}, but has {self.share}"
            )

    def __str__(self) -> str:
        parts: list[str] = [] if self.method is None else [self.method]
        parts += [f"share={self.share:g}"] if self.share else []
        return f"readout({','.join(parts)})" if parts else "readout"

    @property
    def any_width(self) -> bool:
        """Whether it takes counts of outcomes too many to be listed all."""
        return self.method in (None, "m3") and not self.share

    @property
    def circuits(self) -> int:
        """The circuit itself."""
        return 1

    @property
    def needs(self) -> tuple[str, ...]:
        """A calibration, its own or one that is given."""
        if self.share:
            return (f"readout calibration, {self.share:.0%} of all shots",)
        return ("readout calibration, or the snapshot's error rates",)

    def build(self, batch: CircuitBatch, context: Context) -> ReadoutStep:
        """The circuit itself.

        Raises:
            MitigationError: a calibration that does not cover the measured qubits, is of another
                device, or is too old; a package that is missing; more measured bits than the method
                takes.
        """
        check_calibration(batch.compiled, context)
        bits = batch.compiled.n_measured
        expectation = context.features is not None
        if bits > MATRIX_BITS and (self.method == "ibu" or (self.method == "m3" and expectation)):
            raise MitigationError(
                f"{self} works up to {MATRIX_BITS} measured bits here, but the circuit has {bits}; "
                "readout takes more"
            )
        if self.method == "m3" and bits <= MATRIX_BITS:
            require_mthree()
        return ReadoutStep((batch,), self.method)


@dataclass(frozen=True, eq=False)
class ReadoutStep:
    """One batch, to be corrected.

    Attributes:
        batches: the circuit.
        method: of correction.
    """

    batches: tuple[CircuitBatch, ...]
    method: Method | None

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Features of the corrected distribution, a quasi-distribution save with ``ibu``.

        A calibration's own errors go into the common part of the estimate.
        """
        batch, measured = self.batches[0], results[0]
        together = self.method in (None, "ibu")
        if batch.compiled.n_measured > MATRIX_BITS:
            return self._without_matrix(measured, context)
        factors = confusion_factors(batch.compiled, context.calibration, pairs=together)
        shifts = calibration_shifts(batch.compiled, context.calibration, factors)
        if self.method == "m3":
            singles = np.stack([factors[(w,)] for w in range(batch.compiled.n_measured)])
            return m3_estimate(measured, singles, context.features, shifts)
        if self.method == "ibu":
            rng = context.rng(f"{batch.label}/ibu")
            others = [joint(shifted(factors, shift)) for shift in shifts]
            return unfolded_estimate(measured, joint(factors), context.features, rng, others)
        undo, wanted = inverse(factors), context.features
        weights = undo if wanted is None else wanted @ undo
        values = measured.values @ weights.T
        variance = linear_variance(measured.values, measured.shots, weights)
        source = Measured(measured.values, measured.shots, weights)
        common = common_errors(measured.values @ undo.T, factors, shifts)
        common = common if wanted is None else common @ wanted.T
        return Estimate(values, variance, 0, measured.record, source, common)

    def _without_matrix(self, measured: Estimate, context: Context) -> Estimate:
        """The same where no matrix of all outcomes can be had.

        Up to 20 bits the inverse is applied wire by wire; beyond, and with ``m3``, the system is
        solved on the outcomes seen, pairs apart. Of distributions the errors of a measured
        calibration are left out, and the record says so.
        """
        compiled, outcomes = self.batches[0].compiled, context.outcomes
        m, n = compiled.n_measured, max(measured.shots, 1)
        seen_only = outcomes is not None or self.method == "m3"
        pairs = self.method is None and not seen_only
        factors = confusion_factors(compiled, context.calibration, pairs=pairs)
        if context.features is not None:
            shifts = calibration_shifts(compiled, context.calibration, factors)
            return _functionals(measured, factors, shifts, context.features)
        if seen_only:
            singles = np.stack([factors[(w,)] for w in range(m)])
            found = subspace_estimate(measured, singles, outcomes or Outcomes.all_of(m))
        else:
            values = undone(measured.values, factors)
            spread = undone(measured.values, factors, squared=True) - values**2
            unseen = PSEUDO_COUNTS * (inverse_reach(factors) / n) ** 2
            found = Estimate(values, np.maximum(spread, 0.0) / n + unseen, 0, measured.record)
        if context.calibration is None:
            return found
        return found.noted(calibration={"errors": _LEFT_OUT.format(m)})


def _functionals(
    measured: Estimate, factors: Factors, shifts: Sequence[Shift], features: FloatArray
) -> Estimate:
    """Features ``(K, 2**m)`` of corrected rows, the inverse applied to them wire by wire."""
    weights = undone(features, {wires: matrix.T for wires, matrix in factors.items()})
    corrected = undone(measured.values, factors)
    common = [common_errors(corrected, factors, [shift])[0] @ features.T for shift in shifts]
    return Estimate(
        measured.values @ weights.T,
        linear_variance(measured.values, measured.shots, weights),
        0,
        measured.record,
        Measured(measured.values, measured.shots, weights),
        np.array(common).reshape(len(shifts), len(corrected), len(features)),
    )


def check_calibration(
    compiled: CompiledTemplate, context: Context, limit: timedelta = AGE_LIMIT
) -> None:
    """Refuse a calibration that does not belong to a circuit, before anything runs.

    Raises:
        MitigationError: it misses measured qubits, is of another device, or older than ``limit``.
    """
    calibration = context.calibration
    if calibration is None:
        return
    if calibration.device != context.backend.name:
        raise MitigationError(
            f"Argument `calibration` must be of {context.backend.name}, but is of "
            f"{calibration.device}"
        )
    qubits = measured_device_qubits(compiled)
    missing = set(qubits) - {q.qubit for q in calibration.qubits}
    if missing:
        raise MitigationError(
            f"Argument `calibration` must cover the measured qubits {list(qubits)}, but misses "
            f"{sorted(missing)}; `qhw calibrate --qubits` measures them"
        )
    age = calibration.age(context.moment)
    if age > limit:
        hours = age.total_seconds() / 3600
        raise MitigationError(
            f"Argument `calibration` must be at most {limit.total_seconds() / 3600:g} h old, but "
            f"is {hours:.1f} h old; `qhw calibrate` measures it again"
        )

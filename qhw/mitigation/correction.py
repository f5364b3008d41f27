"""``readout``: the technique of a pipeline that undoes misread bits, by one of several methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, get_args

import numpy as np

from backends.base import CircuitBatch, CompiledTemplate
from calibration.readout import AGE_LIMIT
from qhw.mitigation.base import (
    BOTH,
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
    calibration_shifts,
    common_errors,
    confusion_factors,
    inverse,
    joint,
    shifted,
)

Method = Literal["tensored", "m3", "ibu"]

MAX_SHARE = 0.5


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
                device, or is too old; a package that is missing.
        """
        check_calibration(batch.compiled, context)
        if self.method == "m3":
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

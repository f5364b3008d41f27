"""``readout``: the technique of a pipeline that undoes misread bits, by one of several methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from backends.base import CircuitBatch, CompiledTemplate
from backends.readout import readout_matrices
from calibration.readout import AGE_LIMIT
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    linear_variance,
)
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.readout import MIN_CONTRAST

FloatArray = NDArray[np.float64]
Method = Literal["tensored", "correlated"]

MAX_SHARE = 0.5


@dataclass(frozen=True)
class ReadoutTechnique:
    """``readout``, ``readout(correlated)``, ``readout(tensored,share=0.05)``.

    Attributes:
        method: ``tensored`` inverts every wire's matrix; ``correlated`` those of significantly
            correlated pairs together, where a measured calibration knows of any.
        share: of all shots spent on measuring a calibration first; 0 takes the calibration given,
            or else the snapshot's error rates.
    """

    method: Method = "tensored"
    share: float = 0.0

    name: ClassVar[str] = "readout"
    rank: ClassVar[int] = 1
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise MitigationError(
                f"readout must have one of the methods {', '.join(get_args(Method))}, "
                f"but has {self.method!r}"
            )
        if not 0.0 <= self.share <= MAX_SHARE:
            raise MitigationError(
                f"readout must have a share from 0 to {MAX_SHARE:g}, but has {self.share}"
            )

    def __str__(self) -> str:
        parts: list[str] = [] if self.method == "tensored" else [self.method]
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
                device, or is too old.
        """
        check_calibration(batch.compiled, context)
        return ReadoutStep((batch,), self.method)


@dataclass(frozen=True, eq=False)
class ReadoutStep:
    """One batch, to be corrected.

    Attributes:
        batches: the circuit.
        method: of correction.
    """

    batches: tuple[CircuitBatch, ...]
    method: Method

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Features of the corrected quasi-distribution."""
        inverse = joint_inverse(self.batches[0].compiled, context, self.method)
        weights = inverse if context.features is None else context.features @ inverse
        measured = results[0]
        values = measured.values @ weights.T
        variance = linear_variance(measured.values, measured.shots, weights)
        return Estimate(values, variance, 0, measured.record)


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


def joint_inverse(compiled: CompiledTemplate, context: Context, method: Method) -> FloatArray:
    """Inverse of the whole confusion matrix ``(2**m, 2**m)``, first wire most significant.

    Raises:
        MitigationError: a wire whose error rates add to nearly 1 or more.
    """
    qubits = measured_device_qubits(compiled)
    if context.calibration is None:
        singles, pairs = readout_matrices(compiled).matrices, {}
    else:
        singles = context.calibration.matrices(qubits)
        chosen = context.calibration.correlated_pairs(qubits) if method == "correlated" else []
        wire = {q: i for i, q in enumerate(qubits)}
        pairs = {(wire[p.qubits[0]], wire[p.qubits[1]]): np.array(p.matrix) for p in chosen}
    contrast = singles[:, 0, 0] + singles[:, 1, 1] - 1.0
    worst = int(np.argmin(contrast))
    if contrast[worst] < MIN_CONTRAST:
        raise MitigationError(
            f"readout must have wires with p(1|0) + p(0|1) up to {1 - MIN_CONTRAST:g}, but on "
            f"wire {worst} they add to {1 - contrast[worst]:.4g}"
        )
    m = len(singles)
    paired = {w for pair in pairs for w in pair}
    factors: list[tuple[tuple[int, ...], FloatArray]] = [
        *(((w,), singles[w]) for w in range(m) if w not in paired),
        *pairs.items(),
    ]
    joint: FloatArray = np.eye(2**m).reshape((2,) * m + (2**m,))
    for wires, matrix in factors:
        k = len(wires)
        moved = np.moveaxis(joint, wires, range(k))
        applied = np.linalg.inv(matrix) @ moved.reshape(2**k, -1)
        joint = np.moveaxis(applied.reshape(moved.shape), range(k), wires)
    return np.ascontiguousarray(joint.reshape(2**m, 2**m))

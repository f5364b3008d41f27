"""Readout calibration: measured confusion matrices of single qubits and of pairs.

Basis states are prepared and read; which ones is :func:`calibration_states`, and what comes back is
fitted by :func:`fit_readout`. What is fitted includes the error of the X gates that prepare the 1s,
which is small beside readout on today's devices.

Source: Maciejewski, Zimboras and Oszmaniec, Quantum 4, 257 (2020), for confusion matrices;
Hedayat, Sloane and Stufken, "Orthogonal Arrays" (Springer, 1999), section 7.3, for the states: the
rows of a Hadamard matrix and their complements. Any three qubits then see all eight states equally
often, so that a pair's correlation is never mistaken for another's that shares a qubit with it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from calibration.documents import read_document
from calibration.parts import Frozen, Probability, Utc

FloatArray = NDArray[np.float64]

SCHEMA_VERSION = 1
AGE_LIMIT = timedelta(hours=24)
"""Devices are recalibrated about daily; a readout calibration older than that is stale."""


class QubitReadout(Frozen):
    """How one qubit is misread.

    Attributes:
        qubit: device qubit.
        p10: probability to read 1 where 0 was prepared.
        p10_error: its standard error.
        p01: probability to read 0 where 1 was prepared.
        p01_error: its standard error.
    """

    qubit: int
    p10: Probability
    p10_error: float
    p01: Probability
    p01_error: float

    def matrix(self) -> FloatArray:
        """``(2, 2)``, element ``[read, prepared]``."""
        return np.array([[1 - self.p10, self.p01], [self.p10, 1 - self.p01]])

    def errors(self) -> FloatArray:
        """``(2, 2)``, standard error of each element of :meth:`matrix`."""
        return np.array([[self.p10_error, self.p01_error]] * 2)


class PairReadout(Frozen):
    """How two qubits are misread together.

    Attributes:
        qubits: device qubits, first one most significant.
        matrix: four rows of four, element ``[read, prepared]``.
        errors: standard error of each element.
        correlation: largest deviation of an element from the product of the two single-qubit
            matrices.
        significance: of those deviations together, in sigmas: chi-square of 8 degrees of freedom
            by Fisher's approximation ``sqrt(2 chi2) - sqrt(2 * 8 - 1)``, at least 0.
    """

    qubits: tuple[int, int]
    matrix: tuple[tuple[float, ...], ...]
    errors: tuple[tuple[float, ...], ...]
    correlation: float
    significance: float


class ReadoutCalibration(Frozen):
    """Measured confusion matrices with error bars.

    Attributes:
        device: name of the backend that was calibrated.
        taken: when the counts were complete (UTC).
        shots: per prepared state.
        states: number of prepared states.
        qubits: single-qubit fits, first one most significant in the counts they come from.
        pairs: fits of every pair, in the order of ``qubits``.
        schema_version: version of this format.
    """

    device: str
    taken: Utc
    shots: int = Field(ge=1)
    states: int = Field(ge=2)
    qubits: tuple[QubitReadout, ...] = Field(min_length=1)
    pairs: tuple[PairReadout, ...]
    schema_version: int = SCHEMA_VERSION

    def age(self, now: datetime | None = None) -> timedelta:
        """Time since calibration; ``now`` timezone-aware, the present by default."""
        return (now or datetime.now(UTC)) - self.taken

    def matrices(self, qubits: Sequence[int]) -> FloatArray:
        """Single-qubit matrices ``(m, 2, 2)`` of device qubits, in their order.

        Raises:
            ValueError: a qubit was not calibrated.
        """
        known = {q.qubit: q.matrix() for q in self.qubits}
        missing = [q for q in qubits if q not in known]
        if missing:
            raise ValueError(
                f"Argument `qubits` must be among the calibrated {sorted(known)}, "
                f"but holds {missing}."
            )
        return np.stack([known[q] for q in qubits])

    def correlated_pairs(self, qubits: Sequence[int], least: float = 3.0) -> list[PairReadout]:
        """Disjoint pairs among ``qubits`` read together significantly, most significant first.

        Args:
            qubits: device qubits.
            least: significance from which a pair counts where there is but one, sigmas. Each of
                several has to be as much rarer by chance (Bonferroni's correction), so that many
                qubits are not taken for correlated more often than two.
        """
        free, chosen = set(qubits), []
        known = [pair for pair in self.pairs if free.issuperset(pair.qubits)]
        normal = NormalDist()
        needed = -normal.inv_cdf(normal.cdf(-least) / max(len(known), 1))
        for pair in sorted(known, key=lambda p: -p.significance):
            if pair.significance >= needed and free.issuperset(pair.qubits):
                free -= set(pair.qubits)
                chosen.append(pair)
        return chosen

    def to_json(self) -> str:
        """Indented JSON text."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "readout calibration") -> ReadoutCalibration:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Raises:
            ValueError: not such a document, or of a newer version; the line names ``where``.
        """
        return read_document(cls, text, SCHEMA_VERSION, where)


def calibration_states(m: int) -> NDArray[np.int64]:
    """Basis states to prepare, ``(S, m)`` bits, ``S`` twice the next power of two from ``m``.

    Raises:
        ValueError: no qubit.
    """
    if m < 1:
        raise ValueError(f"Argument `m` must be 1 or more, but is {m}.")
    rows = np.arange(1 << (m - 1).bit_length())
    parity = np.bitwise_count(rows[:, None] & np.arange(m)) & 1
    return np.asarray(np.concatenate([parity, 1 - parity]), dtype=np.int64)


def fit_readout(
    states: ArrayLike, counts: ArrayLike, qubits: Sequence[int], *, device: str, taken: datetime
) -> ReadoutCalibration:
    """Confusion matrices of every qubit and pair, by maximum likelihood: pooled frequencies.

    Standard errors are binomial, of the frequency with half a shot added to either side so that
    nothing observed does not mean nothing uncertain.

    Args:
        states: ``(S, m)`` prepared bits.
        counts: ``(S, 2**m)``, equal shots in every row; first qubit most significant.
        qubits: device qubit of each column of ``states``.
        device: name of the backend.
        taken: when the counts were complete, timezone-aware.

    Raises:
        ValueError: shapes that do not match, unequal shots, or a pair that did not see all four
            states.
    """
    bits, seen = np.asarray(states, dtype=np.int64), np.asarray(counts, dtype=np.int64)
    m = len(qubits)
    if bits.ndim != 2 or bits.shape[1] != m or seen.shape != (len(bits), 2**m):
        raise ValueError(
            f"Argument `counts` must be (S, {2**m}) and `states` (S, {m}), "
            f"but shapes are {seen.shape} and {bits.shape}."
        )
    shots = np.unique(seen.sum(axis=1))
    if len(shots) != 1 or shots[0] < 1:
        raise ValueError(f"Argument `counts` must have equal shots a row, but has {shots}.")
    table = seen.reshape(-1, *(2,) * m)
    singles = [_qubit(q, _pooled(table, bits, (i,))) for i, q in enumerate(qubits)]
    pairs = [
        _pair((qubits[i], qubits[j]), _pooled(table, bits, (i, j)), singles[i], singles[j])
        for i, j in itertools.combinations(range(m), 2)
    ]
    return ReadoutCalibration(
        device=device,
        taken=taken,
        shots=int(shots[0]),
        states=len(bits),
        qubits=tuple(singles),
        pairs=tuple(pairs),
    )


def _pooled(
    table: NDArray[np.int64], bits: NDArray[np.int64], where: tuple[int, ...]
) -> FloatArray:
    """Counts ``[read, prepared]`` of some qubits, ``(2**k, 2**k)``, first most significant."""
    k = len(where)
    others = tuple(a for a in range(1, table.ndim) if a - 1 not in where)
    read = table.sum(axis=others).reshape(len(bits), 2**k)
    prepared = bits[:, list(where)] @ (1 << np.arange(k)[::-1])
    pooled = np.stack([read[prepared == s].sum(axis=0) for s in range(2**k)], axis=1)
    if not pooled.sum(axis=0).all():
        raise ValueError(
            f"Argument `states` must prepare all {2**k} states of columns {where}, but does not."
        )
    return pooled.astype(np.float64)


def _errors(counts: FloatArray) -> FloatArray:
    """Standard errors of column frequencies."""
    total = counts.sum(axis=0)
    p = (counts + 0.5) / (total + 1)
    return np.asarray(np.sqrt(p * (1 - p) / (total + 1)), dtype=np.float64)


def _qubit(qubit: int, counts: FloatArray) -> QubitReadout:
    p, e = counts / counts.sum(axis=0), _errors(counts)
    return QubitReadout(
        qubit=qubit,
        p10=float(p[1, 0]),
        p10_error=float(e[1, 0]),
        p01=float(p[0, 1]),
        p01_error=float(e[0, 1]),
    )


def _pair(
    qubits: tuple[int, int], counts: FloatArray, first: QubitReadout, second: QubitReadout
) -> PairReadout:
    matrix = counts / counts.sum(axis=0)
    apart = np.kron(first.matrix(), second.matrix())
    expected = np.maximum(apart * counts.sum(axis=0), 0.5)
    chi2 = float(((counts - apart * counts.sum(axis=0)) ** 2 / expected).sum())
    # 12 free frequencies less 4 fitted rates
    significance = max(0.0, math.sqrt(2 * chi2) - math.sqrt(15))
    return PairReadout(
        qubits=qubits,
        matrix=tuple(map(tuple, matrix.tolist())),
        errors=tuple(map(tuple, _errors(counts).tolist())),
        correlation=float(np.abs(matrix - apart).max()),
        significance=significance,
    )

"""Matrix-free readout mitigation by the package ``mthree``, on the outcomes that were seen.

The confusion matrix is restricted to the outcomes observed in a row and its columns are made to
sum to 1 again. Outcomes never seen stay 0.

Source: Nation, Kang, Sundaresan and Gambetta, PRX Quantum 2, 040326 (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhw.mitigation.base import Estimate, MitigationError, linear_variance
from qhw.mitigation.readout import Factors, Shift, applied, joint, solved

FloatArray = NDArray[np.float64]


def require_mthree() -> Any:
    """The package.

    Raises:
        MitigationError: it is not installed.
    """
    try:
        import mthree
    except ImportError as error:
        raise MitigationError(
            'readout(m3) must have the package mthree, but it is missing: pip install "qhw[m3]"'
        ) from error
    return mthree


def m3_estimate(
    measured: Estimate,
    singles: FloatArray,
    features: FloatArray | None = None,
    shifts: Sequence[Shift] = (),
) -> Estimate:
    """Features of mthree's quasi-distributions, error bars propagated through its linear system.

    Args:
        measured: plain frequencies ``(B, 2**m)`` with their shots, first wire most significant.
        singles: ``(m, 2, 2)`` confusion matrices, element ``[wire, read, prepared]``.
        features: ``(K, 2**m)``, ``None`` for the distribution itself.
        shifts: independent errors of ``singles``.

    Raises:
        MitigationError: mthree is not installed.
    """
    m = len(singles)
    undo = _Derivative(singles, shifts)
    mitigator = require_mthree().M3Mitigation(None)
    # mthree's qubit 0 is the last character of a bitstring: our last wire
    mitigator.cals_from_matrices(list(singles[::-1]))
    wires = list(range(m))
    weights = np.eye(2**m) if features is None else features
    values = np.zeros((len(measured.values), len(weights)))
    variance = np.zeros_like(values)
    common = np.zeros((len(shifts), *values.shape))
    for row, frequencies in enumerate(measured.values):
        counts = np.rint(frequencies * measured.shots).astype(int)
        named = {format(i, f"0{m}b"): int(counts[i]) for i in np.flatnonzero(counts)}
        quasi = mitigator.apply_correction(named, wires, distance=m, method="direct")
        reduced, order = mitigator.reduced_cal_matrix(named, wires, distance=m)
        seen = np.array([int(word, 2) for word in order])
        corrected = np.zeros(2**m)
        corrected[[int(word, 2) for word in quasi]] = list(quasi.values())
        propagation = np.eye(2**m)
        inverse = np.asarray(np.linalg.inv(np.asarray(reduced, np.float64)), np.float64)
        propagation[np.ix_(seen, seen)] = inverse
        values[row] = weights @ corrected
        variance[row] = linear_variance(frequencies[None], measured.shots, weights @ propagation)[0]
        common[:, row] = undo.of(corrected, seen, inverse) @ weights.T
    return Estimate(values, variance, 0, measured.record, common=common)


class _Derivative:
    """How corrected rows depend on the confusion matrices of single wires.

    Restricted to outcomes seen, ``x = c y`` with ``A y = f``, where ``c`` are the sums that columns
    of ``A`` were divided by: ``dx = dc y - c A^-1 dA y``.
    """

    def __init__(self, singles: FloatArray, shifts: Sequence[Shift]) -> None:
        factors: Factors = {(w,): matrix for w, matrix in enumerate(singles)}
        self._whole = joint(factors)
        # dA is A times this on the wires of the error
        self._local = [(w, solved(factors[w], change)) for w, change in shifts]

    def of(self, corrected: FloatArray, seen: NDArray[np.int64], inverse: FloatArray) -> FloatArray:
        """``(C, 2**m)`` of a row ``(2**m,)``; ``inverse`` of the system of the outcomes seen."""
        out = np.zeros((len(self._local), len(corrected)))
        sums = self._whole[seen].sum(axis=0)
        y = corrected / sums
        for column, (wires, local) in zip(out, self._local, strict=True):
            of_sums = applied(sums[:, None], wires, local.T)[:, 0]
            of_matrix = self._whole[seen] @ applied(y[:, None], wires, local)[:, 0]
            column[seen] = (of_sums * y)[seen] - inverse @ of_matrix
        return out

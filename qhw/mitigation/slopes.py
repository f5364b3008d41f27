"""Slopes through the origin, learnt from values that are themselves noisy.

Noise in the regressor pulls a slope towards zero; its known variance is taken out again.

Sources: Fuller, Measurement Error Models (Wiley, 1987), section 1.2; error bars: White,
Econometrica 48, 817 (1980), one circuit being one observation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhw.mitigation.base import FloatArray


@dataclass(frozen=True, eq=False)
class Slopes:
    """What to multiply values by, a number a group.

    Attributes:
        values: ``(G + 1,)``; the first belongs to group 0, which stays as it is.
        covariance: ``(G + 1, G + 1)``.
        misfit: ``(G + 1,)`` mean square of what is left over beyond noise, relative to that of the
            values: how far values of a group are from sharing a slope.
        common: ``(C, G + 1)``, what each error of the readout calibration changes in ``values``.
    """

    values: FloatArray
    covariance: FloatArray
    misfit: FloatArray
    common: FloatArray


def learn_slopes(
    noisy: FloatArray,
    variance: FloatArray,
    exact: FloatArray,
    groups: NDArray[np.int64],
    common: FloatArray | None = None,
) -> Slopes:
    """Slope of the exact on the noisy values in each group, free of the noise's attenuation.

    A group that holds little but noise takes the slope of all groups together, in proportion.

    Args:
        noisy: ``(n, K)``, one row a training circuit.
        variance: ``(n, K)`` of ``noisy``.
        exact: ``(n, K)``.
        groups: ``(K,)`` from 0 to G; values of group 0 are not used.
        common: ``(C, n, K)`` changes of ``noisy`` with the errors of the readout calibration;
            ``None`` for no such errors.
    """
    n, most = len(noisy), int(groups.max())
    member = (groups[:, None] == np.arange(1, most + 1)).astype(np.float64)
    product, square, noise = ((v @ member) for v in (noisy * exact, noisy**2, variance))
    signal = float(square.sum() - noise.sum())
    pooled = float(product.sum()) / signal if signal > 0 else 1.0
    total = square.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    wanted = (product + noise * pooled).sum(axis=0)
    slopes = np.where(total > 0, wanted / safe, pooled)
    score = (product + noise * pooled - square * slopes) / safe
    # the same, differentiated
    turned = np.zeros((0, *noisy.shape)) if common is None else common
    products, squares = ((turned * v @ member).sum(axis=1) for v in (exact, 2 * noisy))
    pools = (products - pooled * squares).sum(axis=1, keepdims=True)
    pools *= 1.0 / signal if signal > 0 else 0.0
    turns = (products + noise.sum(axis=0) * pools - squares * slopes) / safe
    turns = np.pad(np.where(total > 0, turns, pools), ((0, 0), (1, 0)))
    values = np.concatenate([[1.0], slopes])
    covariance = np.zeros((most + 1, most + 1))
    covariance[1:, 1:] = score.T @ score * (n / (n - 1))
    left = ((exact - noisy * values[groups]) ** 2 - variance * values[groups] ** 2) @ member
    known = (exact**2 @ member).sum(axis=0)
    misfit = np.maximum(left.sum(axis=0), 0.0) / np.where(known > 0, known, 1.0)
    return Slopes(values, covariance, np.concatenate([[0.0], misfit]), turns)

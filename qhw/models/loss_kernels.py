"""Losses of a batch of amplitudes with their gradients, one sample a column.

Numbers are made of the arrays' type: a literal would turn single precision into double inside a
loop. Arrays may be wider than the batch, whose size is that of ``types``.
"""

from __future__ import annotations

import math

import numpy as np

from qhw.models.jit import kernel

FLOOR = 1e-12
"""Keeps roots and logarithms differentiable at zero; far below any amplitude that matters."""
VALUES = 8
"""Amplitudes that an atom fills: place, one-hot type, auxiliary value."""
TYPES_AT = 3
"""Place of the first type amplitude among an atom's."""


@kernel
def infidelity(alpha, wanted, types, each, grad, terms):  # type: ignore[no-untyped-def]
    """Add ``each (1 - <wanted, alpha>^2)`` of every sample to ``terms[0]``, write the gradient.

    Arguments as of :func:`paper_loss`.
    """
    number = alpha.dtype.type
    overlap = np.zeros(len(types), alpha.dtype)
    for r in range(len(wanted)):
        a, w = alpha[r], wanted[r]
        for j in range(len(overlap)):
            overlap[j] += a[j] * w[j]
    for j in range(len(overlap)):
        terms[0] += each * (number(1) - overlap[j] * overlap[j])
        overlap[j] *= number(-2 * each)
    grad[len(wanted) :] = number(0)
    for r in range(len(wanted)):
        w, g = wanted[r], grad[r]
        for j in range(len(overlap)):
            g[j] = w[j] * overlap[j]


@kernel
def paper_loss(alpha, wanted, types, each, layout, weights, focal, grad, terms):  # type: ignore[no-untyped-def]
    """Add a piece's four unweighted terms to ``terms``, and write their weighted sum's gradient.

    Args:
        alpha: root of the output distribution, ``(128, w)``.
        wanted: what its first rows should be, ``(k, w)``; the later ones should be zero.
        types: atom types ``(b, 9)``, -1 where there is no atom.
        each: one over the molecules that the means are over.
        layout: ``(3, 128)`` integers: amplitudes from one atom to the next (first place of the
            first row); for every amplitude the most atoms for which it is padding, and for which
            it is padding or an auxiliary value.
        weights: of the types', the norms' and the rest's term, then of the four types.
        focal: whether the types' loss is focal.
        grad: ``(128, w)``, overwritten.
        terms: ``(4,)`` float64: coordinates, types, norms, rest.
    """
    number = alpha.dtype.type
    b = len(types)
    counts, share = np.zeros(b, alpha.dtype), np.empty(b, alpha.dtype)
    for j in range(b):
        for i in range(types.shape[1]):
            if types[j, i] >= 0:
                counts[j] += number(1)
        share[j] = number(each) / counts[j]
    terms[3] += each * _rest(alpha, wanted, counts, layout, number(weights[2] * each), grad)
    now, kinds = np.empty_like(share), np.empty(b, np.int32)
    sums = np.zeros((3, b), alpha.dtype)
    for i in range(types.shape[1]):
        for j in range(b):
            now[j] = share[j] if types[j, i] >= 0 else number(0)
            kinds[j] = max(types[j, i], 0)
        low = i * layout[0, 0]
        high = low + TYPES_AT
        _place(alpha[low:high], wanted[low:high], now, grad[low:high], sums[0])
        atom, slopes = alpha[high : high + 4], grad[high : high + 4]
        _kind(atom, kinds, now, counts, weights, focal, slopes, sums[1], sums[2])
    for k in range(3):
        for j in range(b):
            terms[k] += sums[k, j]


@kernel
def _rest(alpha, wanted, counts, layout, factor, grad):  # type: ignore[no-untyped-def]
    """Weighted sum of absolute differences on auxiliary values and padding; its slopes."""
    number = alpha.dtype.type
    zero = number(0)
    auxiliary, padding, sums = np.empty_like(counts), np.empty_like(counts), np.zeros_like(counts)
    for j in range(len(counts)):
        auxiliary[j] = number(1) / counts[j]
        padding[j] = number(1) / (number(len(alpha)) - number(VALUES) * counts[j])
    nothing = np.zeros_like(counts)
    for r in range(len(alpha)):
        a, g = alpha[r], grad[r]
        w = wanted[r] if r < len(wanted) else nothing
        outside, beside = number(layout[1, r]), number(layout[2, r])
        for j in range(len(counts)):
            inner = auxiliary[j] if counts[j] <= beside else zero
            weight = padding[j] if counts[j] <= outside else inner
            signed = weight if a[j] > w[j] else -weight
            sums[j] += signed * (a[j] - w[j])
            g[j] = signed * factor
    return sums.sum()


@kernel
def _place(alpha, wanted, weight, grad, sums):  # type: ignore[no-untyped-def]
    """An atom's distance from its place."""
    floor = alpha.dtype.type(FLOOR)
    for j in range(len(weight)):
        x, y, z = alpha[0, j] - wanted[0, j], alpha[1, j] - wanted[1, j], alpha[2, j] - wanted[2, j]
        distance = math.sqrt(x * x + y * y + z * z + floor)
        sums[j] += weight[j] * distance
        slope = weight[j] / distance
        grad[0, j] += slope * x
        grad[1, j] += slope * y
        grad[2, j] += slope * z


@kernel
def _kind(alpha, kinds, weight, counts, weights, focal, grad, types, norms):  # type: ignore[no-untyped-def]
    """An atom's type, and the norm of its four type amplitudes.

    With masses ``m`` = alpha^2, their sum ``M`` and ``s = m_type / M``: a mass counts in the norm
    and in the denominator of ``s``, the right type's also in its numerator.
    """
    number = alpha.dtype.type
    floor, zero, unit, two, quarter = number(FLOOR), number(0), number(1), number(2), number(0.25)
    by_type, by_norm = number(weights[0]), number(4 * weights[1])
    total, right, logs = np.empty_like(weight), np.empty_like(weight), np.empty_like(weight)
    for j in range(len(weight)):
        m0, m1 = alpha[0, j] * alpha[0, j], alpha[1, j] * alpha[1, j]
        m2, m3 = alpha[2, j] * alpha[2, j], alpha[3, j] * alpha[3, j]
        first = m0 if kinds[j] == 0 else m1
        last = m2 if kinds[j] == 2 else m3
        total[j] = m0 + m1 + m2 + m3
        right[j] = (first if kinds[j] < 2 else last) / total[j]
    for j in range(len(weight)):  # on its own: the logarithm has no vector form here
        logs[j] = math.log(max(right[j], floor))
    for j in range(len(weight)):
        s = right[j]
        factor = weight[j] * number(weights[3 + kinds[j]])
        slope = -unit / max(s, floor) if s >= floor else zero
        if focal:
            missing = unit - s
            types[j] -= factor * missing * missing * logs[j]
            slope = missing * (two * logs[j] + missing * slope)
        else:
            types[j] -= factor * logs[j]
        excess = total[j] - quarter / counts[j]
        norms[j] += weight[j] * excess * excess
        slope = two * by_type * factor * slope / total[j]
        common = by_norm * weight[j] * excess - slope * s
        grad[0, j] += alpha[0, j] * (common + (slope if kinds[j] == 0 else zero))
        grad[1, j] += alpha[1, j] * (common + (slope if kinds[j] == 1 else zero))
        grad[2, j] += alpha[2, j] * (common + (slope if kinds[j] == 2 else zero))
        grad[3, j] += alpha[3, j] * (common + (slope if kinds[j] == 3 else zero))

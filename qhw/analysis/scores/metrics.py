"""Distances between distributions and directions. Plain arrays, one latent a row.

All functions take ``(..., D)`` arrays that broadcast and return the leading shape. Order of the
bins (amplitude index) does not matter as long as both arguments share it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.distributions import as_distributions, check_shots

FloatArray = NDArray[np.float64]

ROUNDING = 1e-7
"""A distance below this may be none: the square root of what rounding leaves of 1 - fidelity."""


def total_variation(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Total variation distance ``sum |p - q| / 2``, in [0, 1].

    Raises:
        ValueError: not distributions, or unequal numbers of bins.
    """
    a, b = _pair(p, q)
    return np.asarray(0.5 * np.abs(a - b).sum(axis=-1), dtype=np.float64)


def hellinger_fidelity(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Hellinger fidelity ``(sum sqrt(p q))^2``, in [0, 1].

    This is also ``|<a, b>|^2`` of the square-root vectors ``a = sqrt(p)``, ``b = sqrt(q)``: with
    measured distributions, which carry no signs, the two quantities of the literature are one
    number, so the house has one function and one column for it.

    Raises:
        ValueError: not distributions, or unequal numbers of bins.
    """
    return _overlap(*_pair(p, q)) ** 2


def hellinger_distance(p: ArrayLike, q: ArrayLike) -> FloatArray:
    """Hellinger distance ``sqrt(1 - sum sqrt(p q))``, in [0, 1]; a metric, unlike the fidelity.

    Raises:
        ValueError: not distributions, or unequal numbers of bins.
    """
    a, b = _pair(p, q)
    # Same value as sqrt(1 - overlap), without its cancellation near zero.
    return np.asarray(
        np.sqrt(0.5 * ((np.sqrt(a) - np.sqrt(b)) ** 2).sum(axis=-1)), dtype=np.float64
    )


def kl_divergence(p: ArrayLike, q: ArrayLike, *, shots: int | None = None) -> FloatArray:
    """Kullback-Leibler divergence ``sum p log(p/q)`` in nats, exact ``p``, measured ``q``.

    Bins with ``p = 0`` add nothing. A bin with ``q = 0 < p`` makes the plain divergence infinite,
    which says more about the shot count than about the device; pass ``shots`` to replace ``q`` by
    the Krichevsky-Trofimov estimate ``(N q + 1/2) / (N + D/2)``, always finite.

    Args:
        p: exact distributions.
        q: measured distributions.
        shots: N behind ``q``; ``None`` for no smoothing.

    Raises:
        ValueError: not distributions, unequal numbers of bins, or ``shots`` < 1.
    """
    a, b = _pair(p, q)
    if shots is not None:
        n = check_shots(shots)
        b = (n * b + 0.5) / (n + 0.5 * b.shape[-1])
    a, b = np.broadcast_arrays(a, b)
    seen = (a > 0.0) & (b > 0.0)
    # Quotients of denormals overflow; differences of logarithms do not.
    log_a = np.log(a, out=np.zeros_like(a), where=seen)
    log_b = np.log(b, out=np.zeros_like(b), where=seen)
    out = (a * (log_a - log_b)).sum(axis=-1)
    impossible = ((a > 0.0) & (b == 0.0)).any(axis=-1)
    # Rounding may leave a divergence of equal distributions slightly below zero.
    return np.asarray(np.where(impossible, np.inf, np.maximum(out, 0.0)), dtype=np.float64)


def mean_direction_angle(mu: ArrayLike, mu_hat: ArrayLike) -> FloatArray:
    """Angle between directions, degrees, in [0, 180]; lengths do not matter.

    Computed from half-angle chords, so small angles keep their precision.

    Raises:
        ValueError: unequal dimensions, a value that is not finite, or a zero vector.
    """
    a, b = _direction("mu", mu), _direction("mu_hat", mu_hat)
    _same_bins("mu_hat", b, "mu", a)
    chord = np.linalg.norm(a - b, axis=-1)
    opposite = np.linalg.norm(a + b, axis=-1)
    return np.asarray(np.degrees(2.0 * np.arctan2(chord, opposite)), dtype=np.float64)


def skill_score(error: ArrayLike, baseline_errors: ArrayLike) -> FloatArray:
    """``1 - mean(error) / min over baselines of mean(baseline error)``.

    1 is perfect, 0 no better than the best baseline, negative worse. A ratio of means, not a mean
    of ratios: latents on which a baseline happens to be nearly right do not dominate. The errors
    must be ones where less is better (use 1 - fidelity).

    Args:
        error: ``(..., K)``, non-negative, over K latents.
        baseline_errors: ``(M, ..., K)``, the same error of M baselines.

    Returns:
        The leading shape of ``error``.

    Raises:
        ValueError: shapes that do not match, negative or non-finite errors, or a best baseline
            without any error but rounding, which leaves nothing to be better than.
    """
    e = as_errors("error", error)
    b = as_errors("baseline_errors", baseline_errors)
    if b.ndim != e.ndim + 1 or b.shape[1:] != e.shape or len(b) == 0:
        raise ValueError(
            f"Argument `baseline_errors` must be (M, {', '.join(map(str, e.shape))}) with M >= 1, "
            f"but has shape {b.shape}"
        )
    best = b.mean(axis=-1).min(axis=0)
    if (best <= ROUNDING).any():
        raise ValueError(
            "Argument `baseline_errors` must leave the best baseline a positive mean error, "
            "but it is zero or no more than rounding"
        )
    return np.asarray(1.0 - e.mean(axis=-1) / best, dtype=np.float64)


def as_errors(name: str, values: ArrayLike) -> FloatArray:
    """Return ``(..., K)`` errors as float64.

    Raises:
        ValueError: no latent, or errors that are negative or not finite.
    """
    out = np.asarray(values, dtype=np.float64)
    if out.ndim == 0 or out.shape[-1] == 0:
        raise ValueError(f"Argument `{name}` must be (..., K) with K >= 1, but is {out.shape}")
    if not (np.isfinite(out) & (out >= 0.0)).all():
        raise ValueError(f"Argument `{name}` must be finite and non-negative, but is not")
    return out


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = as_distributions("p", p), as_distributions("q", q)
    _same_bins("q", b, "p", a)
    return a, b


def _same_bins(name: str, b: FloatArray, other: str, a: FloatArray) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"Argument `{name}` must have as many entries as `{other}` ({a.shape[-1]}), "
            f"but has {b.shape[-1]}"
        )


def _overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.minimum((np.sqrt(a) * np.sqrt(b)).sum(axis=-1), 1.0), dtype=np.float64)


def _direction(name: str, values: ArrayLike) -> FloatArray:
    v = np.asarray(values, dtype=np.float64)
    if v.ndim == 0 or not np.isfinite(v).all():
        raise ValueError(f"Argument `{name}` must be finite vectors (..., d), but is not")
    norm = np.linalg.norm(v, axis=-1, keepdims=True)
    if (norm == 0.0).any():
        raise ValueError(f"Argument `{name}` must have a direction, but contains a zero vector")
    return np.asarray(v / norm, dtype=np.float64)

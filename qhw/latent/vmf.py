"""The von Mises-Fisher distribution on the unit sphere of R^d, in log space.

Density with respect to the surface measure: ``C_d(kappa) exp(kappa <mu, x>)`` with
``C_d(kappa) = kappa^nu / ((2 pi)^(d/2) I_nu(kappa))``, ``nu = d/2 - 1``. Supported: ``d`` in
2..1024 and ``kappa`` in 0..1e5 (0 is the uniform distribution).

Source: Mardia and Jupp, Directional Statistics (2000), section 9.3.2.
"""

from __future__ import annotations

from typing import TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from qhw.latent.bessel import bessel_ratio, log_reduced_bessel
from qhw.latent.checks import KAPPA_MAX, as_kappa, as_unit_vectors, check_dim

FloatArray = NDArray[np.float64]
Real = TypeVar("Real", float, FloatArray)
"""A number in gives a number out; an array gives an array of its shape."""

_NEWTON_STEPS = 100


def log_sphere_area(dim: int) -> float:
    """log of the area of the unit sphere of R^dim, ``2 pi^(d/2) / Gamma(d/2)``."""
    half = 0.5 * check_dim(dim)
    return float(np.log(2.0) + half * np.log(np.pi) - gammaln(half))


def log_normalizer(dim: int, kappa: Real) -> Real:
    """``log C_d(kappa)``.

    Args:
        dim: d, 2..1024.
        kappa: concentration, 0..1e5, number or array.

    Returns:
        Same shape as ``kappa``.

    Raises:
        ValueError: ``dim`` or ``kappa`` out of range.
    """
    area = log_sphere_area(dim)
    return _like(kappa, -area - log_reduced_bessel(0.5 * dim - 1.0, as_kappa(kappa)))


def log_density(x: ArrayLike, mu: ArrayLike, kappa: float | FloatArray) -> FloatArray:
    """log density at ``x`` with respect to the surface measure.

    Args:
        x: unit vectors ``(..., d)``.
        mu: mean directions, broadcastable to ``x``.
        kappa: concentration, broadcastable to the leading axes of ``x``.

    Returns:
        The leading shape of the broadcast.

    Raises:
        ValueError: vectors not finite, not unit, of unequal dimension; ``kappa`` out of range.
    """
    points = as_unit_vectors("x", x)
    means = as_unit_vectors("mu", mu)
    if points.shape[-1] != means.shape[-1]:
        raise ValueError(
            f"Argument `mu` must have the dimension of `x` ({points.shape[-1]}), "
            f"but has {means.shape[-1]}"
        )
    concentration = as_kappa(kappa)
    cosine = (points * means).sum(axis=-1)
    normalizer = log_normalizer(points.shape[-1], concentration)
    return np.asarray(concentration * cosine + normalizer, dtype=np.float64)


def mean_resultant_length(dim: int, kappa: Real) -> Real:
    """``A_d(kappa) = I_{d/2}(kappa) / I_{d/2-1}(kappa) = E<mu, x>``, in [0, 1).

    Args:
        dim: d, 2..1024.
        kappa: concentration, 0..1e5, number or array.

    Raises:
        ValueError: ``dim`` or ``kappa`` out of range.
    """
    nu = 0.5 * check_dim(dim) - 1.0
    return _like(kappa, bessel_ratio(nu, as_kappa(kappa)))


def entropy(dim: int, kappa: Real) -> Real:
    """Differential entropy (nats, surface measure), ``-log C_d(kappa) - kappa A_d(kappa)``.

    Args:
        dim: d, 2..1024.
        kappa: concentration, 0..1e5, number or array.

    Raises:
        ValueError: ``dim`` or ``kappa`` out of range.
    """
    concentration = as_kappa(kappa)
    out = -log_normalizer(dim, concentration) - concentration * mean_resultant_length(
        dim, concentration
    )
    return _like(kappa, out)


def kl_to_uniform(dim: int, kappa: Real) -> Real:
    """KL divergence (nats) to the uniform sphere, ``kappa A_d + log C_d(kappa) - log C_d(0)``.

    The difference of logarithms is one series, so the result keeps its relative precision as
    ``kappa -> 0``, where it is ``kappa^2 / (2 d)``.

    Args:
        dim: d, 2..1024.
        kappa: concentration, 0..1e5, number or array.

    Raises:
        ValueError: ``dim`` or ``kappa`` out of range.
    """
    nu = 0.5 * check_dim(dim) - 1.0
    concentration = as_kappa(kappa)
    out = concentration * bessel_ratio(nu, concentration) - log_reduced_bessel(nu, concentration)
    return _like(kappa, out)


def kappa_from_resultant_length(dim: int, length: Real) -> Real:
    """Solve ``A_d(kappa) = length``: the maximum-likelihood kappa of a mean resultant length.

    Newton steps kept inside the bracket ``R (d-2)/(1-R^2) <= kappa <= R d/(1-R^2)`` (Amos 1974).

    Args:
        dim: d, 2..1024.
        length: mean resultant length R in [0, 1], number or array.

    Returns:
        kappa, shape of ``length``. A length above ``A_d(1e5)`` gives 1e5, the supported maximum.

    Raises:
        ValueError: ``dim`` out of range, or a length outside [0, 1] or NaN.
    """
    check_dim(dim)
    r = np.asarray(length, dtype=np.float64)
    if not ((r >= 0.0) & (r <= 1.0)).all():
        raise ValueError("Argument `length` must be in [0, 1], but a value is outside or NaN")
    limit = float(mean_resultant_length(dim, KAPPA_MAX))
    inside = np.minimum(r, limit)
    slack = 1.0 - inside * inside
    low = np.minimum(inside * (dim - 2) / slack, KAPPA_MAX)
    high = np.minimum(inside * dim / slack, KAPPA_MAX)
    kappa = 0.5 * (low + high)
    for _ in range(_NEWTON_STEPS):
        a = mean_resultant_length(dim, kappa)
        low = np.where(a <= inside, kappa, low)
        high = np.where(a >= inside, kappa, high)
        ratio = np.divide(a, kappa, out=np.full_like(kappa, 1.0 / dim), where=kappa > 0.0)
        slope = 1.0 - a * a - (dim - 1) * ratio
        step = kappa - np.divide(a - inside, slope, out=np.zeros_like(a), where=slope > 0.0)
        new = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
        done = np.abs(new - kappa) <= 1e-14 * kappa
        kappa = new
        if done.all():
            break
    return _like(length, np.where(r >= limit, KAPPA_MAX, kappa))


def fit(x: ArrayLike) -> tuple[FloatArray, float]:
    """Maximum-likelihood fit.

    Args:
        x: unit vectors ``(n, d)``, n >= 1.

    Returns:
        ``(mu, kappa)``: unit vector ``(d,)`` and concentration, at most 1e5.

    Raises:
        ValueError: ``x`` not a non-empty matrix of unit vectors, or its mean is exactly zero.
    """
    points = as_unit_vectors("x", x)
    if points.ndim != 2 or len(points) == 0:
        raise ValueError(f"Argument `x` must be (n, d) with n >= 1, but has shape {points.shape}")
    mean = points.mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length == 0.0:
        raise ValueError("Argument `x` must have a mean direction, but its mean is exactly zero")
    return mean / length, kappa_from_resultant_length(points.shape[-1], min(length, 1.0))


def sample(mu: ArrayLike, kappa: float | FloatArray, rng: np.random.Generator) -> FloatArray:
    """One draw for each mean direction.

    Wood's rejection for the cosine (Communications in Statistics 23, 157 (1994)), a uniform
    direction in the tangent space, and a Householder reflection to ``mu``.

    Args:
        mu: unit vectors ``(..., d)``; broadcast one to draw many from it.
        kappa: concentration, broadcastable to ``mu.shape[:-1]``.
        rng: source of randomness.

    Returns:
        Unit vectors, shape of ``mu``.

    Raises:
        ValueError: ``mu`` not finite or not unit; ``kappa`` out of range.
    """
    means = as_unit_vectors("mu", mu)
    lead, dim = means.shape[:-1], means.shape[-1]
    concentration = np.broadcast_to(as_kappa(kappa), lead).ravel()
    gap = _sample_gap(dim, concentration, rng).reshape((*lead, 1))
    tangent = rng.standard_normal((*lead, dim - 1))
    tangent *= np.sqrt(gap * (2.0 - gap)) / np.linalg.norm(tangent, axis=-1, keepdims=True)
    # Reflecting along e_0 + sign*mu never cancels; it sends e_0 to -sign*mu.
    sign = np.where(means[..., :1] >= 0.0, 1.0, -1.0)
    local = np.concatenate([-sign * (1.0 - gap), tangent], axis=-1)
    axis = means.copy()
    axis[..., :1] += sign
    # |axis|^2 = 2 (1 + |mu_0|)
    scale = (axis * local).sum(axis=-1, keepdims=True) / (1.0 + np.abs(means[..., :1]))
    return np.asarray(local - scale * axis, dtype=np.float64)


def _sample_gap(dim: int, kappa: FloatArray, rng: np.random.Generator) -> FloatArray:
    """``1 - w`` for cosines ``w``, shape of ``kappa`` ``(n,)``.

    Everything is written in ``1 - w`` because ``w`` itself rounds to 1 at high concentration.
    """
    m = dim - 1.0
    b = m / (2.0 * kappa + np.sqrt(4.0 * kappa * kappa + m * m))
    gap = np.empty_like(kappa)
    pending = np.arange(kappa.size)
    while pending.size:
        k, c = kappa[pending], b[pending]
        z = rng.beta(0.5 * m, 0.5 * m, size=pending.size)
        scale = (1.0 - z) + c * z
        proposal = 2.0 * c * z / scale
        log_accept = k * (2.0 * c / (1.0 + c) - proposal) + m * np.log(0.5 * (1.0 + c) / scale)
        accepted = log_accept >= -rng.standard_exponential(pending.size)
        gap[pending[accepted]] = proposal[accepted]
        pending = pending[~accepted]
    return gap


@overload
def _like(given: float, value: FloatArray) -> float: ...
@overload
def _like(given: FloatArray, value: FloatArray) -> FloatArray: ...
def _like(given: float | FloatArray, value: FloatArray) -> float | FloatArray:
    return value if isinstance(given, np.ndarray) else float(value)

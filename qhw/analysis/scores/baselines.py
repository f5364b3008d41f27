"""What needs no QPU, and what no QPU can beat at a shot count.

A result from a device is read between these: the uniform and prior-mean baselines below it, the
shot floor above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from qhw.analysis.scores.metrics import (
    hellinger_distance,
    hellinger_fidelity,
    kl_divergence,
    total_variation,
)
from qhw.distributions import as_distributions, check_shots

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ShotFloor:
    """Expected metrics of noiseless frequencies at a shot count, one latent a row ``(K,)``.

    Attributes:
        total_variation: closed form.
        hellinger_fidelity: mean over repeats.
        hellinger_distance: mean over repeats.
        kl_divergence: nats, mean over repeats, smoothed as
            :func:`qhw.analysis.scores.metrics.kl_divergence` does with ``shots``.
    """

    total_variation: FloatArray
    hellinger_fidelity: FloatArray
    hellinger_distance: FloatArray
    kl_divergence: FloatArray


def uniform(p: ArrayLike) -> FloatArray:
    """The uniform distribution for every row of ``p`` ``(K, D)``.

    Raises:
        ValueError: ``p`` does not hold distributions.
    """
    exact = as_distributions("p", p)
    return np.full_like(exact, 1.0 / exact.shape[-1])


def prior_mean(p: ArrayLike) -> FloatArray:
    """For each latent the mean exact distribution of the *other* latents.

    Args:
        p: exact distributions ``(K, D)``, K >= 2.

    Returns:
        ``(K, D)``, leave-one-out means.

    Raises:
        ValueError: not ``(K, D)`` distributions, or fewer than two.
    """
    exact = as_distributions("p", p)
    if exact.ndim != 2 or len(exact) < 2:
        raise ValueError(
            f"Argument `p` must be (K, D) with K >= 2 latents, but has shape {exact.shape}"
        )
    others = np.maximum(exact.sum(axis=0) - exact, 0.0)
    return np.asarray(others / (len(exact) - 1), dtype=np.float64)


def shot_floor_total_variation(p: ArrayLike, shots: int) -> FloatArray:
    """Expected total variation between noiseless frequencies and ``p``, in closed form.

    Each count is binomial, and de Moivre's mean absolute deviation gives
    ``E|X - N p| = 2 k (1-p) P(X = k)`` with ``k = floor(N p) + 1``.

    Args:
        p: exact distributions ``(..., D)``.
        shots: N.

    Returns:
        The leading shape of ``p``.

    Raises:
        ValueError: not distributions, or ``shots`` < 1.

    Source: Diaconis and Zabell, Statistical Science 6, 284 (1991).
    """
    exact, n = as_distributions("p", p), check_shots(shots)
    return np.asarray(0.5 * _mean_deviation(exact, n).sum(axis=-1), dtype=np.float64)


def shot_floor_of_seen(p: ArrayLike, shots: int) -> float:
    """As :func:`shot_floor_total_variation`, of a distribution known by noiseless shots alone.

    Args:
        p: exact probabilities ``(S,)`` of the outcomes of S noiseless shots, above 0.
        shots: N.

    Returns:
        The mean of each outcome's share over the S shots.
    """
    seen, n = np.asarray(p, dtype=np.float64), check_shots(shots)
    return float((0.5 * _mean_deviation(seen, n) / seen).mean())


def _mean_deviation(p: FloatArray, n: int) -> FloatArray:
    """``E|X / n - p|`` of binomial counts X."""
    k = np.floor(n * p) + 1.0
    return np.asarray(2.0 * k * (1.0 - p) * binom.pmf(k, n, p) / n, dtype=np.float64)


def expected_total_variation(p: ArrayLike, q: ArrayLike, shots: int) -> FloatArray:
    """Expected total variation between frequencies of shots of ``p`` and ``q``, in closed form.

    Each count is binomial, and ``E|X/N - q| = p - q + 2 E(q - X/N)^+``, of which the last is
    ``q P(X <= k) - p P(Y <= k - 1)`` with ``k = floor(N q)``, Y one draw less. For ``q = p`` it is
    :func:`shot_floor_total_variation`.

    Args:
        p: distributions that shots are of, ``(..., D)``.
        q: distributions they are compared with, ``(..., D)``.
        shots: N.

    Returns:
        The leading shape.

    Raises:
        ValueError: not distributions, or ``shots`` < 1.
    """
    a, b, n = as_distributions("p", p), as_distributions("q", q), check_shots(shots)
    k = np.floor(n * b)
    below = b * binom.cdf(k, n, a) - a * binom.cdf(k - 1, n - 1, a)
    deviation = a - b + 2.0 * below
    return np.asarray(0.5 * np.maximum(deviation, 0.0).sum(axis=-1), dtype=np.float64)


def shot_floor(
    p: ArrayLike, shots: int, rng: np.random.Generator, *, repeats: int = 64
) -> ShotFloor:
    """Expected error of a perfect device at ``shots`` shots.

    Args:
        p: exact distributions ``(K, D)``.
        shots: N.
        rng: source of randomness for what has no closed form.
        repeats: noiseless experiments averaged for each latent.

    Raises:
        ValueError: not distributions, ``shots`` < 1 or ``repeats`` < 1.
    """
    exact, n = as_distributions("p", p), check_shots(shots)
    if repeats < 1:
        raise ValueError(f"Argument `repeats` must be >= 1, but is {repeats}")
    sums = np.zeros((3, *exact.shape[:-1]))
    for _ in range(repeats):
        frequencies = rng.multinomial(n, exact) / n
        sums += [
            hellinger_fidelity(exact, frequencies),
            hellinger_distance(exact, frequencies),
            kl_divergence(exact, frequencies, shots=n),
        ]
    fidelity, distance, divergence = sums / repeats
    return ShotFloor(shot_floor_total_variation(exact, n), fidelity, distance, divergence)


def constant_distances(exact: FloatArray) -> FloatArray:
    """``(2, K)`` total variation distances of the uniform distribution and the mean of the others.

    Args:
        exact: ``(K, D)``, K >= 2.
    """
    return np.stack([total_variation(exact, b) for b in (uniform(exact), prior_mean(exact))])

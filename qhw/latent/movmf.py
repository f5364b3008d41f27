"""Expectation-maximisation for a mixture of von Mises-Fisher distributions.

Source: Banerjee et al., Journal of Machine Learning Research 6, 1345 (2005), soft assignment,
with the exact maximum-likelihood concentration instead of their approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from qhw.latent import vmf
from qhw.latent.checks import KAPPA_MAX, as_unit_vectors

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MixtureFit:
    """Parameters of a fitted mixture.

    Attributes:
        weights: ``(k,)``, positive, summing to 1.
        means: unit vectors ``(k, d)``.
        kappas: ``(k,)``.
        log_likelihood: mean log density of the data after each step (nats); never falls as long as
            no concentration is clipped.
        converged: whether the gain fell below the tolerance before the steps ran out.
    """

    weights: FloatArray
    means: FloatArray
    kappas: FloatArray
    log_likelihood: tuple[float, ...]
    converged: bool


def component_log_density(
    x: FloatArray, weights: FloatArray, means: FloatArray, kappas: FloatArray
) -> FloatArray:
    """``log(weight_j f_j(x_i))`` for checked arguments, ``(n, k)``."""
    normalizer = vmf.log_normalizer(x.shape[-1], kappas)
    return np.asarray(kappas * (x @ means.T) + normalizer + np.log(weights), dtype=np.float64)


def fit_mixture(
    x: ArrayLike,
    components: int,
    rng: np.random.Generator,
    *,
    steps: int = 200,
    tolerance: float = 1e-6,
    kappa_max: float = 1e4,
) -> MixtureFit:
    """Fit ``components`` von Mises-Fisher distributions to directions.

    Args:
        x: unit vectors ``(n, d)``, for example the aggregated posterior.
        components: k, 1..n.
        rng: chooses the starting means (k-means++ on cosine distance).
        steps: most EM steps.
        tolerance: stop when the mean log likelihood gains less, nats.
        kappa_max: concentrations are clipped here, so that a component cannot collapse onto a
            single point.

    Returns:
        The mixture; components left without data are dropped, so it may have fewer than k.

    Raises:
        ValueError: ``x`` not ``(n, d)`` unit vectors, or a setting out of range.
    """
    points = as_unit_vectors("x", x)
    if points.ndim != 2 or len(points) == 0:
        raise ValueError(f"Argument `x` must be (n, d) with n >= 1, but has shape {points.shape}")
    if not 1 <= components <= len(points):
        raise ValueError(
            f"Argument `components` must be in 1..{len(points)} (points), but is {components}"
        )
    if steps < 1 or not tolerance >= 0.0 or not 0.0 < kappa_max <= KAPPA_MAX:
        raise ValueError(
            f"Argument `steps` must be >= 1, `tolerance` >= 0 and `kappa_max` in (0, "
            f"{KAPPA_MAX:g}], but they are {steps}, {tolerance} and {kappa_max}"
        )
    means = _starting_means(points, components, rng)
    nearest = (points @ means.T).argmax(axis=1)
    weights, means, kappas = _maximise(points, np.eye(len(means))[nearest], kappa_max)
    history: list[float] = []
    for _ in range(steps):
        joint = component_log_density(points, weights, means, kappas)
        total = logsumexp(joint, axis=1, keepdims=True)
        history.append(float(total.mean()))
        if len(history) > 1 and history[-1] - history[-2] < tolerance:
            return MixtureFit(weights, means, kappas, tuple(history), True)
        weights, means, kappas = _maximise(points, np.exp(joint - total), kappa_max)
    return MixtureFit(weights, means, kappas, tuple(history), False)


def _starting_means(x: FloatArray, k: int, rng: np.random.Generator) -> FloatArray:
    """Spread points: each next one drawn with probability proportional to 1 - best cosine."""
    chosen = [int(rng.integers(len(x)))]
    distance = np.maximum(1.0 - x @ x[chosen[0]], 0.0)
    while len(chosen) < k and distance.sum() > 0.0:
        chosen.append(int(rng.choice(len(x), p=distance / distance.sum())))
        distance = np.minimum(distance, np.maximum(1.0 - x @ x[chosen[-1]], 0.0))
    return x[chosen]


def _maximise(
    x: FloatArray, responsibility: FloatArray, kappa_max: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    mass = responsibility.sum(axis=0)
    resultant = responsibility.T @ x
    alive = mass > 1e-6
    mass, resultant = mass[alive], resultant[alive]
    length = np.linalg.norm(resultant, axis=1, keepdims=True)
    ratio = np.asarray(np.minimum(length[:, 0] / mass, 1.0), dtype=np.float64)
    kappas = np.minimum(vmf.kappa_from_resultant_length(x.shape[1], ratio), kappa_max)
    # directions that cancel are a uniform component (kappa 0), whose mean is any direction
    anywhere = np.tile(np.eye(1, x.shape[1]), (len(mass), 1))
    means = np.divide(resultant, length, out=anywhere, where=length > 0.0)
    return mass / mass.sum(), means, kappas

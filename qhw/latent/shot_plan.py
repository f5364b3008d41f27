"""How many shots an encoder needs before shot noise hides behind the latent's own spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhw.distributions import as_distributions
from qhw.latent.checks import as_kappa, check_dim
from qhw.latent.from_shots import expected_squared_angle

FloatArray = NDArray[np.float64]

MAX_SHOTS = 10**12
_LOG_RANGE = 60.0


@dataclass(frozen=True)
class ShotPlan:
    """A number of shots and what it buys.

    Attributes:
        shots: smallest N found to keep the share.
        shot_angle_rad: rms angle of ``mu_hat`` at that N, radians.
        vmf_angle_rad: rms angle of a vMF(kappa) draw, radians.
        share: ``shot_angle_rad / vmf_angle_rad``, at most the share asked for.
        extra_spread: growth of the combined rms angle, ``sqrt(1 + share^2) - 1`` for independent
            small angles: a share of 10 % costs 0.5 %.
    """

    shots: int
    shot_angle_rad: float
    vmf_angle_rad: float
    share: float
    extra_spread: float


def vmf_rms_angle(dim: int, kappa: float) -> float:
    """Root-mean-square angle between a vMF draw and its mean direction, radians.

    Quadrature of ``theta^2`` under ``sin(theta)^(d-2) exp(kappa cos theta)``; ``sqrt((d-1)/kappa)``
    when concentrated.

    Args:
        dim: d, 2..1024.
        kappa: concentration, 0..1e5.

    Raises:
        ValueError: out of range.
    """
    check_dim(dim)
    concentration = float(as_kappa(kappa))

    def log_weight(theta: FloatArray) -> FloatArray:
        # -2 kappa sin^2(theta/2) = kappa (cos theta - 1), without cancellation.
        ring = (dim - 2) * np.log(np.sin(theta)) if dim > 2 else 0.0
        return np.asarray(ring - 2.0 * concentration * np.sin(0.5 * theta) ** 2, dtype=np.float64)

    grid = np.asarray(np.linspace(0.0, np.pi, 8001), dtype=np.float64)
    coarse = log_weight(grid[1:-1])
    held = np.flatnonzero(coarse > coarse.max() - _LOG_RANGE)
    low, high = grid[held[0]], grid[held[-1] + 2]
    node, weight = np.polynomial.legendre.leggauss(256)
    theta = low + 0.5 * (high - low) * (node + 1.0)
    density = log_weight(theta)
    density = weight * np.exp(density - density.max())
    return float(np.sqrt((density * theta**2).sum() / density.sum()))


def plan_shots(kappa: float, dim: int, share: float, *, p: ArrayLike | None = None) -> ShotPlan:
    """Shots for which the rms shot-noise angle is ``share`` of the rms vMF angle.

    Rule of thumb for a concentrated latent: ``N = kappa / (4 share^2)``, so 25 kappa for 10 %.

    Args:
        kappa: concentration of the latent, 0..1e5.
        dim: D, 2..1024.
        share: allowed ratio of the two angles, in (0, 1].
        p: encoder distribution ``(D,)``; by default every bin equally populated, which needs the
            most shots once bins are well populated.

    Raises:
        ValueError: a value out of range, ``p`` of another size, or more than 1e12 shots needed.
    """
    check_dim(dim)
    if not 0.0 < share <= 1.0:
        raise ValueError(f"Argument `share` must be in (0, 1], but is {share}")
    exact = np.full(dim, 1.0 / dim) if p is None else as_distributions("p", p)
    if exact.shape != (dim,):
        raise ValueError(f"Argument `p` must have shape ({dim},), but has {exact.shape}")
    vmf_angle = vmf_rms_angle(dim, kappa)
    allowed = (share * vmf_angle) ** 2
    high = 1
    while float(expected_squared_angle(exact, high)) > allowed:
        high *= 2
        if high > MAX_SHOTS:
            raise ValueError(
                f"Argument `share` must need at most {MAX_SHOTS:g} shots, but {share} needs more"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if float(expected_squared_angle(exact, middle)) > allowed:
            low = middle
        else:
            high = middle
    shot_angle = float(np.sqrt(expected_squared_angle(exact, high)))
    reached = shot_angle / vmf_angle
    return ShotPlan(high, shot_angle, vmf_angle, reached, float(np.sqrt(1.0 + reached**2) - 1.0))

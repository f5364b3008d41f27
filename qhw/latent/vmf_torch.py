"""von Mises-Fisher sampling in torch, differentiable in the mean direction.

The concentration is fixed, so the cosine ``w`` is drawn without gradient and the sample is an
orthogonal map of a fixed vector: ``z = H(mu) [w, sqrt(1-w^2) v]``. Gradients flow through ``mu``
only, and the KL term of the loss is the constant :func:`qhw.latent.vmf.kl_to_uniform`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from qhw.latent.checks import UNIT_TOLERANCE, as_kappa, check_dim


def sample(mu: Tensor, kappa: float, generator: torch.Generator) -> Tensor:
    """One reparametrised draw for each mean direction.

    Args:
        mu: unit vectors ``(..., d)``, floating point; gradients flow through it.
        kappa: concentration, 0..1e5.
        generator: source of randomness, on the device of ``mu``.

    Returns:
        Unit vectors, shape and dtype of ``mu``.

    Raises:
        ValueError: ``mu`` not floating point, not finite or not unit; ``kappa`` or the dimension
            out of range.

    Source: Wood, Communications in Statistics 23, 157 (1994); Davidson et al., UAI 2018.
    """
    _check_unit(mu)
    columns = mu.reshape(-1, mu.shape[-1]).T
    noise = draw_noise(len(columns), kappa, columns.shape[1], generator, mu.dtype)
    return reflect(columns, noise).T.reshape(mu.shape)


@dataclass(frozen=True, eq=False)
class Noise:
    """Draws around the first axis, one a column; they do not depend on the mean direction.

    Attributes:
        height: ``w``, the cosine with the mean, ``(n,)``.
        tangent: ``sqrt(1 - w^2) v`` with a uniform direction ``v``, ``(d - 1, n)``.
    """

    height: Tensor
    tangent: Tensor


def draw_noise(
    dim: int, kappa: float, n: int, generator: torch.Generator, dtype: torch.dtype
) -> Noise:
    """Noise of ``n`` draws, for :func:`reflect`.

    Raises:
        ValueError: ``kappa`` or ``dim`` out of range.
    """
    as_kappa(kappa)
    check_dim(dim)
    gap = _sample_gap(dim, float(kappa), n, generator)
    tangent = torch.randn((dim - 1, n), generator=generator, dtype=dtype, device=generator.device)
    length = tangent.square().sum(0).sqrt_()
    tangent *= (gap * (2.0 - gap)).sqrt_().to(dtype).div_(length)
    return Noise((1.0 - gap).to(dtype), tangent)


def reflect(mu: Tensor, noise: Noise) -> Tensor:
    """Carry draws around the first axis to draws around ``mu`` by Householder's reflection.

    Args:
        mu: unit vectors ``(d, n)``, one a column; gradients flow through it.
        noise: ``n`` draws of the same dimension and type.

    Returns:
        Unit vectors ``(d, n)``.
    """
    # Reflecting along e_0 + sign * mu_0 never cancels; it sends e_0 to -sign * mu.
    sign = torch.where(mu[0].detach() >= 0, 1.0, -1.0).to(mu.dtype)
    axis = torch.cat([(mu[0] + sign).unsqueeze(0), mu[1:]])
    local = torch.cat([(-sign * noise.height).unsqueeze(0), noise.tangent])
    return local - (axis * local).sum(0) * (2.0 / axis.square().sum(0)) * axis


def _check_unit(mu: Tensor) -> None:
    if not mu.is_floating_point() or mu.ndim == 0:
        raise ValueError(
            f"Argument `mu` must be a floating-point tensor (..., d), but is {mu.dtype} "
            f"of shape {tuple(mu.shape)}"
        )
    check_dim(mu.shape[-1])
    if mu.numel() == 0:
        return
    # NaN compares false, so one comparison refuses both NaN and wrong norms.
    worst = float((mu.detach().norm(dim=-1) - 1.0).abs().max())
    if not worst <= UNIT_TOLERANCE:
        raise ValueError(
            f"Argument `mu` must hold finite unit vectors, but a norm is off by {worst:.3g} "
            f"(allowed: {UNIT_TOLERANCE:g})"
        )


def _sample_gap(dim: int, kappa: float, n: int, generator: torch.Generator) -> Tensor:
    """``1 - w`` for ``n`` cosines, float64.

    Wood's envelope needs a symmetric beta variate; Ulrich (Applied Statistics 33, 158 (1984))
    makes it from two uniforms, which, unlike torch's gamma sampler, take a generator.
    """
    m = dim - 1.0
    b = m / (2.0 * kappa + math.sqrt(4.0 * kappa * kappa + m * m))
    power = 2.0 / (dim - 2.0) if dim > 2 else math.inf
    device = generator.device
    accepted = torch.empty(0, dtype=torch.float64, device=device)
    # At worst two proposals in three are accepted (Wood, table 1), so that one round nearly
    # always does; proposals are independent, so it does not matter which are left over.
    while len(accepted) < n:
        size = (n - len(accepted)) * 3 // 2 + 64
        u = torch.rand(3, size, generator=generator, dtype=torch.float64, device=device)
        radius = (1.0 - u[0].pow(power)).clamp_min(0.0).sqrt()
        z = 0.5 * (1.0 + radius * torch.cos(2.0 * math.pi * u[1]))
        scale = (1.0 - z) + b * z
        proposal = 2.0 * b * z / scale
        log_accept = kappa * (2.0 * b / (1.0 + b) - proposal) + m * torch.log(
            0.5 * (1.0 + b) / scale
        )
        accepted = torch.cat([accepted, proposal[log_accept >= torch.log(u[2])]])
    return accepted[:n]

"""von Mises-Fisher sampling in torch, differentiable in the mean direction.

The concentration is fixed, so the cosine ``w`` is drawn without gradient and the sample is an
orthogonal map of a fixed vector: ``z = H(mu) [w, sqrt(1-w^2) v]``. Gradients flow through ``mu``
only, and the KL term of the loss is the constant :func:`qhw.latent.vmf.kl_to_uniform`.
"""

from __future__ import annotations

import math

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
    as_kappa(kappa)
    _check_unit(mu)
    dim = mu.shape[-1]
    gap = _sample_gap(dim, float(kappa), mu.shape[:-1].numel(), generator)
    gap = gap.reshape(*mu.shape[:-1], 1)
    tangent = torch.randn(
        (*mu.shape[:-1], dim - 1), generator=generator, dtype=torch.float64, device=mu.device
    )
    tangent = tangent * (gap * (2.0 - gap)).sqrt() / tangent.norm(dim=-1, keepdim=True)
    first = mu[..., :1]
    sign = torch.where(first.detach() >= 0, 1.0, -1.0).to(mu.dtype)
    local = torch.cat([-sign * (1.0 - gap).to(mu.dtype), tangent.to(mu.dtype)], dim=-1)
    axis = torch.cat([first + sign, mu[..., 1:]], dim=-1)
    projection = (axis * local).sum(dim=-1, keepdim=True) * 2.0
    return local - projection / (axis * axis).sum(dim=-1, keepdim=True) * axis


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
    gap = torch.empty(n, dtype=torch.float64, device=device)
    pending = torch.arange(n, device=device)
    while pending.numel():
        u = torch.rand(3, pending.numel(), generator=generator, dtype=torch.float64, device=device)
        radius = (1.0 - u[0].pow(power)).clamp_min(0.0).sqrt()
        z = 0.5 * (1.0 + radius * torch.cos(2.0 * math.pi * u[1]))
        scale = (1.0 - z) + b * z
        proposal = 2.0 * b * z / scale
        log_accept = kappa * (2.0 * b / (1.0 + b) - proposal) + m * torch.log(
            0.5 * (1.0 + b) / scale
        )
        accepted = log_accept >= torch.log(u[2])
        gap[pending[accepted]] = proposal[accepted]
        pending = pending[~accepted]
    return gap

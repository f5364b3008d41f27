"""Priors of latents by name: one line each, imported when asked for."""

from __future__ import annotations

from calibration.plugins import Table

PRIORS = Table(
    "priors",
    "prior",
    {
        "vmf-mixture": "qhw.latent.priors:VMFMixture",
        "latent-diffusion": "qhw.latent.diffusion:LatentDiffusion",
        "posterior": "qhw.latent.priors:Posterior",
        "near-condition": "qhw.latent.priors:NearCondition",
        "positive-orthant": "qhw.latent.priors:PositiveOrthant",
        "uniform-sphere": "qhw.latent.priors:UniformSphere",
    },
)
"""Class of every prior, first what settings without one mean; see
:class:`qhw.latent.priors.PriorKind`."""

"""Priors of latents by name: one line each, imported when asked for."""

from __future__ import annotations

from calibration.plugins import Table

PRIORS = Table(
    "priors",
    "prior",
    {
        "vmf-mixture": "qhw.latent.priors:VMFMixture",
        "posterior": "qhw.latent.priors:Posterior",
        "near-condition": "qhw.latent.priors:NearCondition",
        "positive-orthant": "qhw.latent.priors:PositiveOrthant",
        "uniform-sphere": "qhw.latent.priors:UniformSphere",
    },
)
"""Class of every prior, the default first; see :class:`qhw.latent.priors.PriorKind`."""

"""A condition and who is asked for it: the model itself, or the trained prior of its latents.

A conditional model's circuits take the condition as data. Of any other model the prior may take it:
the circuits stay as they are, and only latents that decode to such molecules are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.closest import quoted
from qhw.chem.properties import PROPERTIES
from qhw.latent.asked import AskedPrior
from qhw.latent.diffusion import PriorCard, trained_prior
from qhw.models.base import Model
from qhw.models.checkpoint import weights_sha256
from qhw.models.conditions import (
    ConditionError,
    ConditionScale,
    asked_condition,
    named_condition,
    read_condition,
    scales_of,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AskedFor:
    """A condition where it belongs.

    Attributes:
        values: by property; empty where nothing is asked for.
        of_model: ``(m,)`` what a conditional model's circuits take; ``None`` of any other.
        prior: as it was asked for, with the condition behind its name where it takes it.
    """

    values: dict[str, float]
    of_model: FloatArray | None
    prior: str | None


def asked_for(texts: Sequence[str], model: Model, name: str, prior: str | None) -> AskedFor:
    """Who is asked for a condition, and for which values.

    Args:
        texts: ``PROPERTY=VALUE``; of a prior any of its properties.
        model: whose circuits run.
        name: its.
        prior: that latents are drawn from, as asked for; ``None`` where none are.

    Raises:
        ConditionError: one line: neither of them takes a condition, or as
            :func:`qhw.models.conditions.asked_condition`.
        ValueError: a prior that cannot be used, or a property given behind its name too.
    """
    scales = scales_of(model)
    if scales or not texts:
        values = asked_condition(texts, scales, name)
        named = {} if values is None else named_condition(scales, values)
        return AskedFor(named, values, prior)
    if prior is None:
        raise ConditionError(
            f"Argument `condition` must be left out of model {name}, which is not conditional, "
            f"but is {quoted(texts[0])}"
        )
    asked = AskedPrior.parse(prior)
    card = conditional_prior(texts, asked, model, name)
    found = read_condition(texts, prior_scales(card), f"prior {card.name}")
    return AskedFor(found, None, str(asked.having(**found)))


def conditional_prior(
    texts: Sequence[str], prior: AskedPrior, model: Model, name: str
) -> PriorCard:
    """Card of the prior that takes a condition in the model's place.

    Raises:
        ConditionError: it takes none.
        ValueError: it cannot be used.
    """
    wanted = {text.partition("=")[0].strip() for text in texts}
    trained = trained_prior(prior, weights_sha256(model), name, wanted)
    if trained is None or not prior_scales(trained.card):
        raise ConditionError(
            f"Argument `condition` must be left out of model {name}, which is not conditional, and "
            f"of prior {prior.name}, which takes none, but is {quoted(texts[0])}"
        )
    return trained.card


def prior_scales(card: PriorCard) -> tuple[ConditionScale, ...]:
    """Properties that a prior may be asked for, and their ranges."""
    return tuple(
        ConditionScale(property=one.name, low=one.low, high=one.high)
        for one in card.conditions
        if one.name in PROPERTIES and one.low < one.high
    )

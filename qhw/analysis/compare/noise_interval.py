"""How much more noise real devices had than their models: by vendor, from public results."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from calibration.parts import Frozen
from qhw.analysis.validate.interval import LEVEL, noise_factors


class NoiseInterval(Frozen):
    """In which the noise of a vendor's devices lay.

    Attributes:
        low: multiple of the model's noise.
        high: multiple of the model's noise.
        level: share of results inside.
        results: how many it is of.
    """

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(ge=0)]
    level: Annotated[float, Field(gt=0, lt=1)]
    results: Annotated[int, Field(ge=1)]


def noise_interval(vendor: str) -> NoiseInterval | None:
    """Of a vendor's devices; ``None`` where there is no public result to judge by.

    Args:
        vendor: of a snapshot.
    """
    found = noise_factors(vendor)
    if found is None:
        return None
    return NoiseInterval(low=found.low, high=found.high, level=LEVEL, results=found.n)

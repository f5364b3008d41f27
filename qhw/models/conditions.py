"""What a conditional model is asked for: scales of its properties, and text as people give it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from calibration.closest import quoted
from qhw.chem.labels import labelled_sample
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.properties import PROPERTIES, known_property
from qhw.chem.qm9 import QM9, sample_molecules

FloatArray = NDArray[np.float64]


class ConditionError(ValueError):
    """A condition that a model cannot be asked for."""


class ConditionScale(BaseModel):
    """How a property becomes a number in [0, 1]: ``(value - low) / (high - low)``, cut off there.

    Attributes:
        property: of :data:`qhw.chem.properties.PROPERTIES`.
        low: value that is 0.
        high: value that is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: str
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.property not in PROPERTIES:
            raise ValueError(f"property must be one of {', '.join(PROPERTIES)}")
        if not self.low < self.high:
            raise ValueError("low must be below high")
        return self

    def __str__(self) -> str:
        unit = PROPERTIES[self.property].unit
        return f"{self.property} from {self.low:g} to {self.high:g}{f' {unit}' if unit else ''}"

    def scaled(self, values: FloatArray) -> FloatArray:
        """Values as shares of the range; those outside are at its ends."""
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)


@runtime_checkable
class Conditional(Protocol):
    """A model whose circuits take properties of molecules as further data.

    Its encoder's and decoder's data are then wider than amplitudes or latents: behind them stand
    the condition wires' angles.
    """

    conditions: tuple[ConditionScale, ...]

    def condition_values(self, molecules: MoleculeBatch) -> Tensor:
        """Properties of molecules ``(B, m)``, in their own units."""

    def conditioned(self, latents: Tensor, values: Tensor) -> Tensor:
        """The decoder's data ``(B, latent_dim + m)`` of latents and properties ``(B, m)``."""

    def kept(self, probabilities: Tensor) -> Tensor | None:
        """Share of each distribution that post-selection keeps ``(B,)``; ``None`` without it."""

    def selected(self, probabilities: Tensor) -> Tensor:
        """The distribution of what post-selection keeps; as it is without it."""


def scales_of(model: object) -> tuple[ConditionScale, ...]:
    """Properties that a model takes; none where it is not conditional."""
    return model.conditions if isinstance(model, Conditional) else ()


def named_condition(scales: Sequence[ConditionScale], values: FloatArray) -> dict[str, float]:
    """Values ``(m,)`` by property."""
    return {scale.property: float(v) for scale, v in zip(scales, values, strict=True)}


def sample_for(model: object) -> QM9:
    """The shipped molecules, labelled with the properties that a model takes."""
    names = tuple(scale.property for scale in scales_of(model))
    return labelled_sample(names) if names else sample_molecules()


def asked_condition(
    texts: Sequence[str], scales: Sequence[ConditionScale], model: str
) -> FloatArray | None:
    """Values of ``PROPERTY=VALUE`` texts, in the order of a model's scales.

    Args:
        texts: one for each of the scales, in any order.
        scales: of the model; empty where it is not conditional.
        model: its name, for errors.

    Returns:
        ``(m,)`` in the properties' units; ``None`` without any text.

    Raises:
        ConditionError: one line: a model that takes none, text of another form, an unknown
            property, one asked twice or not at all, or a value that is no number or out of range.
    """
    if not texts:
        return None
    if not scales:
        raise ConditionError(
            f"Argument `condition` must be left out of model {model}, which is not conditional, "
            f"but is {quoted(texts[0])}"
        )
    found = read_condition(texts, scales, f"model {model}")
    missing = [scale.property for scale in scales if scale.property not in found]
    if missing:
        raise ConditionError(
            f"Argument `condition` must give {' and '.join(missing)} too, but does not; model "
            f"{model} takes {'; '.join(map(str, scales))}"
        )
    return np.array([found[scale.property] for scale in scales])


def read_condition(
    texts: Sequence[str], scales: Sequence[ConditionScale], whom: str
) -> dict[str, float]:
    """Values by property of ``PROPERTY=VALUE`` texts, of some or all of the scales.

    Args:
        texts: in any order.
        scales: what may be asked for.
        whom: is asked, such as ``model m``, for errors.

    Raises:
        ConditionError: as :func:`asked_condition`, but for what is not asked at all.
    """
    allowed = f"{whom} takes {'; '.join(map(str, scales))}"
    found: dict[str, float] = {}
    for text in texts:
        name, sign, number = (part.strip() for part in text.partition("="))
        if not sign:
            raise ConditionError(
                f"Argument `condition` must be PROPERTY=VALUE, but is {quoted(text)}; {allowed}"
            )
        if name in found:
            raise ConditionError(f"Argument `condition` must give {name} once, but gives it twice")
        found[name] = _value(name, number, scales, allowed)
    return found


def _value(name: str, text: str, scales: Sequence[ConditionScale], allowed: str) -> float:
    scale = next((one for one in scales if one.property == name), None)
    if scale is None:
        unknown = "" if name in PROPERTIES else ", which is no property"
        names = ", ".join(one.property for one in scales)
        raise ConditionError(
            f"Argument `condition` must name {names}, but names {quoted(name)}{unknown}; {allowed}"
        )
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not scale.low <= value <= scale.high:  # NaN fails too
        raise ConditionError(f"Argument `condition` must have {scale}, but has {quoted(text)}")
    return value


def window_of(name: str, half_width: float | None) -> float:
    """Half width of the window a value counts as hit in; the property's usual one by default.

    Raises:
        ValueError: not above zero, or unknown property.
    """
    known_property(name)
    width = WINDOWS[name] if half_width is None else half_width
    if not (width > 0 and math.isfinite(width)):
        raise ValueError(f"Argument `window` must be above 0 and finite, but is {width}")
    return width


WINDOWS = {"logP": 0.5, "QED": 0.05, "SA": 0.1, "SA-raw": 0.9, "gap": 0.5}
"""Half widths of hit windows: the paper's of logP; others about a sixth of QM9's range."""

"""Settings made of what people give."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationError

from calibration.parts import Frozen

Count = Annotated[int, Field(ge=0)]
WantedPrecision = Annotated[
    str | None, Field(max_length=20, exclude_if=lambda value: value is None)
]
"""What shots were planned for, of settings that say so."""


class Parsed(Frozen):
    """Settings whose faults are one line."""

    @classmethod
    def parse(cls, **values: object) -> Self:
        """Settings from loose values.

        Raises:
            ValueError: a value out of range; one line names the first.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            if first["type"] == "value_error":  # words of our own, the whole sentence or its end
                said = str(first["ctx"]["error"])
                whole = said if said[:1].isupper() else f"Argument `{name}` {said}"
                raise ValueError(whole) from error
            rule = first["msg"].replace("Input should be", "must be")
            raise ValueError(f"Argument `{name}` {rule}, but is {first['input']!r}") from error

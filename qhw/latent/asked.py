"""A prior as it is asked for: a name or a folder, and options behind it in brackets.

latent-diffusion(temperature=0.8,steps=8,atoms=7)
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from calibration.closest import quoted

_FORM = re.compile(r"(?P<name>.*?)(?:\((?P<options>[^()]*)\))?", re.DOTALL)
_OPTION = re.compile(r"\s*(?P<key>[A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?P<value>[^=]*?)\s*")


@dataclass(frozen=True)
class AskedPrior:
    """What a person wrote.

    Attributes:
        name: of a prior, or path of a folder.
        options: numbers by name.
    """

    name: str
    options: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text; :meth:`__str__` writes it.

        Raises:
            ValueError: an option that is no ``name=number``, or stands twice.
        """
        found = _FORM.fullmatch(text)
        assert found is not None  # the form takes anything
        options: dict[str, float] = {}
        written = found["options"]
        for part in written.split(",") if written and written.strip() else ():
            option = _OPTION.fullmatch(part)
            value = _number(option["value"]) if option else math.nan
            if option is None or not math.isfinite(value):
                raise ValueError(
                    f"Argument `prior` must have options such as (temperature=0.8,steps=8), "
                    f"numbers by name, but has {quoted(part.strip())}"
                )
            if option["key"] in options:
                raise ValueError(
                    f"Argument `prior` must have {option['key']} once, but has it twice"
                )
            options[option["key"]] = value
        return cls(found["name"].strip(), options)

    def __str__(self) -> str:
        if not self.options:
            return self.name
        return f"{self.name}({','.join(f'{k}={_text(v)}' for k, v in self.options.items())})"

    @property
    def is_folder(self) -> bool:
        """Whether it names a folder and not a prior."""
        return os.sep in self.name or Path(self.name).is_dir()

    def placed(self) -> Self:
        """The same from any folder."""
        if not self.is_folder:
            return self
        return type(self)(str(Path(self.name).resolve()), self.options)

    def having(self, **options: float | None) -> Self:
        """With further options; ``None`` leaves one out.

        Raises:
            ValueError: one that is written behind the name too.
        """
        given = {k: float(v) for k, v in options.items() if v is not None}
        for name in given.keys() & self.options.keys():
            raise ValueError(f"Argument `{name}` must be given once, but stands in `prior` too")
        return type(self)(self.name, {**self.options, **given})


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _text(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)

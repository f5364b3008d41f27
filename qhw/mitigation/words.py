"""A pipeline as it is written: names and brackets, read before anything heavy is loaded."""

from __future__ import annotations

import re

from calibration.closest import quoted
from qhw.mitigation.registry import GRAMMAR, TECHNIQUES

DEFAULT = "default"
"""Name of the pipeline that shots and device decide."""
PLAIN = ("none", "readout")
"""Pipelines that need no circuit but the one that is run anyway: raw counts serve them."""
PART = re.compile(rf"\s*({GRAMMAR})\s*(?:\(([^()]*)\))?\s*")
"""A technique: its name, and what its brackets hold."""


class MitigationError(ValueError):
    """A pipeline that cannot be, or does not fit what it is asked for."""


def parts(text: str) -> list[tuple[str, str]]:
    """Name and brackets' inside of each technique, from the circuit outwards.

    Raises:
        MitigationError: not written as techniques are, or unknown (the line has the closest).
    """
    if text.strip() == "none":
        return []
    # a plus inside brackets belongs to an argument such as 1e+5
    return [_part(part) for part in re.split(r"\+(?![^()]*\))", text)]


def canonical(text: str) -> str:
    """A pipeline's text as this version writes it; ``default`` stays.

    Raises:
        MitigationError: as :meth:`qhw.mitigation.pipeline.Pipeline.parse`.
    """
    plain = text.strip()
    if plain in (DEFAULT, *PLAIN):
        return plain
    parts(text)
    from qhw.mitigation.pipeline import Pipeline

    return str(Pipeline.parse(text))


def _part(part: str) -> tuple[str, str]:
    found = PART.fullmatch(part)
    if found is None:
        raise MitigationError(
            f"Argument `mitigation` must be techniques such as twirl(8)+readout+zne(1,3), but "
            f"has {quoted(part.strip())}"
        )
    name, inside = found.groups()
    if name not in TECHNIQUES:
        raise MitigationError(
            f"Argument `mitigation` must have techniques among those there are, but has "
            f"{quoted(name)} ({TECHNIQUES.near(name)})"
        )
    return name, inside or ""

"""Mitigation techniques by name: one line each, imported when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from calibration.plugins import Table

if TYPE_CHECKING:
    from qhw.mitigation.base import Technique

Words: TypeAlias = Sequence[str]
"""Arguments in brackets, in order."""
Options: TypeAlias = Mapping[str, str]
"""Arguments with a name."""
Maker: TypeAlias = "Callable[[Words, Options], Technique]"

GRAMMAR = r"(?:mitiq\.)?[a-z0-9]+"
"""Of a technique's name in a pipeline; with a dot those that another library gives."""

TECHNIQUES = Table(
    "techniques",
    "technique",
    {
        "dd": "qhw.mitigation.arguments:dd",
        "twirl": "qhw.mitigation.arguments:twirl",
        "readout": "qhw.mitigation.arguments:readout",
        "structure": "qhw.mitigation.arguments:structure",
        "zne": "qhw.mitigation.arguments:zne",
        "cdr": "qhw.mitigation.arguments:cdr",
        "lre": "qhw.mitigation.arguments:lre",
        "pec": "qhw.mitigation.arguments:pec",
        "mitiq.cdr": "qhw.mitigation.mitiq_arguments:cdr",
        "mitiq.ddd": "qhw.mitigation.mitiq_arguments:ddd",
        "mitiq.lre": "qhw.mitigation.mitiq_arguments:lre",
        "mitiq.pec": "qhw.mitigation.mitiq_arguments:pec",
        "mitiq.pt": "qhw.mitigation.mitiq_arguments:pt",
        "mitiq.zne": "qhw.mitigation.mitiq_arguments:zne",
    },
    grammar=GRAMMAR,
    reserved=("none", "default"),
)
"""Maker of every technique from its arguments and options: ``mine(3,share=0.1)`` calls
``maker(["3"], {"share": "0.1"})``."""

"""Techniques in a row: ``twirl(8)+readout+zne(1,3)``, from the circuit outwards.

The text reads in the order in which results travel: counts of twirled circuits are added up, their
readout is corrected, the corrected values are extrapolated. Circuits are built the other way round.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from backends.base import Backend
from backends.outcomes import DENSE_BITS
from backends.vendor import VendorBackend
from calibration.closest import quoted
from qhw.mitigation.base import RANKS, AnyWidth, DeviceBound, MitigationError, Quantity, Technique
from qhw.mitigation.dd import Decoupling
from qhw.mitigation.registry import TECHNIQUES, Maker, Options, Words
from qhw.mitigation.words import PART, parts


@dataclass(frozen=True)
class Pipeline:
    """Techniques in order, from the circuit outwards; empty for none.

    Attributes:
        techniques: at most one of each name, ranks rising.
    """

    techniques: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        names = [t.name for t in self.techniques]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise MitigationError(
                f"A pipeline must hold a technique once, but has {twice[0]} twice"
            )
        for first, second in itertools.pairwise(self.techniques):
            if first.rank > second.rank:
                raise MitigationError(
                    f"A pipeline must go from the circuit outwards ({', '.join(RANKS)}), but "
                    f"{second.name} ({RANKS[second.rank]}) follows {first.name} "
                    f"({RANKS[first.rank]})"
                )
            if second.name == Decoupling.name:
                raise MitigationError(
                    "dd must come first in a pipeline, since later rewriting would merge its "
                    f"pulses, but follows {first.name}"
                )

    def __str__(self) -> str:
        return "+".join(map(str, self.techniques)) or "none"

    @property
    def circuits(self) -> int:
        """Circuits run for one (training and calibration not counted)."""
        total = 1
        for technique in self.techniques:
            total *= technique.circuits
        return total

    @property
    def needs(self) -> tuple[str, ...]:
        """What it takes beside shots, in words."""
        return tuple(need for t in self.techniques for need in t.needs)

    def check(self, quantity: Quantity) -> None:
        """Refuse a pipeline that cannot estimate what is wanted.

        Raises:
            MitigationError: names the technique.
        """
        for technique in self.techniques:
            if quantity not in technique.valid_for:
                raise MitigationError(
                    f"{technique.name} must be used for a {' or '.join(technique.valid_for)}, "
                    f"but an {quantity} is wanted"
                )

    def check_width(self, bits: int) -> None:
        """Refuse techniques that need a column for every outcome where there are too many.

        Args:
            bits: measured.

        Raises:
            MitigationError: names the technique and up to which width it works.
        """
        for technique in self.techniques:
            if bits > DENSE_BITS and not (isinstance(technique, AnyWidth) and technique.any_width):
                raise MitigationError(
                    f"{technique} works up to {DENSE_BITS} measured bits, but the circuit has "
                    f"{bits}; readout, readout(m3), twirl and dd take any number"
                )

    def check_device(self, backend: Backend | VendorBackend) -> None:
        """Refuse a device, as far as that shows before a circuit is compiled for it.

        Raises:
            MitigationError: names the technique, and what the device lacks.
        """
        for technique in self.techniques:
            if isinstance(technique, DeviceBound):
                technique.check_device(backend)

    @classmethod
    def parse(cls, text: str) -> Pipeline:
        """Read ``name(argument,option=value)+name+...``; ``none`` is the empty pipeline.

        Raises:
            MitigationError: unknown technique (the line has the closest), bad argument, wrong
                order.
            PluginError: a package's technique that cannot be used.
        """
        return cls(tuple(_made(name, inside) for name, inside in parts(text)))


_PARTS = ("name", "rank", "valid_for", "circuits", "needs", "build")
"""Of a technique."""


def _made(name: str, inside: str) -> Technique:
    maker = TECHNIQUES.get(name)
    technique: Technique = TECHNIQUES.call(name, maker, *_arguments(inside))
    if not TECHNIQUES.is_own(name):
        fault = _fault(name, technique) or _lost(name, technique, maker)
        if fault:
            TECHNIQUES.refuse(name, fault)
    return technique


def _arguments(inside: str) -> tuple[Words, Options]:
    items = [item.strip() for item in inside.split(",") if item.strip()]
    words = [item for item in items if "=" not in item]
    return words, dict(item.split("=", 1) for item in items if "=" in item)


def _fault(name: str, technique: object) -> str | None:
    """What keeps a package's object from being a technique of that name."""
    if not isinstance(technique, Technique):
        lacking = [part for part in _PARTS if not hasattr(technique, part)]
        return (
            f"it must make a technique, but {type(technique).__name__} lacks {', '.join(lacking)}"
        )
    if technique.name != name:
        return f"its technique must be named as it is used, but is named {technique.name!r}"
    if technique.rank not in range(len(RANKS)):
        ranks = f"0 to {len(RANKS) - 1} ({', '.join(RANKS)})"
        return f"its rank must be {ranks}, but is {technique.rank!r}"
    return None


def _lost(name: str, technique: Technique, maker: Maker) -> str | None:
    """What is lost when a technique is written down and read: runs are taken up from the text."""
    text = str(technique)
    found = PART.fullmatch(text)
    if found is None or found[1] != name:
        return f"its text must be {name} with arguments in brackets, but is {quoted(text)}"
    again = TECHNIQUES.call(name, maker, *_arguments(found[2] or ""))
    if str(again) != text:
        return f"its text {quoted(text)} is read as {quoted(str(again))}"
    comparable = type(technique).__eq__ is not object.__eq__
    if comparable and again != technique:
        return f"its text {quoted(text)} is read as another technique"
    return None

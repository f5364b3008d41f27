"""Techniques in a row: ``twirl(8)+readout+zne(1,3)``, from the circuit outwards.

The text reads in the order in which results travel: counts of twirled circuits are added up, their
readout is corrected, the corrected values are extrapolated. Circuits are built the other way round.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.outcomes import DENSE_BITS
from backends.vendor import VendorBackend
from qhw.mitigation.base import RANKS, AnyWidth, DeviceBound, MitigationError, Quantity, Technique
from qhw.mitigation.cdr import CliffordRegression
from qhw.mitigation.correction import ReadoutTechnique
from qhw.mitigation.dd import Decoupling
from qhw.mitigation.lre import LayerwiseRichardson
from qhw.mitigation.pec import ErrorCancellation
from qhw.mitigation.structure import Structure
from qhw.mitigation.twirl import PauliTwirl
from qhw.mitigation.zne import ZeroNoise

FloatArray = NDArray[np.float64]
Words = Sequence[str]
Options = Mapping[str, str]


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
            MitigationError: unknown technique, bad argument, wrong order; lists what there is.
        """
        if text.strip() == "none":
            return cls()
        return cls(tuple(_technique(part) for part in _split(text)))


_PART = re.compile(r"\s*([a-z0-9]+)\s*(?:\(([^()]*)\))?\s*")


def _split(text: str) -> list[str]:
    # a plus inside brackets belongs to an argument such as 1e+5
    return re.split(r"\+(?![^()]*\))", text)


def _technique(part: str) -> Technique:
    found = _PART.fullmatch(part)
    if found is None:
        raise MitigationError(
            f"Argument `mitigation` must be techniques such as twirl(8)+readout+zne(1,3), but "
            f"has {part.strip()!r}"
        )
    name, inside = found.groups()
    if name not in TECHNIQUES:
        raise MitigationError(
            f"Argument `mitigation` must have techniques among {', '.join(sorted(TECHNIQUES))}, "
            f"but has {name!r}"
        )
    items = [item.strip() for item in (inside or "").split(",") if item.strip()]
    words = [item for item in items if "=" not in item]
    options = dict(item.split("=", 1) for item in items if "=" in item)
    return TECHNIQUES[name](words, options)


def whole(name: str, word: str) -> int:
    """A whole number.

    Raises:
        MitigationError: it is none.
    """
    try:
        return int(word)
    except ValueError:
        raise MitigationError(f"{name} must have a whole number, but has {word!r}") from None


def number(name: str, word: str) -> float:
    """A finite number.

    Raises:
        MitigationError: it is none.
    """
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise MitigationError(f"{name} must have a number, but has {word!r}")
    return value


def _only(name: str, words: Words, most: int, options: Options, known: Sequence[str]) -> None:
    if len(words) > most or not set(options) <= set(known):
        allowed = f"up to {most} argument{'s' * (most != 1)}" if most < 99 else "arguments"
        named = f" and the options {', '.join(known)}" if known else ""
        given = ", ".join([*words, *(f"{k}={v}" for k, v in options.items())])
        raise MitigationError(f"{name} must have {allowed}{named}, but has {given}")


def _twirl(words: Words, options: Options) -> Technique:
    _only("twirl", words, 1, options, ())
    return PauliTwirl(whole("twirl", words[0])) if words else PauliTwirl()


def _dd(words: Words, options: Options) -> Technique:
    _only("dd", words, 1, options, ())
    return Decoupling(words[0]) if words else Decoupling()  # type: ignore[arg-type]  # checked there


def _structure(words: Words, options: Options) -> Technique:
    _only("structure", words, 0, options, ())
    return Structure()


def _readout(words: Words, options: Options) -> Technique:
    _only("readout", words, 1, options, ("share",))
    share = number("readout", options.get("share", "0"))
    method = words[0] if words else None
    return ReadoutTechnique(method, share)  # type: ignore[arg-type]  # checked by the technique


def _zne(words: Words, options: Options) -> Technique:
    _only("zne", words, 99, options, ())
    model = words[-1] if words and words[-1].isalpha() else "linear"
    scales = tuple(number("zne", w) for w in words if not w.isalpha()) or (1.0, 3.0)
    return ZeroNoise(scales, model)  # type: ignore[arg-type]  # checked by the technique


def _cdr(words: Words, options: Options) -> Technique:
    fields = {"non_clifford": "non_clifford", "share": "training_share"}
    _only("cdr", words, 2, options, tuple(fields))
    given: dict[str, Any] = {fields[k]: number("cdr", v) for k, v in options.items()}
    for word in words:
        if word.isalpha():
            given["map"] = word
        else:
            given["training"] = whole("cdr", word)
    return CliffordRegression(**given)


def _lre(words: Words, options: Options) -> Technique:
    _only("lre", words, 2, options, ())
    return LayerwiseRichardson(*(whole("lre", w) for w in words))


def _pec(words: Words, options: Options) -> Technique:
    _only("pec", words, 1, options, ("limit",))
    default = ErrorCancellation()
    samples = whole("pec", words[0]) if words else default.samples
    limit = number("pec", options["limit"]) if options else default.limit
    return ErrorCancellation(samples, limit)


TECHNIQUES: dict[str, Callable[[Words, Options], Technique]] = {
    "dd": _dd,
    "twirl": _twirl,
    "readout": _readout,
    "structure": _structure,
    "zne": _zne,
    "cdr": _cdr,
    "lre": _lre,
    "pec": _pec,
}
"""Maker of every technique from its arguments and options."""

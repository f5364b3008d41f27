"""Techniques of the house from the arguments and options written behind their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qhw.mitigation.base import MitigationError, Technique
from qhw.mitigation.cdr import CliffordRegression
from qhw.mitigation.correction import ReadoutTechnique
from qhw.mitigation.dd import Decoupling
from qhw.mitigation.lre import LayerwiseRichardson
from qhw.mitigation.pec import ErrorCancellation
from qhw.mitigation.registry import Options, Words
from qhw.mitigation.structure import Structure
from qhw.mitigation.twirl import PauliTwirl
from qhw.mitigation.zne import ZeroNoise


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


def only(name: str, words: Words, most: int, options: Options, known: Sequence[str]) -> None:
    """Refuse more arguments than there may be, or options that are unknown.

    Raises:
        MitigationError: says what is allowed.
    """
    if len(words) > most or not set(options) <= set(known):
        allowed = f"up to {most} argument{'s' * (most != 1)}" if most < 99 else "arguments"
        named = f" and the options {', '.join(known)}" if known else ""
        given = ", ".join([*words, *(f"{k}={v}" for k, v in options.items())])
        raise MitigationError(f"{name} must have {allowed}{named}, but has {given}")


def twirl(words: Words, options: Options) -> Technique:
    """``twirl(variants)``."""
    only("twirl", words, 1, options, ())
    return PauliTwirl(whole("twirl", words[0])) if words else PauliTwirl()


def dd(words: Words, options: Options) -> Technique:
    """``dd(sequence)``."""
    only("dd", words, 1, options, ())
    return Decoupling(words[0]) if words else Decoupling()  # type: ignore[arg-type]  # checked there


def structure(words: Words, options: Options) -> Technique:
    """``structure``."""
    only("structure", words, 0, options, ())
    return Structure()


def readout(words: Words, options: Options) -> Technique:
    """``readout(method,share=...)``."""
    only("readout", words, 1, options, ("share",))
    share = number("readout", options.get("share", "0"))
    method = words[0] if words else None
    return ReadoutTechnique(method, share)  # type: ignore[arg-type]  # checked by the technique


def zne(words: Words, options: Options) -> Technique:
    """``zne(scale,scale,...,model)``."""
    only("zne", words, 99, options, ())
    model = words[-1] if words and words[-1].isalpha() else "linear"
    scales = tuple(number("zne", w) for w in words if not w.isalpha()) or (1.0, 3.0)
    return ZeroNoise(scales, model)  # type: ignore[arg-type]  # checked by the technique


def cdr(words: Words, options: Options) -> Technique:
    """``cdr(training,map,non_clifford=...,share=...)``."""
    fields = {"non_clifford": "non_clifford", "share": "training_share"}
    only("cdr", words, 2, options, tuple(fields))
    given: dict[str, Any] = {fields[k]: number("cdr", v) for k, v in options.items()}
    for word in words:
        if word.isalpha():
            given["map"] = word
        else:
            given["training"] = whole("cdr", word)
    return CliffordRegression(**given)


def lre(words: Words, options: Options) -> Technique:
    """``lre(degree,chunks)``."""
    only("lre", words, 2, options, ())
    return LayerwiseRichardson(*(whole("lre", w) for w in words))


def pec(words: Words, options: Options) -> Technique:
    """``pec(samples,limit=...)``."""
    only("pec", words, 1, options, ("limit",))
    default = ErrorCancellation()
    samples = whole("pec", words[0]) if words else default.samples
    limit = number("pec", options["limit"]) if options else default.limit
    return ErrorCancellation(samples, limit)

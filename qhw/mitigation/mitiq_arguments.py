"""mitiq's techniques from the arguments and options written behind their names."""

from __future__ import annotations

from qhw.mitigation.arguments import number, only, whole
from qhw.mitigation.base import Technique
from qhw.mitigation.mitiq_techniques import (
    MitiqCdr,
    MitiqDdd,
    MitiqLre,
    MitiqPec,
    MitiqPt,
    MitiqZne,
)
from qhw.mitigation.registry import Options, Words


def zne(words: Words, options: Options) -> Technique:
    """``mitiq.zne(scale,scale,...,model,method=...)``."""
    name = MitiqZne.name
    only(name, words, 99, options, ("method",))
    scales = tuple(number(name, word) for word in words if not word[0].isalpha())
    models = [word for word in words if word[0].isalpha()]
    return MitiqZne(
        scales or MitiqZne.scales,
        models[-1] if models else MitiqZne.model,
        options.get("method", MitiqZne.method),
    )


def lre(words: Words, options: Options) -> Technique:
    """``mitiq.lre(degree,fold_multiplier,chunks=...)``."""
    name = MitiqLre.name
    only(name, words, 2, options, ("chunks",))
    defaults = (MitiqLre.degree, MitiqLre.fold_multiplier)
    given = [whole(name, word) for word in words]
    degree, multiplier = (*given, *defaults[len(given) :])
    chunks = whole(name, options["chunks"]) if options else MitiqLre.chunks
    return MitiqLre(degree, multiplier, chunks)


def ddd(words: Words, options: Options) -> Technique:
    """``mitiq.ddd(rule,trials)``."""
    only(MitiqDdd.name, words, 2, options, ())
    rule = words[0] if words else MitiqDdd.rule
    return MitiqDdd(rule, whole(MitiqDdd.name, words[1]) if len(words) > 1 else MitiqDdd.trials)


def pec(words: Words, options: Options) -> Technique:
    """``mitiq.pec(samples,noise=...)``."""
    name = MitiqPec.name
    only(name, words, 1, options, ("noise",))
    samples = whole(name, words[0]) if words else MitiqPec.samples
    return MitiqPec(samples, number(name, options.get("noise", "0")))


def cdr(words: Words, options: Options) -> Technique:
    """``mitiq.cdr(training,fraction=...)``."""
    name = MitiqCdr.name
    only(name, words, 1, options, ("fraction",))
    training = whole(name, words[0]) if words else MitiqCdr.training
    fraction = number(name, options["fraction"]) if options else MitiqCdr.fraction
    return MitiqCdr(training, fraction)


def pt(words: Words, options: Options) -> Technique:
    """``mitiq.pt(variants)``."""
    only(MitiqPt.name, words, 1, options, ())
    return MitiqPt(whole(MitiqPt.name, words[0]) if words else MitiqPt.variants)

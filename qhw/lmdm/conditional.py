"""EDM's protocol of conditional generation (Hoogeboom et al., arXiv 2203.17003, section 5.2).

A property is asked for as the data have it together with a number of atoms; what a classifier finds
in the answer is held against it, one that never saw the generator's molecules. Mean absolute errors
stand beside those of three rows that need no generator: the classifier on real molecules, a guess
from the number of atoms alone, and values that are shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.chem.edm import judge_edm
from qhw.lmdm.data import WholeMolecules
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.model import LMDM
from qhw.lmdm.properties import PropertyNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Molecules drawn for a property.

    Attributes:
        wanted: values asked for, ``(B,)``.
        found: what the classifier finds, ``(B,)``.
        stable: stable by EDM's rules, ``(B,)``.
        valid: valid by EDM's rules, ``(B,)``.
    """

    wanted: FloatArray
    found: FloatArray
    stable: NDArray[np.bool_]
    valid: NDArray[np.bool_]

    @property
    def errors(self) -> FloatArray:
        """Absolute errors ``(B,)``."""
        return np.asarray(np.abs(self.found - self.wanted))


def answers(
    model: LMDM,
    classifier: PropertyNetwork,
    asked: Sequence[str],
    source: WholeMolecules,
    samples: int,
    *,
    seed: int,
    sampling: SamplingConfig | None = None,
) -> dict[str, Answers]:
    """Draw with properties asked for, all others open, and let the classifier judge.

    Args:
        model: conditional.
        classifier: of the same properties, trained on other molecules.
        asked: names of what the model is told beside the number of atoms: one, as EDM does, or
            several; none shows what the number of atoms alone gives.
        source: molecules whose number of atoms and values of the properties are asked for together,
            as they occur: the generator's training molecules.
        samples: molecules drawn.
        seed: of what is asked for and of the noise.
        sampling: sampler and steps.

    Returns:
        By every property of the model, asked for or not.

    Raises:
        ValueError: a property that model or classifier do not have.
    """
    names = tuple(c.name for c in model.config.conditions)
    known = tuple(c.name for c in classifier.config.properties)
    judges = {name: _place(known, name, "classifier") for name in names}
    rows = np.random.default_rng([seed, 1]).integers(len(source), size=samples)
    values = {name: source.properties[name][rows] for name in names}
    told = torch.full((samples, len(names)), torch.nan)
    for place in (_place(names, name, "model") for name in asked):
        scale = model.config.conditions[place]
        standard = (values[scale.name] - scale.mean) / scale.spread
        told[:, place] = torch.from_numpy(standard)
    drawn = model.sample_each(source.counts[rows], told, seed=seed, sampling=sampling)
    edm, found = judge_edm(drawn), classifier.predict(drawn)
    return {
        name: Answers(values[name], found[:, judge], edm.stable, edm.valid)
        for name, judge in judges.items()
    }


def rows_without_generator(
    classifier: PropertyNetwork, name: str, learnt: WholeMolecules, held_out: WholeMolecules
) -> dict[str, FloatArray]:
    """Absolute errors ``(B,)`` on molecules, by row.

    Args:
        classifier: of the property.
        name: of the property.
        learnt: the classifier's training molecules.
        held_out: what the errors are of: of the generator's half.

    Returns:
        ``data``: the classifier's; ``atoms``: of the median of molecules of as many atoms among
        ``learnt``, the best guess from their number; ``random``: the classifier's to shuffled
        values.
    """
    judge = _place(tuple(c.name for c in classifier.config.properties), name, "classifier")
    values, found = held_out.properties[name], classifier.predict(held_out.geometries)[:, judge]
    overall = float(np.median(learnt.properties[name]))
    medians = {
        n: float(np.median(learnt.properties[name][learnt.counts == n]))
        for n in np.unique(learnt.counts)
    }
    guess = np.array([medians.get(n, overall) for n in held_out.counts])
    shuffled = np.random.default_rng(0).permutation(values)
    return {
        "data": np.abs(found - values),
        "atoms": np.abs(guess - values),
        "random": np.abs(found - shuffled),
    }


def _place(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        raise ValueError(
            f"Argument `name` must be a property of the {what} ({', '.join(names) or 'none'}), but "
            f"is {name!r}."
        )
    return names.index(name)

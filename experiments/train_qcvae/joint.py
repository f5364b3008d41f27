"""Hits of two conditions at once: each by itself and both in the same molecule.

python experiments/train_qcvae/joint.py TRAINED CONTROL "logP=-1,1" "QED=0.35,0.45"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.analysis.compare.model import make_prior
from qhw.analysis.hits.hit_rate import asked_conditions, newcombe
from qhw.analysis.scores.molecules import reports
from qhw.chem.bonds import Protocol
from qhw.chem.properties import graph_values
from qhw.models.checkpoint import load
from qhw.models.conditions import WINDOWS, named_condition, sample_for, scales_of
from qhw.models.exact import ExactModel

SAMPLES, PRIOR, SEED = 2000, "posterior", 1
PROTOCOL: Protocol = "released"
FloatArray = NDArray[np.float64]


def generated(name: str, asked: FloatArray | None) -> tuple[int, list[str]]:
    """SMILES of the valid molecules, and how many differ."""
    loaded, card = load(name)
    model = ExactModel(loaded.double(), card.name, "joint.py", condition=asked)
    source = make_prior(PRIOR, model, sample_for(loaded), SEED)
    latents = source.sample(SAMPLES, np.random.default_rng(SEED))
    report = reports(model.molecules(model.decoder(latents)))[PROTOCOL]
    return report.unique, [text for text in report.smiles if text is not None]


def hits(smiles: list[str], condition: Mapping[str, float]) -> dict[str, NDArray[np.bool_]]:
    """Whether each molecule is within the window, a property at a time and in ``both``."""
    found = {
        name: np.abs(graph_values(name, smiles) - value) <= WINDOWS[name]
        for name, value in condition.items()
    }
    return {**found, "both": np.logical_and.reduce(list(found.values()))}


def main(trained: str, control: str, *conditions: str) -> None:
    """Rows of the README's table."""
    torch.set_num_threads(1)
    model, card = load(trained)
    _, aside = generated(control, None)
    for asked in asked_conditions(conditions, scales_of(model), card.name):
        condition = named_condition(scales_of(model), asked)
        unique, own = generated(trained, asked)
        mine, other = hits(own, condition), hits(aside, condition)
        words = ", ".join(f"{name} = {value:g}" for name, value in condition.items())
        cells = [words, f"{len(own):,} ({unique:,})"]
        for name, inside in mine.items():
            if not own or not aside:
                cells.append("none valid")
                continue
            counts = (int(other[name].sum()), len(aside)), (int(inside.sum()), len(own))
            apart = newcombe(*counts)
            cells.append(
                f"{100 * inside.mean():.1f} against {100 * other[name].mean():.1f} %: "
                f"{100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f})"
            )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

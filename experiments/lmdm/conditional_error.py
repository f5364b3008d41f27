"""Is a conditional model's molecule what it was asked for? EDM's classifier protocol.

python experiments/lmdm/conditional_error.py MODEL CLASSIFIER --out DIR [--guidance G]
    [--properties P...] [--samples N] [--seeds S...]

MODEL was trained on the second half of EDM's training split (`conditional.yaml`), CLASSIFIER on the
first (`classifier.yaml`). DIR/errors.json has every figure, DIR/table.md the table; draws are kept
in DIR and not made again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.api.generating import lmdm
from qhw.lmdm.conditional import Answers, answers, rows_without_generator
from qhw.lmdm.data import PROPERTIES, edm_split, load_whole_qm9
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.properties import PropertyNetwork
from qhw.models.checkpoint import load

_HELD_OUT = 10_000
WORDS = {
    "data": "data: the classifier on molecules of QM9 that it did not see",
    "asked": "generated, asked for this property alone",
    "together": "generated, asked for all properties together",
    "open": "generated, only the number of atoms given",
    "atoms": "number of atoms: best guess from it",
    "random": "random: shuffled values",
}
Files = Mapping[str, Path]
Names = tuple[str, ...]
Draw = tuple[str, Names, Names, list[int]]
"""A row, the properties asked for, those judged, and the seeds."""
Figures = dict[str, dict[str, Any]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("classifier")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1_000, help="drawn with each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--guidance", type=float, default=1.0, help="of what is asked for")
    parser.add_argument("--properties", nargs="+", help="asked for; all of the model's by default")
    given = parser.parse_args()
    sampling = SamplingConfig(guidance=given.guidance)
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    model, classifier = lmdm(given.model), load(given.classifier)[0]
    if not isinstance(classifier, PropertyNetwork):
        parser.error(f"{given.classifier} is of kind {classifier.kind}, not {PropertyNetwork.kind}")
    everything = load_whole_qm9()
    train = everything.take(edm_split(len(everything))[0])
    middle = len(train) // 2
    learnt, source = (train.take(np.arange(*ends)) for ends in ((0, middle), (middle, len(train))))
    names = [c.name for c in model.config.conditions]
    held_out = source.take(np.arange(_HELD_OUT))
    found: dict[str, Figures] = {}
    for name in names:
        bare = rows_without_generator(classifier, name, learnt, held_out)
        found[name] = {row: shown([errors]) for row, errors in bare.items()}
    wanted = tuple(given.properties or names)
    draws: list[Draw] = [("asked", (name,), (name,), given.seeds) for name in wanted]
    if len(wanted) > 1:
        draws += [("together", wanted, wanted, given.seeds)]
    draws += [("open", (), tuple(names), given.seeds[:1])]
    for row, asked, judged, seeds in draws:
        mark = f"-guidance-{given.guidance:g}" if asked and given.guidance != 1 else ""
        drawing = partial(answers, model, classifier, asked, source, given.samples)
        drawn = [
            kept(
                {n: given.out / f"{n}-{row}-{given.samples}-{seed}{mark}.npz" for n in judged},
                partial(drawing, seed=seed, sampling=sampling),
            )
            for seed in seeds
        ]
        for name in judged:
            found[name][row] = of_drawn([one[name] for one in drawn])
    (given.out / "errors.json").write_text(json.dumps(found, indent=1) + "\n")
    (given.out / "table.md").write_text(table(found), encoding="utf-8")
    print(table(found), end="")


def of_drawn(drawn: Sequence[Answers]) -> dict[str, Any]:
    """Figures of one row of generated molecules, a seed each."""
    found, wanted = (
        np.concatenate([getattr(one, name) for one in drawn]) for name in ("found", "wanted")
    )
    return shown([one.errors for one in drawn]) | {
        "stable": float(np.mean([one.stable.mean() for one in drawn])),
        "valid": float(np.mean([one.valid.mean() for one in drawn])),
        "of_valid": shown([one.errors[one.valid] for one in drawn]),
        "of_stable": shown([one.errors[one.stable] for one in drawn]),
        "bias": float(np.mean(found - wanted)),
        "correlation": float(np.corrcoef(found, wanted)[0, 1]),
    }


def kept(
    files: Mapping[str, Path], draw: Callable[[], Mapping[str, Answers]]
) -> dict[str, Answers]:
    """Answers by property from files, which are made if one is missing."""
    if not all(file.exists() for file in files.values()):
        made = draw()
        for name, file in files.items():
            np.savez(file, **asdict(made[name]))
    found = {}
    for name, file in files.items():
        with np.load(file) as stored:
            found[name] = Answers(**stored)
    return found


def shown(errors: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """Mean, its 95 % interval over molecules, and the mean of every seed."""
    together = np.concatenate(errors)
    half = 1.96 * float(together.std(ddof=1)) / math.sqrt(len(together))
    mean = float(together.mean())
    return {
        "molecules": len(together),
        "mae": mean,
        "low": mean - half,
        "high": mean + half,
        "seeds": [float(one.mean()) for one in errors],
    }


def table(found: dict[str, Figures]) -> str:
    """A row a line, a property a column."""
    units = {name: PROPERTIES[name][2] for name in found}
    head = ["mean absolute error", *(f"{name} ({unit})" for name, unit in units.items())]
    rows = [head, ["---"] * len(head)]
    for row, words in WORDS.items():
        cells = [words]
        for name in found:
            if row not in found[name]:
                cells.append("-")
                continue
            one = found[name][row]
            digits = 0 if units[name] == "meV" else 2
            low, high = (f"{one[end]:.{digits}f}" for end in ("low", "high"))
            cells.append(f"{one['mae']:.{digits}f} [{low}, {high}]")
        rows.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


if __name__ == "__main__":
    main()

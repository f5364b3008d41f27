"""Is a conditional model's molecule what it was asked for? EDM's classifier protocol.

python experiments/lmdm/conditional_error.py MODEL CLASSIFIER --out DIR [--samples N] [--seeds S...]

MODEL was trained on the second half of EDM's training split (`conditional.yaml`), CLASSIFIER on the
first (`classifier.yaml`). DIR/errors.json has every figure, DIR/table.md the table; draws are kept
in DIR and not made again, so that `--only gap` and `--only alpha` may run side by side before.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from qhw.api.generating import lmdm
from qhw.lmdm.conditional import Answers, answers, rows_without_generator
from qhw.lmdm.data import PROPERTIES, WholeMolecules, edm_split, load_whole_qm9
from qhw.lmdm.model import LMDM
from qhw.lmdm.properties import PropertyNetwork
from qhw.models.checkpoint import load

_HELD_OUT = 10_000
WORDS = {
    "data": "data: the classifier on molecules of QM9 that it did not see",
    "asked": "generated, asked for the value",
    "open": "generated, only the number of atoms given",
    "atoms": "number of atoms: best guess from it",
    "random": "random: shuffled values",
}
Figures = dict[str, dict[str, object]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("classifier")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1_000, help="drawn with each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", help="one property")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    model, classifier = lmdm(given.model), load(given.classifier)[0]
    if not isinstance(classifier, PropertyNetwork):
        parser.error(f"{given.classifier} is of kind {classifier.kind}, not {PropertyNetwork.kind}")
    everything = load_whole_qm9()
    train = everything.take(edm_split(len(everything))[0])
    middle = len(train) // 2
    learnt, source = (train.take(np.arange(*ends)) for ends in ((0, middle), (middle, len(train))))
    found: dict[str, Figures] = {}
    for name in (c.name for c in model.config.conditions if given.only in (None, c.name)):
        found[name] = figures(model, classifier, name, learnt, source, given)
    if given.only is None:
        (given.out / "errors.json").write_text(json.dumps(found, indent=1) + "\n")
        (given.out / "table.md").write_text(table(found), encoding="utf-8")
    print(table(found), end="")


def figures(
    model: LMDM,
    classifier: PropertyNetwork,
    name: str,
    learnt: WholeMolecules,
    source: WholeMolecules,
    given: argparse.Namespace,
) -> Figures:
    """Every row of one property."""
    bare = rows_without_generator(classifier, name, learnt, source.take(np.arange(_HELD_OUT)))
    found: Figures = {row: shown([errors]) for row, errors in bare.items()}
    for row, seeds in (("asked", given.seeds), ("open", given.seeds[:1])):
        drawn = [
            kept(
                given.out / f"{name}-{row}-{given.samples}-{seed}.npz",
                partial(
                    answers,
                    model,
                    classifier,
                    name,
                    source,
                    given.samples,
                    seed=seed,
                    ask=row == "asked",
                ),
            )
            for seed in seeds
        ]
        of_valid = np.concatenate([one.errors[one.valid] for one in drawn])
        found[row] = shown([one.errors for one in drawn]) | {
            "stable": float(np.mean([one.stable.mean() for one in drawn])),
            "valid": float(np.mean([one.valid.mean() for one in drawn])),
            "mae_of_valid": float(of_valid.mean()),
        }
    return found


def kept(file: Path, draw: Callable[[], Answers]) -> Answers:
    """Answers from a file, which is made if it is missing."""
    if not file.exists():
        np.savez(file, **asdict(draw()))
    with np.load(file) as stored:
        return Answers(**stored)


def shown(errors: Sequence[NDArray[np.float64]]) -> dict[str, object]:
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
            one = found[name][row]
            digits = 0 if units[name] == "meV" else 2
            low, high = (f"{one[end]:.{digits}f}" for end in ("low", "high"))
            cells.append(f"{one['mae']:.{digits}f} [{low}, {high}]")
        rows.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


if __name__ == "__main__":
    main()

"""QM9's training split as what generated molecules are held against, shipped as hashes.

``python -m qhw.chem.training_split`` writes it again from ``qm9pack`` (some minutes on one core).
A molecule of the split is known by its published SMILES and by the one that the strict protocol
reads from its geometry: they differ for a few in a hundred.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from qhw.chem.novelty import HASH_BYTES, Known
from qhw.chem.qm9 import QM9, SAMPLE_SIZE, load_qm9, sample_molecules, source_facts, split
from qhw.chem.validity import judge

FILE = "qm9_training.npz"
NAME = "QM9's training split"
SAMPLE_NAME = f"the shipped {SAMPLE_SIZE:,}-molecule sample"


@cache
def known_molecules(folder: Traversable | None = None) -> Known:
    """What is not new: QM9's training split.

    Where its file is missing, the shipped sample stands in and its name says so: that is a
    hundredth as many molecules, so far more looks new.

    Args:
        folder: of the file, by default the package's data.

    Raises:
        ValueError: the file is damaged.
    """
    where = (files("qhw") / "data") if folder is None else folder
    file = where.joinpath(FILE)
    if not file.is_file():
        return Known.of(sample_molecules().smiles.tolist(), SAMPLE_NAME)
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        smiles, skeletons = (np.cumsum(arrays[f"{key}_steps"]) for key in ("smiles", "skeletons"))
        return Known(NAME, int(arrays["molecules"]), smiles, skeletons)


def known_from(data: QM9, name: str) -> Known:
    """Molecules by their published SMILES and by those read from their geometries."""
    read = {text for text in judge(data.molecules).smiles if text is not None}
    return Known.of(data.smiles.tolist(), name, also=read)


def write_training_split(folder: Path) -> Path:
    """Write the hashes and their card.

    Args:
        folder: an existing folder.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
    """
    data = load_qm9()
    rows = split(len(data))
    known = known_from(data.take(rows.train), NAME)
    target = folder / FILE
    np.savez_compressed(
        target,
        molecules=np.int64(known.molecules),
        smiles_steps=np.diff(known.smiles, prepend=np.uint64(0)),
        skeletons_steps=np.diff(known.skeletons, prepend=np.uint64(0)),
    )
    report = judge(data.molecules[rows.validation])
    new = known.novelty(report.smiles)
    card = {
        "schema": 1,
        "name": NAME,
        "molecules": known.molecules,
        "smiles": len(known.smiles),
        "skeletons": len(known.skeletons),
        "arrays": {
            "molecules": "int64, how many molecules they come from",
            "smiles_steps": "uint64, sorted hashes of canonical SMILES without stereo, each as its "
            "distance to the one before",
            "skeletons_steps": "likewise of skeletons: canonical SMILES of elements and bonds, all "
            "bonds single, no hydrogens, no charges",
        },
        "hash": f"BLAKE2b of the text, {HASH_BYTES} bytes, big-endian; a new molecule passes for "
        f"known with probability {len(known.smiles) / 2 ** (8 * HASH_BYTES):.1e}",
        "of_each_molecule": "the published SMILES, and that read from its geometry by "
        "qhw.chem.validity.judge (strict) where it is valid",
        "check_validation_split": {
            "molecules": report.samples,
            "valid": report.valid,
            "novel_unique": new.novel_unique,
            "skeletons": new.skeletons,
            "novel_skeletons": new.novel_skeletons,
        },
        "drawn": "training rows of qhw.chem.qm9.split",
        "command": "python -m qhw.chem.training_split",
        **source_facts(),
    }
    target.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    print(write_training_split(Path(str(files("qhw") / "data"))))

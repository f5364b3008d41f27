"""What generated molecules with hydrogens are held against: QM9 by EDM's split.

``python -m qhw.lmdm.reference`` writes both files again from ``qm9pack`` (minutes on one core).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from qhw.chem.edm import judge_edm, known_by_edm
from qhw.chem.geometries import Geometries
from qhw.chem.novelty import HASH_BYTES, Known
from qhw.chem.qm9 import source_facts
from qhw.lmdm.data import edm_split, load_whole_qm9

SAMPLE_FILE = "qm9_whole_sample.npz"
TRAINING_FILE = "qm9_edm_training.npz"
NAME = "QM9's training split by EDM"
_SAMPLE = 1_000


@cache
def whole_sample() -> Geometries:
    """1,000 molecules of QM9 with hydrogens, of EDM's test split."""
    with (files("qhw") / "data" / SAMPLE_FILE).open("rb") as stream, np.load(stream) as arrays:
        return Geometries(
            arrays["numbers"].astype(np.int64), arrays["positions"].astype(np.float64)
        )


@cache
def known_whole_molecules() -> Known:
    """EDM's training split of QM9, by the SMILES that EDM's rule reads from the geometries."""
    with (files("qhw") / "data" / TRAINING_FILE).open("rb") as stream, np.load(stream) as arrays:
        smiles = np.cumsum(arrays["smiles_steps"])
        return Known(NAME, int(arrays["molecules"]), smiles, np.zeros(0, dtype=np.uint64))


def write_reference(folder: Path) -> list[Path]:
    """Write sample, hashes and their cards.

    Args:
        folder: an existing folder.

    Raises:
        ModuleNotFoundError: ``qm9pack`` is not installed.
    """
    data = load_whole_qm9()
    train, _, test = edm_split(len(data))
    sample = data.take(test[:_SAMPLE]).geometries
    known = known_by_edm(data.take(train).geometries, NAME)
    written = folder / SAMPLE_FILE, folder / TRAINING_FILE
    np.savez_compressed(
        written[0],
        numbers=sample.numbers.astype(np.int8),
        positions=sample.positions.astype(np.float32),
    )
    np.savez_compressed(
        written[1],
        molecules=np.int64(known.molecules),
        smiles_steps=np.diff(known.smiles, prepend=np.uint64(0)),
    )
    cards = (
        {
            "molecules": len(sample),
            "arrays": {
                "numbers": "int8 (B, 29), atomic numbers, 0 = no atom",
                "positions": "float32 (B, 29, 3), angstrom",
            },
            "drawn": f"first {_SAMPLE} rows of the test split of qhw.lmdm.data.edm_split",
            "check_edm": judge_edm(sample, known=known).summary(),
        },
        {
            "molecules": known.molecules,
            "smiles": len(known.smiles),
            "arrays": {
                "molecules": "int64, how many molecules they come from",
                "smiles_steps": "uint64, sorted hashes, each as its distance to the one before",
            },
            "hash": f"BLAKE2b of the SMILES as qhw.chem.edm writes it, {HASH_BYTES} bytes, "
            "big-endian",
            "drawn": "training rows of qhw.lmdm.data.edm_split",
        },
    )
    for path, card in zip(written, cards, strict=True):
        whole = {"schema": 1, **card, "command": "python -m qhw.lmdm.reference", **source_facts()}
        text = json.dumps(whole, indent=2) + "\n"
        path.with_suffix(".json").write_text(text, encoding="utf-8")
    return list(written)


if __name__ == "__main__":
    print(*write_reference(Path(str(files("qhw") / "data"))), sep="\n")

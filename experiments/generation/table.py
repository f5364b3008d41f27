"""Validity, uniqueness and novelty of what is generated exactly, beside QM9 itself and memory.

    python experiments/generation/table.py experiments/generation/table.yaml --out DIR

Needs the extra `train` (QM9). Every line is printed as it comes and table.csv written.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from qhw.analysis.compare.model import make_prior
from qhw.analysis.scores.molecules import reports, wilson
from qhw.analysis.whole.distances import distances_to
from qhw.analysis.whole.mmd import BondLengthMMD
from qhw.chem.geometries import Geometries
from qhw.chem.molecule import ELEMENTS, MoleculeBatch
from qhw.chem.training_split import known_molecules
from qhw.chem.validity import ValidityReport
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.models.train import TrainingSet, qm9_training_set
from qhw.yaml_files import read_yaml

REFERENCE = 10_000
"""Training molecules whose bond lengths are compared with, one in ten."""


class Row(BaseModel):
    """What is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["validation", "memory", "prior"]
    model: str = ""
    prior: str = ""


class Config(BaseModel):
    """The whole table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int
    seed: int
    rows: tuple[Row, ...]


def main() -> None:
    """Every line under both protocols."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("config", type=Path)
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    torch.set_num_threads(1)
    config = Config.model_validate(read_yaml(given.config))
    known, data = known_molecules(), qm9_training_set()
    given.out.mkdir(parents=True, exist_ok=True)
    picked = np.random.default_rng(config.seed).choice(len(data.train), REFERENCE, replace=False)
    reference = heavy_atoms(data.train[picked])
    lines: list[dict[str, object]] = []
    for row in config.rows:
        molecules, parameters, spent = made(row, config, data)
        _, mmd = distances_to(heavy_atoms(molecules), reference)
        for report in reports(molecules, reference=known).values():
            lines.append(line(row, report, mmd, parameters, spent / len(molecules)))
            print(lines[-1], flush=True)
        with (given.out / "table.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def made(row: Row, config: Config, data: TrainingSet) -> tuple[MoleculeBatch, int, float]:
    """Molecules, parameters of what made them, and CPU seconds that took once all was fitted."""
    rng = np.random.default_rng(config.seed)
    if row.source == "validation":
        picked = rng.choice(len(data.validation), config.samples, replace=False)
        return data.validation[picked], 0, 0.0
    loaded, card = load(row.model)
    parameters = sum(one.numel() for one in loaded.parameters())
    exact = ExactModel(loaded.double(), card.name, "this table")
    if row.source == "memory":
        picked = rng.choice(len(data.train), config.samples, replace=False)
        latents = exact.directions(data.train[picked])
        return exact.molecules(exact.decoder(latents)), parameters, 0.0
    source = make_prior(row.prior, exact, sample_for(loaded), config.seed)
    start = time.process_time()
    molecules = exact.molecules(exact.decoder(source.sample(config.samples, rng)))
    return molecules, parameters, time.process_time() - start


def heavy_atoms(molecules: MoleculeBatch) -> Geometries:
    """Without hydrogens, which bonds between heavy atoms do not need."""
    numbers = np.array([*ELEMENTS, 0])[molecules.types]
    return Geometries(numbers, molecules.positions)


def line(
    row: Row, report: ValidityReport, mmd: BondLengthMMD, parameters: int, spent: float
) -> dict[str, object]:
    """Shares of all samples, validity with Wilson's interval; distance of all bond lengths."""
    valid = wilson(report.valid, report.samples)
    found: dict[str, object] = {
        "source": row.source,
        "model": row.model,
        "prior": row.prior,
        "protocol": report.protocol,
        "samples": report.samples,
        "valid": f"{valid.value:.4f}",
        "valid_low": f"{valid.low:.4f}",
        "valid_high": f"{valid.high:.4f}",
    }
    for key in ("unique/all", "novel_unique/all", "novel_skeletons/all"):
        rate = report.rates[key]
        found[key.removesuffix("/all")] = "" if rate is None else f"{rate:.4f}"
    reasons = (f"{why} {n}" for why, n in report.reasons.items() if why != "valid")
    found["bond_mmd"] = "" if mmd.mean is None else f"{mmd.mean:.4f}"
    found["bond_mmd_types"] = len(mmd.by_type)
    found["bond_mmd_floor"] = "" if mmd.floor is None else f"{mmd.floor:.4f}"
    found["model_parameters"] = parameters
    found["ms_per_molecule"] = f"{1000 * spent:.3g}"
    return {**found, "reasons": ", ".join(reasons)}


if __name__ == "__main__":
    main()

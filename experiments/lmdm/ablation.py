"""What the local branch and variational noise do, at equal steps and at equal time.

python experiments/lmdm/ablation.py --out DIR [--steps N] [--seeds S...] [--samples N]

Every arm is a small score network (width 32, 4 layers, batches of 32) which is like the base but
for one thing, trained on the latents of the shipped `lmdm`, whose autoencoder is not trained again.
Time is CPU time: steps of all arms are timed by turns first, and "equal time" is the number of
steps that takes as long as the base's `--steps`. A run that was stopped goes on; DIR/arms.jsonl has
a line a training, DIR/table.md the table.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from qhw.api.generating import lmdm
from qhw.chem.edm import judge_edm
from qhw.chem.whole_sdf import whole_rdkit
from qhw.lmdm.data import SizedBatches, WholeMolecules, edm_split, load_whole_qm9
from qhw.lmdm.evaluate import edm_shares
from qhw.lmdm.model import LMDM, LMDMConfig
from qhw.lmdm.network import NetworkConfig
from qhw.lmdm.training import LMDMRun, LMDMTrainConfig

BASE = "dual, no variational noise"
ARMS: dict[str, dict[str, int]] = {
    BASE: {"local": 5, "variational": 0},
    "global only": {"local": 0, "variational": 0},
    "dual, variational noise": {"local": 5, "variational": 4},
}
SHOWN = ("stable_atoms", "stable", "valid", "connected", "diversity", "held_out")
_HELD_OUT = 2_000
Figures = dict[str, Any]
_WIDTH, _LAYERS, _BATCH = 32, 4, 32
_ROUNDS, _TIMED = 8, 10
_STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Of a mean of so many values."""


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        arm: key of :data:`ARMS`.
        steps: of the optimiser.
        seed: of weights, order and noise, and of the draw.
    """

    arm: str
    steps: int
    seed: int

    @property
    def folder(self) -> str:
        """Its name on disk."""
        return f"{list(ARMS).index(self.arm)}-{self.steps}-{self.seed}"


def run_of(arm: str, steps: int, seed: int, shipped: LMDM, molecules: WholeMolecules) -> LMDMRun:
    """A training of the score network alone, on the shipped autoencoder's latents."""
    score = NetworkConfig(width=_WIDTH, layers=_LAYERS, local=ARMS[arm]["local"])
    config = LMDMTrainConfig.model_validate(
        {
            "name": "ablation",
            "model": {"kind": "lmdm", "config": {"score": score.model_dump()}},
            "steps": steps,
            "batch_size": _BATCH,
            "seed": seed,
            "report_every": 100,
        }
    )
    shape = LMDMConfig.model_validate(
        shipped.config.model_dump()
        | {"score": score.model_dump(), "variational": ARMS[arm]["variational"]}
    )
    run = LMDMRun(config, shape, molecules)
    assert shipped.autoencoder is not None
    for model in (run.model, run.average):
        assert model.autoencoder is not None
        model.autoencoder.load_state_dict(shipped.autoencoder.state_dict())
    run.first, run.total = 0, steps
    return run


def costs(shipped: LMDM, molecules: WholeMolecules) -> dict[str, float]:
    """CPU seconds of a step of every arm, timed by turns: median over rounds."""
    runs = {arm: run_of(arm, 1000, 0, shipped, molecules) for arm in ARMS}
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for round_ in range(_ROUNDS + 1):
        for arm, run in runs.items():
            started = time.process_time()
            for step in range(round_ * _TIMED, (round_ + 1) * _TIMED):  # the same batches for all
                run.step(step)
            found[arm].append((time.process_time() - started) / _TIMED)
    return {arm: statistics.median(each[1:]) for arm, each in found.items()}


def diversity(valid: list[Chem.Mol]) -> float:
    """1 - mean Tanimoto similarity of two molecules' Morgan fingerprints (radius 2), all pairs."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    prints = [generator.GetFingerprint(one) for one in valid]
    alike = [
        value
        for row in range(1, len(prints))
        for value in DataStructs.BulkTanimotoSimilarity(prints[row], prints[:row])
    ]
    return 1 - float(np.mean(alike)) if alike else math.nan


@torch.no_grad()
def held_out(model: LMDM, molecules: WholeMolecules) -> float:
    """Mean squared errors of the network's answers, positions and half of features, of molecules it
    did not learn from; the same noise for every arm."""
    bare = np.empty((len(molecules), 0), dtype=np.float32)
    batches = SizedBatches(molecules, model.config.elements, bare, _BATCH, 0)
    generator, total = torch.Generator(), 0.0
    for number, (atoms, rows) in enumerate(batches.epoch(0)):
        batch = batches.batch(atoms, rows)
        found = model.score_loss(
            *model.latent(batch), batch.conditions, generator.manual_seed(number)
        )
        total += len(rows) * float(found["total"] - model.config.variational_weight * found["kl"])
    return total / sum(len(rows) for _, rows in batches.epoch(0))


def trained(
    one: Training, out: Path, shipped: LMDM, molecules: WholeMolecules, kept: WholeMolecules, n: int
) -> Figures:
    """Train, draw, judge."""
    run = run_of(one.arm, one.steps, one.seed, shipped, molecules)
    folder = out / one.folder
    folder.mkdir(parents=True, exist_ok=True)
    started = time.process_time()
    run.train(folder, resume=True, progress=False)
    spent = time.process_time() - started
    drawn = run.average.eval().sample(n, seed=one.seed)
    found = judge_edm(drawn)
    valid = [m for m, good in zip(whole_rdkit(drawn), found.valid, strict=True) if good]
    for molecule in valid:
        Chem.SanitizeMol(molecule)
    return {
        "arm": one.arm,
        "steps": one.steps,
        "seed": one.seed,
        "cpu_seconds": round(spent, 1),
        **edm_shares([found]),
        "diversity": diversity(valid),
        "held_out": held_out(run.average, kept),
    }


def trainings(steps: dict[str, int], least: int, seeds: list[int]) -> Iterator[Training]:
    """Seed by seed: the base, and every arm at the base's steps and at its time."""
    for seed in seeds:
        for arm in ARMS:
            for number in dict.fromkeys((least, steps[arm])):
                yield Training(arm, number, seed)


def table(lines: list[Figures], steps: dict[str, int], least: int) -> str:
    """Mean over seeds, and of the paired difference to the base with its 95 % interval."""
    head = ["percent of all", "steps", "seeds", *SHOWN]
    rows = [head, ["---"] * len(head)]
    of = {(x["arm"], x["steps"], x["seed"]): x for x in lines}
    for arm in ARMS:
        for number in dict.fromkeys((least, steps[arm])):
            seeds = [s for a, n, s in of if (a, n) == (arm, number) and (BASE, least, s) in of]
            if not seeds:
                continue
            words = "" if arm == BASE else ", equal steps" if number == least else ", equal time"
            row = [f"{arm}{words}", f"{number:,}", str(len(seeds))]
            for name in SHOWN:
                here = [100 * of[arm, number, s][name] for s in seeds]
                there = [100 * of[BASE, least, s][name] for s in seeds]
                pairs = [h - t for h, t in zip(here, there, strict=True)]
                row.append(f"{np.mean(here):.1f}" + ("" if arm == BASE else difference(pairs)))
            rows.append(row)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def difference(pairs: list[float]) -> str:
    """A mean difference and its interval (Student's)."""
    middle = float(np.mean(pairs))
    if len(pairs) not in _STUDENT_95:
        return f" ({middle:+.1f})"
    half = _STUDENT_95[len(pairs)] * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return f" ({middle:+.1f} [{middle - half:+.1f}, {middle + half:+.1f}])"


def main() -> None:
    """Time, train, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300, help="of the base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    shipped, everything = lmdm("lmdm"), load_whole_qm9()
    train, validation, _ = edm_split(len(everything))
    molecules, kept = everything.take(train), everything.take(validation[:_HELD_OUT])
    timed = asked.out / "costs.json"
    if not timed.exists():
        timed.write_text(json.dumps(costs(shipped, molecules)) + "\n")
    cost = json.loads(timed.read_text())
    steps = {arm: round(asked.steps * cost[BASE] / cost[arm]) for arm in ARMS}
    file = asked.out / "arms.jsonl"
    lines = [json.loads(x) for x in file.read_text().splitlines()] if file.exists() else []
    done = {(x["arm"], x["steps"], x["seed"]) for x in lines}
    for one in trainings(steps, asked.steps, asked.seeds):
        if (one.arm, one.steps, one.seed) not in done:
            lines.append(trained(one, asked.out, shipped, molecules, kept, asked.samples))
            with file.open("a") as stream:
                stream.write(json.dumps(lines[-1]) + "\n")
        text = table(lines, steps, asked.steps)
        (asked.out / "table.md").write_text(text, encoding="utf-8")
    print(f"CPU milliseconds a step: { {arm: round(1000 * s, 1) for arm, s in cost.items()} }")
    print(text, end="")


if __name__ == "__main__":
    main()

"""Test errors against the number of training frames: a field, its own ridge start, and controls.

python experiments/train_force_field/learning_curve.py CONFIG.yaml --out DIR [--kinds circuit mlp]

Every training is `qhw train` of the config with other `frames`, `kind` and `seed`, in a folder of
its own under DIR; what is finished is not done again. DIR/curve.csv has a line for each.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from qhw.forces.config import ForceTrainConfig
from qhw.forces.training import train_force_field
from qhw.models.checkpoint import load

FRAMES = (50, 100, 200, 500, 950)
FIELDS = ("energy_mae", "force_mae")


def of(config: ForceTrainConfig, frames: int, kind: str, seed: int) -> ForceTrainConfig:
    """The config of one training; small sets keep the number of steps, up to tenfold epochs."""
    head = config.model.config.head.model_copy(update={"kind": kind})
    parts = config.model.config.model_copy(update={"head": head})
    most = max(FRAMES)
    return config.model_copy(
        update={
            "name": f"{config.name}-{kind}-{frames}-{seed}",
            "model": config.model.model_copy(update={"config": parts}),
            "data": config.data.model_copy(update={"frames": frames}),
            "epochs": min(10 * config.epochs, config.epochs * most // frames),
            "seed": seed,
        }
    )


def main() -> None:
    """Train what is missing, then write the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("config", type=Path)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--frames", type=int, nargs="+", default=list(FRAMES))
    asked.add_argument("--kinds", nargs="+", default=["circuit", "mlp"])
    asked.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = asked.parse_args()
    config = ForceTrainConfig.from_yaml(given.config)
    lines = []
    for frames in given.frames:
        for kind in given.kinds:
            for seed in given.seeds:
                folder = given.out / f"{kind}-{frames}-{seed}"
                if not (folder / "model.json").exists():
                    train_force_field(of(config, frames, kind, seed), folder)
                found = load(folder / "model.json")[1].metrics
                part = "test" if "test/energy_mae" in found else "validation"
                own = [found[f"{part}/{name}"] for name in FIELDS]
                start = [found[f"{part}/ridge/{name}"] for name in FIELDS]
                lines.append([frames, kind, seed, *own, *start])
                print(*lines[-1], flush=True)
    with (given.out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["frames", "kind", "seed", *FIELDS, *(f"ridge_{name}" for name in FIELDS)])
        table.writerows(
            [x if not isinstance(x, float) else f"{x:.4g}" for x in row] for row in lines
        )


if __name__ == "__main__":
    main()

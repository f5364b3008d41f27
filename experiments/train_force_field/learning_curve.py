"""Test errors against the number of training frames: a field, its own ridge start, and controls.

python experiments/train_force_field/learning_curve.py CONFIG.yaml --out DIR [--kinds circuit mlp]

Every training is `qhw train` of the config with other `frames`, `kind` and `seed`, in a folder of
its own under DIR; what is finished is not done again. DIR/curve.csv has a line for each, and
DIR/curve.svg draws them.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
from pathlib import Path

from matplotlib.figure import Figure

from qhw.forces.config import ForceTrainConfig
from qhw.forces.training import prepare, read_data, train_force_field
from qhw.models.checkpoint import load
from qhw.report.svg import house_style, to_svg

FRAMES = (50, 100, 200, 500, 950)
FIELDS = ("energy_mae", "force_mae")


def of(config: ForceTrainConfig, frames: int, kind: str, seed: int) -> ForceTrainConfig:
    """The config of one training, which has as many epochs for any number of frames."""
    head = config.model.config.head.model_copy(update={"kind": kind})
    parts = config.model.config.model_copy(update={"head": head})
    return config.model_copy(
        update={
            "name": f"{config.name}-{kind}-{frames}-{seed}",
            "model": config.model.model_copy(update={"config": parts}),
            "data": config.data.model_copy(update={"frames": frames}),
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
    lines: list[list[str | int | float]] = []
    for frames in sorted(given.frames):
        data = read_data(of(config, frames, "circuit", 0).data)
        ready = None
        for kind, seed in product(given.kinds, given.seeds):
            folder = given.out / f"{kind}-{frames}-{seed}"
            if not (folder / "model.json").exists():
                one = of(config, frames, kind, seed)
                ready = ready or prepare(one, data)
                train_force_field(one, folder, data=data, prepared=ready)
            lines.append([frames, kind, seed, *errors_in(folder)])
            print(*lines[-1], flush=True)
    with (given.out / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["frames", "kind", "seed", *FIELDS, *(f"ridge_{name}" for name in FIELDS)])
        table.writerows([[f"{x:.4g}" if isinstance(x, float) else x for x in r] for r in lines])
    (given.out / "curve.svg").write_text(drawn(lines), encoding="utf-8")


def errors_in(folder: Path) -> list[float]:
    """Energy and force errors of a finished training, and those of its ridge."""
    found = load(folder / "model.json")[1].metrics
    part = "test" if "test/energy_mae" in found else "validation"
    return [float(found[f"{part}/{kind}{name}"] or 0) for kind in ("", "ridge/") for name in FIELDS]


def drawn(lines: list[list[str | int | float]]) -> str:
    """Errors by frames, one line a kind (mean over seeds), the ridge start dashed."""
    with house_style():
        figure = Figure(figsize=(7.6, 3.4), layout="constrained")
        places = figure.subplots(1, 2)
        for place, name, unit in zip(places, ("energy", "force"), ("meV", "meV/Å"), strict=True):
            column = 3 if name == "energy" else 4
            kinds = {str(line[1]): column for line in lines} | {"ridge": column + 2}
            for kind, at in kinds.items():
                points: dict[int, list[float]] = {}
                for line in lines:
                    if kind in ("ridge", line[1]):
                        points.setdefault(int(line[0]), []).append(float(line[at]))
                values = [sum(v) / len(v) for v in points.values()]
                place.plot(list(points), values, "o--" if kind == "ridge" else "o-", label=kind)
            place.set_xscale("log")
            place.set_yscale("log")
            place.set_xlabel("training frames")
            place.set_ylabel(f"mean absolute {name} error, {unit}")
        places[0].legend(frameon=False)
        return to_svg(figure, "Test errors against the number of training frames")


if __name__ == "__main__":
    main()

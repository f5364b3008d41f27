"""Train faithful QVAE-Moles over kappa and depth and measure what their latents carry.

``python experiments/faithful_spread/sweep.py OUT [--epochs N] [NAME ...]`` trains the models of
``GRID`` (or those named) one after another on one core, leaves out what OUT has already, and
writes ``OUT/table.csv``, a line a model.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from qhw.analysis.compare.draw import draw_latents
from qhw.analysis.scores.baselines import constant_distances, prior_mean
from qhw.analysis.scores.metrics import total_variation
from qhw.analysis.scores.molecules import type_accuracy
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.validity import judge
from qhw.latent.priors import PositiveOrthant
from qhw.models.checkpoint import load
from qhw.models.exact import ExactModel
from qhw.models.qvae import QVAE
from qhw.models.train import ModelSpec, TrainConfig, TrainingSet, qm9_training_set, train

HELD_OUT, SAMPLES, SEED = 2000, 2000, 0
RELEASED: dict[str, JsonValue] = {
    "layout": "released",
    "loss": {"type_loss": "focal"},
    "decode": {"count": "threshold", "threshold": 0.2, "max_atoms": 9, "scale": "released"},
}
FIDELITY: dict[str, JsonValue] = {"loss": {"kind": "fidelity"}}
GRID: dict[str, dict[str, JsonValue]] = {
    **{
        f"l{blocks}-k{kappa}": {"n_blocks": blocks, "kappa": float(kappa)}
        for blocks in (4, 10)
        for kappa in (20, 100, 1000, 20000)
    },
    **{
        f"l{blocks}-k20000-{name}": {"n_blocks": blocks, "kappa": 20000.0, **changed}
        for blocks in (4, 10)
        for name, changed in (("fidelity", FIDELITY), ("fixed", {"frame": "fixed"}))
    },
    "l20-k20000": {"n_blocks": 20, "kappa": 20000.0},
    **{
        f"released-k{kappa:g}": {"n_blocks": 10, "kappa": kappa, **RELEASED}
        for kappa in (0.1, 1.0, 10.0, 100.0, 1000.0, 20000.0)
    },
    **{
        f"released-l{blocks}-k{kappa:g}": {"n_blocks": blocks, "kappa": kappa, **RELEASED}
        for blocks in (2, 4, 6, 8)
        for kappa in (0.1, 10.0, 100.0)
    },
}


def measured(path: Path, held_out: MoleculeBatch) -> dict[str, float | int]:
    """What a checkpoint's latents carry, and its molecules, all exact.

    Spreads are mean distances (total variation) from each row to the mean of the others, the
    constant that a device has to beat; ``skill_input`` is 1 - distance of the decoder's outcomes
    to the encoded molecule / distance of the constant to it.
    """
    loaded, card = load(path)
    assert isinstance(loaded, QVAE)
    kappa, model = loaded.kappa, ExactModel(loaded.double(), card.name)
    inputs = model.inputs(held_out)
    encoder = model.encoder(inputs)
    mu = model.direction(encoder)
    decoded = {
        "mean": model.decoder(mu),
        "drawn": model.decoder(draw_latents(mu, kappa, SEED)),
    }
    target = inputs**2
    found: dict[str, float | int] = {
        "spread_input": _spread(target),
        "spread_encoder": _spread(encoder),
        **{f"spread_{way}": _spread(p) for way, p in decoded.items()},
        **{f"skill_input_{way}": _skill(target, p) for way, p in decoded.items()},
    }
    rebuilt = model.molecules(decoded["drawn"]).padded(held_out.types.shape[1])
    found["types_drawn"] = float(type_accuracy(rebuilt, held_out).mean())
    found["strict_drawn"] = float(judge(rebuilt, "strict").is_valid.mean())
    latents = PositiveOrthant(model.latent_dim).sample(SAMPLES, np.random.default_rng(SEED))
    generated = model.molecules(model.decoder(latents))
    for protocol in ("released", "strict"):
        report = judge(generated, "released" if protocol == "released" else "strict")
        found |= {
            f"{protocol}_kept": report.kept,
            f"{protocol}_valid": report.valid,
            f"{protocol}_unique": report.unique,
        }
    return found


def _spread(p: NDArray[np.float64]) -> float:
    """Distance of the best constant that needs no quantum computer."""
    return float(constant_distances(p).mean(axis=1).min())


def _skill(target: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    constant = total_variation(target, prior_mean(target)).mean()
    return float(1.0 - total_variation(target, p).mean() / constant)


def _config(name: str, epochs: int, seed: int) -> TrainConfig:
    return TrainConfig(
        name=name,
        model=ModelSpec(kind="qvae", config=GRID[name]),
        epochs=epochs,
        schedule="cosine",
        seed=seed,
        evaluate=100,
    )


def _one(name: str, out: Path, epochs: int, seed: int, data: TrainingSet) -> Path:
    folder = out / f"{name}-e{epochs}-s{seed}"
    if (folder / "model.json").exists():
        return folder / "model.safetensors"
    return train(_config(name, epochs, seed), folder, data=data, progress=False)


def main() -> None:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of GRID, all by default")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[SEED])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = qm9_training_set()
    lines: list[dict[str, float | int | str]] = []
    for name in asked.names or GRID:
        for seed in asked.seeds:
            path = _one(name, asked.out, asked.epochs, seed, data)
            found = measured(path, data.validation[:HELD_OUT])
            lines.append({"model": name, "epochs": asked.epochs, "seed": seed, **found})
            with (asked.out / "table.csv").open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, lines[0].keys(), lineterminator="\n")
                writer.writeheader()
                writer.writerows(
                    {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
                    for line in lines
                )
            print(lines[-1], flush=True)


if __name__ == "__main__":
    main()

"""What a step of training and a molecule cost, branch by branch, beside a GeoLDM-sized network.

python -m benchmarks.lmdm [--seconds 5] [--rounds 3] [--compiled]

One thread, batches of 64 molecules of 18 atoms (QM9's mean), bfloat16 where a training uses it. CPU
time, the lowest of the rounds, in which networks take turns: of a busy machine read the ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from qhw.lmdm.autoencoder import AutoencoderConfig
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.model import LMDM, LMDMConfig
from qhw.lmdm.network import NetworkConfig

BATCH, ATOMS, STEPS = 64, 18, 5
SHAPES: dict[str, dict[str, Any]] = {
    "global only, plain": {"autoencoder": None},
    "global + local, plain": {"autoencoder": None, "score": NetworkConfig(local=5)},
    "global only, latent": {},
    "global + local, latent": {"score": NetworkConfig(local=5)},
    "global + local + variational noise, latent": {
        "score": NetworkConfig(local=5),
        "variational": 4,
    },
    "GeoLDM-sized plain EGNN, latent": {
        "autoencoder": AutoencoderConfig(
            features=1,
            encoder=NetworkConfig(width=256, layers=1),
            decoder=NetworkConfig(width=256, layers=9),
        ),
        "score": NetworkConfig(width=256, layers=9),
    },
}


def seconds_each(work: Callable[[], object], least: float) -> float:
    """CPU time of one call, after one that does not count."""
    work()
    calls, started = 0, time.process_time()
    while time.process_time() - started < least:
        work()
        calls += 1
    return (time.process_time() - started) / calls


@dataclass(frozen=True)
class Cost:
    """Of one network: its weights, seconds a step of training, seconds a molecule of 50 steps."""

    weights: int
    step: float
    molecule: float


def measured(shape: dict[str, Any], least: float, *, compiled: bool) -> Cost:
    """Cost of a model of this shape; a step is of the score network, on latents at hand."""
    generator = torch.Generator().manual_seed(0)
    model = LMDM(LMDMConfig(sizes=(ATOMS,), shares=(1.0,), **shape), generator)
    if compiled:
        model.score.compile(dynamic=True)
    optimizer = torch.optim.AdamW(model.parameters())
    x = torch.randn(BATCH, ATOMS, 3, generator=generator)
    x, h = x - x.mean(dim=1, keepdim=True), torch.randn(BATCH, ATOMS, model.features)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.score_loss(x, h, torch.empty(BATCH, 0), generator)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def draw() -> None:
        model.sample(BATCH, seed=0, sampling=SamplingConfig(steps=STEPS))

    weights = sum(p.numel() for p in model.parameters())
    drawn = seconds_each(draw, least) * 50 / STEPS / BATCH
    return Cost(weights, seconds_each(step, least), drawn)


def main() -> None:
    """Print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="Least time of a figure.")
    parser.add_argument("--rounds", type=int, default=3, help="Of which the lowest counts.")
    parser.add_argument("--compiled", action="store_true", help="Compile the score network.")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rounds = [
        {
            name: measured(shape, asked.seconds, compiled=asked.compiled)
            for name, shape in SHAPES.items()
        }
        for _ in range(asked.rounds)
    ]
    best = {
        name: (
            min(costs[name].step for costs in rounds),
            min(costs[name].molecule for costs in rounds),
        )
        for name in SHAPES
    }
    headings = ("weights", "step, ms", "to first", "examples/s", "molecules/s", "to first")
    print(f"{'network':44}" + "".join(f"{heading:>13}" for heading in headings))
    first_step, first_molecule = next(iter(best.values()))
    for name, (step, molecule) in best.items():
        print(
            f"{name:44}{rounds[0][name].weights:13d}{1000 * step:13.1f}{step / first_step:13.2f}"
            f"{BATCH / step:13.0f}{1 / molecule:13.1f}{first_molecule / molecule:13.2f}"
        )


if __name__ == "__main__":
    main()

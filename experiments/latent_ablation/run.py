"""Normal against von Mises-Fisher latents, quantum and classical (Fig. 6a of QVAE-Mole's paper).

    python experiments/latent_ablation/run.py OUT [ARM ...] [--seeds 0 1 2] [--epochs 12]

Needs the extra `train` (QM9). A line of OUT/table.csv per arm and seed; lines that are there stay.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from qhw.chem.validity import judge
from qhw.latent.vmf import mean_resultant_length
from qhw.latent.vmf_torch import sample
from qhw.models.losses import Targets, amplitude_loss
from qhw.models.qvae import QVAE, QVAEConfig
from qhw.models.registry import build
from qhw.models.train import qm9_training_set

SAMPLES, BATCH, DIM = 2000, 512, 32
Draw = Callable[[Tensor, torch.Generator], Tensor]
RELEASED = {
    "layout": "released",
    "loss": {"type_loss": "focal"},
    "decode": {"count": "threshold", "threshold": 0.2, "max_atoms": 9, "scale": "released"},
}


@dataclass(frozen=True)
class Arm:
    """One kind of autoencoder.

    Attributes:
        quantum: seven-qubit circuits of ten blocks; else two hidden layers of 64.
        latent: family.
        kappa: concentration of a vMF draw; a normal one of a quantum model has the same mean cosine
            with its mean, for amplitude encoding divides by the length.
        beta: weight of the divergence, of classical normal latents only: elsewhere it is constant.
    """

    quantum: bool
    latent: str
    kappa: float = 0.0
    beta: float = 0.0


ARMS = {
    **{
        f"quantum-{latent}-{kappa:g}": Arm(True, latent, kappa)
        for latent in ("vmf", "normal")
        for kappa in (10.0, 100.0)
    },
    **{f"classical-vmf-{kappa:g}": Arm(False, "vmf", kappa) for kappa in (10.0, 100.0)},
    **{f"classical-normal-{beta:g}": Arm(False, "normal", beta=beta) for beta in (0.1, 0.01)},
}


class Classical(nn.Module):
    """An autoencoder of the same amplitudes; outcomes are a softmax."""

    def __init__(self, normal: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(128, 64), nn.GELU(), nn.Linear(64, DIM * (2 if normal else 1))
        )
        self.decoder = nn.Sequential(
            nn.Linear(DIM, 64), nn.GELU(), nn.Linear(64, 128), nn.Softmax(-1)
        )


class Autoencoder:
    """An arm's model with what is random about it."""

    def __init__(self, arm: Arm, seed: int) -> None:
        self.arm = arm
        self.generator = torch.Generator().manual_seed(seed)
        made = build(
            "qvae", {"n_blocks": 10, "kappa": max(arm.kappa, 1.0), **RELEASED}, self.generator
        )
        assert isinstance(made, QVAE)
        self.qvae = made
        torch.manual_seed(seed)
        self.classical = None if arm.quantum else Classical(arm.latent == "normal")

    @property
    def config(self) -> QVAEConfig:
        """Layout, loss and decoding, of classical arms as well."""
        config: QVAEConfig = self.qvae.config
        return config

    @property
    def net(self) -> nn.Module:
        """What is trained."""
        return self.qvae if self.classical is None else self.classical

    def latents(self, amplitudes: Tensor) -> tuple[Tensor, Tensor]:
        """One draw a molecule, and the divergence that is not constant."""
        mean, spread = self._mean(amplitudes)
        nothing = mean.new_zeros(())
        if self.arm.latent == "vmf":
            return sample(mean, self.arm.kappa, self.generator), nothing
        noise = torch.randn(mean.shape, generator=self.generator)
        if self.arm.quantum:
            z = mean + noise * _spread_of(self.arm.kappa)
            return z / z.norm(dim=-1, keepdim=True), nothing
        divergence = 0.5 * (mean.square() + spread.exp() - spread - 1).sum(-1).mean()
        return mean + noise * (0.5 * spread).exp(), divergence

    def _mean(self, amplitudes: Tensor) -> tuple[Tensor, Tensor]:
        if self.classical is None:
            mean = self.qvae.latent_mean(self.qvae.encoder_probabilities(amplitudes))
            return mean, mean
        out: Tensor = self.classical.encoder(amplitudes)
        if self.arm.latent == "vmf":
            return nn.functional.normalize(out, dim=-1), out
        return out[:, :DIM], out[:, DIM:]

    def decoded(self, latents: Tensor) -> Tensor:
        """Distributions ``(B, 128)``."""
        if self.classical is None:
            return self.qvae.decoder_probabilities(latents)
        probabilities: Tensor = self.classical.decoder(latents)
        return probabilities

    def from_prior(self, rng: np.random.Generator) -> Tensor:
        """The released code's orthant (quantum), the normal, or the whole sphere."""
        z = torch.as_tensor(rng.normal(size=(SAMPLES, DIM)), dtype=torch.float32)
        if self.arm.quantum:
            z = z.abs()
        if self.arm.quantum or self.arm.latent == "vmf":
            z = z / z.norm(dim=-1, keepdim=True)
        return z


def _spread_of(kappa: float) -> float:
    """Standard deviation around a unit mean at which the direction has a vMF's mean cosine."""
    wanted = mean_resultant_length(DIM, kappa)
    return float(np.sqrt((1 / wanted**2 - 1) / DIM))


def train(model: Autoencoder, data: Targets, epochs: int, name: str) -> None:
    """Adam over all molecules, the rate falling as a cosine."""
    rate = 0.01 if model.arm.quantum else 0.003
    optimiser = torch.optim.Adam(model.net.parameters(), lr=rate)
    steps = epochs * (len(data) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    order = np.random.default_rng(1)
    for _ in track(range(epochs), name):
        shuffled = order.permutation(len(data))
        for start in range(0, len(data) - BATCH + 1, BATCH):
            batch = data[torch.as_tensor(shuffled[start : start + BATCH])]
            latents, divergence = model.latents(batch.amplitudes)
            terms = amplitude_loss(
                model.decoded(latents), batch, model.config.layout, model.config.loss
            )
            loss = terms["total"] + model.arm.beta * divergence
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()


@torch.no_grad()
def measured(model: Autoencoder, held_out: Targets) -> dict[str, float | int]:
    """Molecules of the prior, and of latents drawn around held-out molecules."""
    ways = {
        "prior": model.from_prior(np.random.default_rng(0)),
        "posterior": model.latents(held_out.amplitudes)[0],
    }
    found: dict[str, float | int] = {}
    for way, latents in ways.items():
        molecules = model.qvae.decode(model.decoded(latents))
        for protocol in ("released", "strict"):
            report = judge(molecules, "released" if protocol == "released" else "strict")
            found[f"{way}_{protocol}_valid"] = report.valid / report.samples
            found[f"{way}_{protocol}_different"] = report.unique / report.samples
        found[f"{way}_mean_atoms"] = float(molecules.counts.mean())
    return found


def main() -> None:
    """Train and measure what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("arms", nargs="*", metavar="ARM", help=f"{', '.join(ARMS)}; all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    table = asked.out / "table.csv"
    lines: list[dict[str, str]] = []
    if table.exists():
        with table.open(newline="") as stream:
            lines = list(csv.DictReader(stream))
    molecules = qm9_training_set()
    encoder = Autoencoder(ARMS["quantum-vmf-10"], 0).qvae
    data = encoder.precompute(molecules.train)
    held_out = encoder.precompute(molecules.validation[:SAMPLES])
    for name in asked.arms or ARMS:
        for seed in asked.seeds:
            head = {"arm": name, "seed": str(seed), "epochs": str(asked.epochs)}
            if any(head.items() <= line.items() for line in lines):
                continue
            model = Autoencoder(ARMS[name], seed)
            train(model, data, asked.epochs, f"{name}, seed {seed}")
            found = measured(model, held_out)
            lines.append({**head, **{k: f"{v:.4f}" for k, v in found.items()}})
            with table.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, lines[0].keys(), lineterminator="\n")
                writer.writeheader()
                writer.writerows(lines)


if __name__ == "__main__":
    main()

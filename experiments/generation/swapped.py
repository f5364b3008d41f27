"""The shipped latents and prior, another map in the decoder's place, every head in closed form.

    python experiments/generation/swapped.py experiments/generation/swapped.csv

What is kept: `nisq-chain5`'s encoder and the draws of `latent-diffusion`. What changes is between a
latent and the linear read-out, which is fitted to each map by least squares on draws around
training molecules. Shares differ row by row of the same draws, so that differences are paired.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from qhw.analysis.compare.model import make_prior
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.validity import judge
from qhw.latent.vmf_torch import sample
from qhw.models.checkpoint import load
from qhw.models.conditions import sample_for
from qhw.models.exact import ExactModel
from qhw.models.nisq import NISQVAE
from qhw.models.registry import build
from qhw.models.train import qm9_training_set

TRAINED_ON, DRAWS, HELD_OUT, SEED = 30_000, 5_000, 2_000, 0
RIDGE = 1e-6
BoolArray = NDArray[np.bool_]
Map = Callable[[Tensor], Tensor]


def circuit(shipped: NISQVAE | None, kind: str = "nisq", seed: int = 1, **config: object) -> Map:
    """Roots of outcomes of a decoder of the shipped depth; with the shipped angles, if given."""
    shape = {"encoder_layers": 4, "decoder_layers": 5, **config}
    model = build(kind, shape, torch.Generator().manual_seed(seed)).double()
    assert isinstance(model, NISQVAE)
    if shipped is not None:
        model.decoder_angles = shipped.decoder_angles
    return lambda z: model.read_out_features(model.decoder_probabilities(z))


def squares(z: Tensor) -> Tensor:
    """Coordinates and all products of two, scaled to about 1."""
    z = z * z.shape[1] ** 0.5
    return torch.cat([z, *(z[:, i:] * z[:, i : i + 1] for i in range(z.shape[1]))], dim=1)


def maps(shipped: NISQVAE) -> dict[str, Map]:
    """What stands between latent and head, by name."""
    found = {
        "shipped circuit": circuit(shipped),
        "shipped circuit, two bases": circuit(shipped, bases=2),
        "identity": circuit(None, "nisq-control", core="identity"),
        "identity, two bases": circuit(None, "nisq-control", core="identity", bases=2),
        "nothing: the latent itself": lambda z: z,
        "the latent and its products": squares,
    }
    for bases, words in ((1, ""), (2, ", two bases")):
        found |= {
            f"line, random angles{words}": circuit(None, bases=bases),
            f"tile, random angles{words}": circuit(
                None, bases=bases, decoder_layers=7, couplings="tile"
            ),
            f"random unitary{words}": circuit(None, "nisq-control", core="unitary", bases=bases),
        }
    return found


def fitted(features: Tensor, wanted: Tensor, rows: Tensor) -> Tensor:
    """Least squares of the rows that count, a little towards zero: ``(F, K)``."""
    x, y = features[rows], wanted[rows]
    ridge = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    found: Tensor = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
    return found


def head(features: Tensor, positions: Tensor, types: Tensor, n_types: int) -> Tensor:
    """A read-out ``(F, 72)``: positions of the atoms that there are, then one-hot types."""
    present = types >= 0
    kinds = functional.one_hot(torch.where(present, types, n_types - 1), n_types)
    every = torch.ones(len(features), dtype=torch.bool)
    parts = [fitted(features, positions[:, a], present[:, a]) for a in range(types.shape[1])]
    return torch.cat([*parts, fitted(features, kinds.flatten(1).to(features), every)], dim=1)


def valid(shipped: NISQVAE, features: Tensor, weight: Tensor) -> BoolArray:
    """Which rows are strictly valid."""
    molecules = molecules_of(features @ weight, shipped)
    return np.asarray(judge(molecules, "strict").is_valid)


def molecules_of(out: Tensor, shipped: NISQVAE) -> MoleculeBatch:
    """The house's own decoding of a read-out's numbers ``(B, 72)``."""

    class Given(NISQVAE):
        def read_out(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
            del probabilities
            return out[:, :27].reshape(-1, 9, 3), out[:, 27:].reshape(-1, 9, 5)

    given = Given(shipped.config, torch.Generator()).double()
    return given.decode(torch.full((len(out), 128), 1 / 128, dtype=torch.float64))


def main(path: str) -> None:
    """Write the table."""
    torch.set_num_threads(1)
    loaded, card = load("nisq-chain5")
    shipped = loaded.double()
    assert isinstance(shipped, NISQVAE)
    exact = ExactModel(shipped, card.name, "swapped.py")
    data = qm9_training_set(())
    train = shipped.precompute(data.train[:TRAINED_ON])
    generator = torch.Generator().manual_seed(SEED)
    prior = make_prior("latent-diffusion", exact, sample_for(shipped), SEED)
    drawn = torch.from_numpy(prior.sample(DRAWS, np.random.default_rng(SEED)))
    with torch.no_grad():
        around = [
            sample(shipped.encode(part), shipped.kappa, generator)
            for part in (data.train[:TRAINED_ON], data.validation[:HELD_OUT])
        ]
    first: BoolArray | None = None
    with Path(path).open("w", newline="") as file:
        write = csv.writer(file, lineterminator="\n")
        write.writerow(
            ["map", "features", "generated", "difference", "low", "high", "held_out_one_draw"]
        )
        for name, one in maps(shipped).items():
            with torch.no_grad():
                known, new, held = (
                    functional.pad(one(z), (0, 1), value=1.0) for z in (around[0], drawn, around[1])
                )
                weight = head(known, train.positions, train.types, 5)
                is_valid, rebuilt = (valid(shipped, x, weight) for x in (new, held))
            first = is_valid if first is None else first
            apart = 100 * (is_valid.astype(float) - first)
            half = 1.96 * apart.std() / len(apart) ** 0.5
            row = [100 * is_valid.mean(), apart.mean(), apart.mean() - half, apart.mean() + half]
            figures = [f"{value:.1f}" for value in (*row, 100 * rebuilt.mean())]
            write.writerow([name, known.shape[1] - 1, *figures])
            file.flush()
            print(name, *figures, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

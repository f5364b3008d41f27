"""Packages as users write them, installed into a folder: modules, and what pip puts beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MODEL = '''
from typing import ClassVar

import numpy as np
import torch
from pydantic import BaseModel
from torch import nn

from qhw.chem.molecule import MoleculeBatch
from qhw.circuits.ansatz import chain_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.models.base import Model
from qhw.models.layers import born_probabilities, circuit_matrix


class ToyConfig(BaseModel):
    layers: int = 1


class Toy(Model):
    """Draws pairs of carbons from a latent of four; it decodes, and does nothing else."""

    kind: ClassVar[str] = "toy"
    Config = ToyConfig
    latent_dim = 4

    def __init__(self, config, generator):
        super().__init__()
        self.config = config
        self.ansatz = chain_ansatz(3, config.layers)
        self.angles = nn.Parameter(torch.rand(self.ansatz.n_angles, generator=generator))

    def decoder_plan(self):
        weights = self.angles.detach().double().numpy()
        return CircuitPlan("amplitudes", (1, 2), None, self.ansatz, weights, (0, 1, 2))

    def decoder_probabilities(self, latents):
        return born_probabilities(circuit_matrix(self.ansatz, self.angles, (1, 2)), latents)

    def decode(self, probabilities):
        p = probabilities.detach().double().numpy()
        positions = np.zeros((len(p), 2, 3))
        positions[:, 1, 0] = 1.3 + 0.4 * p[:, 0]
        return MoleculeBatch(np.zeros((len(p), 2), dtype=np.int8), positions)

    def loss(self, molecules, generator):
        return {"total": self.decoder_probabilities(torch.full((1, 4), 0.5))[0, 0]}

    def metrics(self, molecules, generator):
        return {"atoms": float(molecules.counts.mean())}
'''
PRIOR = '''
import numpy as np


class Mine:
    """Around the first axis, the wider the larger the seed."""

    def __init__(self, dim, spread):
        self.dim, self.spread = dim, spread

    @classmethod
    def fitted(cls, model, molecules, seed):
        return cls(model.latent_dim, 0.1 + 0.1 * (seed % 7))

    def sample(self, n, rng):
        x = self.spread * rng.standard_normal((n, self.dim))
        x[:, 0] += 1.0
        return x / np.linalg.norm(x, axis=1, keepdims=True)


class Short(Mine):
    """Forgets a dimension."""

    def sample(self, n, rng):
        return super().sample(n, rng)[:, 1:]
'''
TECHNIQUE = """
from dataclasses import dataclass
from typing import ClassVar

import qhw
from qhw.mitigation.base import BOTH


@dataclass(frozen=True)
class Step:
    batches: tuple
    weight: int

    def combine(self, results, context):
        return results[0].noted(mine=self.weight)


@dataclass(frozen=True)
class Mine:
    weight: int
    name: ClassVar[str] = "mine"
    rank: ClassVar[int] = 0
    valid_for: ClassVar[frozenset] = BOTH
    circuits: ClassVar[int] = 1
    needs: ClassVar[tuple] = ("nothing",)

    def __str__(self):
        return f"{self.name}({self.weight})"

    def build(self, batch, context):
        return Step((batch,), self.weight)


@qhw.register("techniques", "mine")
def mine(words, options):
    return Mine(int(words[0]))


class Forgetful(Mine):
    name = "forgetful"

    def __str__(self):
        return "forgetful"


def forgetful(words, options):
    return Forgetful(int(words[0]) if words else 0)
"""
BACKEND = """
from backends.base import UnknownBackendError
from backends.exact import ExactBackend


class Mine(ExactBackend):
    def __init__(self, device):
        self.device = device

    @property
    def name(self):
        return f"mine:{self.device}"


def mine(device):
    if device != "thing":
        raise UnknownBackendError(f"mine has the device thing, but not {device!r}")
    return Mine(device)


def astray(device):
    return Mine(device)
"""
TOY: Mapping[str, Mapping[str, str]] = {
    "qhw.models": {"toy": "toyqhw.model:Toy"},
    "qhw.priors": {"mine": "toyqhw.prior:Mine", "short": "toyqhw.prior:Short"},
    "qhw.techniques": {
        "mine": "toyqhw.technique:mine",
        "forgetful": "toyqhw.technique:forgetful",
        "none": "toyqhw.technique:mine",
    },
    "qhw.backends": {"mine": "toyqhw.backend:mine", "astray": "toyqhw.backend:astray"},
}
BROKEN: Mapping[str, Mapping[str, str]] = {
    "qhw.models": {"gone": "brokenqhw.nowhere:Gone", "number": "brokenqhw:NUMBER"},
    "qhw.priors": {"leaves": "brokenqhw.leaves:Prior", "uniform-sphere": "brokenqhw:Prior"},
    "qhw.techniques": {"Twice": "brokenqhw:NUMBER", "twice": "brokenqhw:twice"},
    "qhw.backends": {"broken": "brokenqhw.raises:make"},
    "qhw.modles": {"lost": "brokenqhw:NUMBER"},
}
OTHER: Mapping[str, Mapping[str, str]] = {"qhw.techniques": {"twice": "otherqhw:twice"}}


def install(site: Path) -> None:
    """A package that works, one that does not, and one that takes a name of another's."""
    _write(
        site,
        "toyqhw",
        TOY,
        {"model": MODEL, "prior": PRIOR, "technique": TECHNIQUE, "backend": BACKEND},
    )
    broken = {
        "__init__": "NUMBER = 3\ndef twice(words, options): ...\nclass Prior: ...\n",
        "leaves": "import sys\nsys.exit(3)\n",
        "raises": "raise RuntimeError('two\\nlines \\x1b[2J' + 'x' * 5000)\n",
    }
    _write(site, "brokenqhw", BROKEN, broken)
    _write(site, "otherqhw", OTHER, {"__init__": "def twice(words, options): ...\n"})


def _write(
    site: Path, name: str, points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]
) -> None:
    for module, text in {"__init__": "", **modules}.items():
        path = site / name / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{key} = {place}" for key, place in entries.items())])
        for group, entries in points.items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")

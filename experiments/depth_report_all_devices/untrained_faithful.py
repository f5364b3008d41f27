"""Write an untrained faithful QVAE-Mole checkpoint: gate counts do not depend on the weights."""

import sys
from pathlib import Path

import torch

from qhw.models.checkpoint import save
from qhw.models.registry import build

save(
    build("qvae", {}, torch.Generator().manual_seed(0)),
    Path(sys.argv[1]),
    name="qvae-untrained",
    training={"note": "random weights of seed 0"},
)

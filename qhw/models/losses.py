"""Reconstruction losses on amplitudes: the paper's four terms, and infidelity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from qhw.chem.encoding import BoundingBox, Layout, encode, slots
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch

_TINY = 1e-12
"""Keeps square roots differentiable at zero; far below any amplitude that matters."""


class LossConfig(BaseModel):
    """Which loss, and its weights.

    Attributes:
        kind: ``"paper"``: coordinates + type_weight * types + norm_weight * norms +
            rest_weight * rest; ``"fidelity"``: 1 - <target, output>^2.
        type_loss: ``"cross_entropy"`` (paper) or ``"focal"`` (released code, exponent 2).
        class_weights: of C, N, O, F in the type loss (released code).
        type_weight: the paper's a.
        norm_weight: the paper's b; 100 as released.
        rest_weight: the paper's c.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["paper", "fidelity"] = "paper"
    type_loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    class_weights: tuple[float, float, float, float] = (0.3, 0.8, 0.5, 1.2)
    type_weight: float = Field(default=1.0, ge=0)
    norm_weight: float = Field(default=100.0, ge=0)
    rest_weight: float = Field(default=1.0, ge=0)


@dataclass(frozen=True, eq=False)
class Targets:
    """What a batch's amplitudes should be, as tensors made once before training.

    Attributes:
        amplitudes: encoded molecules ``(B, 128)``.
        types: atom types ``(B, 9)`` int64, -1 where there is no atom.
        rest: weight of each amplitude in the last loss term, ``(B, 128)``: one over the number of
            atoms on auxiliary values, one over their number on padding, else 0.
    """

    amplitudes: Tensor
    types: Tensor
    rest: Tensor

    def __len__(self) -> int:
        return len(self.amplitudes)

    def __getitem__(self, rows: Tensor) -> Targets:
        return Targets(self.amplitudes[rows], self.types[rows], self.rest[rows])


def make_targets(
    molecules: MoleculeBatch, layout: Layout, box: BoundingBox, dtype: torch.dtype
) -> Targets:
    """Encode molecules that stand in their frame.

    Raises:
        ValueError: a molecule that cannot be encoded.
    """
    amplitudes = encode(molecules, layout=layout, box=box)
    rest = np.zeros_like(amplitudes)
    for n in np.unique(molecules.counts):
        where = slots(layout, int(n))
        weights = np.zeros(amplitudes.shape[1])
        weights[where.aux] = 1.0 / n
        weights[where.padding] = 1.0 / len(where.padding)
        rest[molecules.counts == n] = weights
    return Targets(
        torch.as_tensor(amplitudes, dtype=dtype),
        torch.as_tensor(molecules.types[:, :MAX_ATOMS].astype(np.int64)),
        torch.as_tensor(rest, dtype=dtype),
    )


def amplitude_loss(
    probabilities: Tensor, targets: Targets, layout: Layout, config: LossConfig
) -> dict[str, Tensor]:
    """The loss of a batch, its terms by name and their weighted sum as ``total``.

    With alpha = sqrt(probabilities), and means over a molecule's atoms and over the batch:
    coordinates: ``|alpha_xyz - target|_2``; types: weighted ``-log p_t`` (focal: times
    ``(1 - p_t)^2``) with ``p_t = alpha_t^2 / sum alpha_types^2``; norms:
    ``(sum alpha_types^2 - 1/(4n))^2``; rest: ``|aux - target|`` and ``|padding|``.

    Args:
        probabilities: decoder distribution ``(B, 128)``.
        targets: of the same molecules.
        layout: of the targets.
        config: kind and weights.

    Source: QVAE-Mole (NeurIPS 2024), section 3.4; weights and means as released.
    """
    alpha = probabilities.clamp_min(_TINY).sqrt()
    if config.kind == "fidelity":
        overlap = (alpha * targets.amplitudes).sum(-1)
        total = 1 - overlap.square().mean()
        return {"infidelity": total, "total": total}
    present = (targets.types >= 0).to(alpha.dtype)
    counts = present.sum(-1, keepdim=True)
    weights = present / (counts * len(alpha))
    stride = 8 if layout == "paper" else 7
    atoms = alpha[:, : MAX_ATOMS * stride].reshape(-1, MAX_ATOMS, stride)
    wanted = targets.amplitudes[:, : MAX_ATOMS * stride].reshape(-1, MAX_ATOMS, stride)
    offsets = (atoms[..., :3] - wanted[..., :3]).square().sum(-1)
    mass = atoms[..., 3:7].square()
    block = mass.sum(-1)
    terms = {
        "coordinates": (weights * (offsets + _TINY).sqrt()).sum(),
        "types": (weights * _type_loss(mass / block.unsqueeze(-1), targets.types, config)).sum(),
        "norms": (weights * (block - 0.25 / counts).square()).sum(),
        "rest": (targets.rest * (alpha - targets.amplitudes).abs()).sum() / len(alpha),
    }
    terms["total"] = (
        terms["coordinates"]
        + config.type_weight * terms["types"]
        + config.norm_weight * terms["norms"]
        + config.rest_weight * terms["rest"]
    )
    return terms


def _type_loss(shares: Tensor, types: Tensor, config: LossConfig) -> Tensor:
    """Weighted loss of every atom slot, ``(B, 9)``; slots without an atom hold a dummy value."""
    wanted = types.clamp_min(0)
    share = shares.gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
    loss = -share.clamp_min(_TINY).log()
    if config.type_loss == "focal":
        loss = (1 - share).square() * loss
    table = torch.tensor(config.class_weights, dtype=shares.dtype, device=shares.device)
    return functional.embedding(wanted, table.unsqueeze(-1)).squeeze(-1) * loss

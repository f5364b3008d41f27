"""Reconstruction losses on amplitudes: the paper's four terms, and infidelity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from qhw.chem.encoding import BoundingBox, Layout, encode, slots
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch

TINY = 1e-12
"""Keeps square roots differentiable at zero; far below any amplitude that matters."""
PAPER_TERMS = ("coordinates", "types", "norms", "rest")


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

    def __getitem__(self, rows: Tensor | slice) -> Targets:
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
    ``(sum alpha_types^2 - 1/(4n))^2``; rest: ``|aux - target|`` and ``|padding|``. Only ``total``
    is differentiable.

    Args:
        probabilities: decoder distribution ``(B, 128)``.
        targets: of the same molecules.
        layout: of the targets.
        config: kind and weights.

    Source: QVAE-Mole (NeurIPS 2024), section 3.4; weights and means as released.
    """
    total, terms = _AmplitudeLoss.apply(  # type: ignore[no-untyped-call]
        probabilities, targets, layout, config
    )
    return named_terms(total, terms, config)


def named_terms(total: Tensor, terms: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """The dictionary of :func:`amplitude_loss` from the total and its unweighted terms."""
    names = ("infidelity",) if config.kind == "fidelity" else PAPER_TERMS
    return {**dict(zip(names, terms.unbind(0), strict=True)), "total": total}


def term_weights(config: LossConfig) -> list[float]:
    """What each term counts in the total."""
    if config.kind == "fidelity":
        return [1.0]
    return [1.0, config.type_weight, config.norm_weight, config.rest_weight]


class _AmplitudeLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        probabilities: Tensor,
        targets: Targets,
        layout: Layout,
        config: LossConfig,
    ) -> tuple[Tensor, Tensor]:
        alpha = probabilities.T.clamp_min(TINY).sqrt()
        terms, grad = terms_and_gradient(alpha, targets, layout, config, len(targets))
        ctx.save_for_backward(probabilities, alpha, grad)
        ctx.mark_non_differentiable(terms)
        return terms @ terms.new_tensor(term_weights(config)), terms

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor, None, None, None]:
        probabilities, alpha, grad = ctx.saved_tensors  # type: ignore[attr-defined]
        inner = (grad / alpha).T.masked_fill(probabilities < TINY, 0)
        return inner * (0.5 * grads[0]), None, None, None


def terms_and_gradient(
    alpha: Tensor, targets: Targets, layout: Layout, config: LossConfig, batch: int
) -> tuple[Tensor, Tensor]:
    """The unweighted terms of some molecules of a batch, and the total's gradient by hand.

    One sample a column: every operation then runs over long rows.

    Args:
        alpha: root of the output distribution, ``(128, b)``.
        targets: of the same ``b`` molecules.
        layout: of the targets.
        config: kind and weights.
        batch: molecules that the means are over.

    Returns:
        Terms ``(4,)``, or ``(1,)`` for the infidelity, as these molecules' part of the batch
        mean; gradient ``(128, b)`` of the weighted sum with respect to ``alpha``.
    """
    wanted = targets.amplitudes.T.contiguous()
    if config.kind == "fidelity":
        overlap = (alpha * wanted).sum(0)
        lost = len(targets) - overlap.square().sum()
        return lost.reshape(1) / batch, wanted * (overlap * (-2 / batch))
    difference = alpha - wanted
    grad = difference.sign().mul_(targets.rest.T.contiguous())
    rest = torch.dot(grad.reshape(-1), difference.reshape(-1)) / batch
    grad *= config.rest_weight / batch

    def slots_of(values: Tensor) -> Tensor:
        stride = 8 if layout == "paper" else 7
        return values[: MAX_ATOMS * stride].view(MAX_ATOMS, stride, -1)

    types = targets.types.T.contiguous()
    present = (types >= 0).to(alpha.dtype)
    counts = present.sum(0)
    weights = present / (counts * batch)
    offsets = slots_of(difference)[:, :3]
    distances = offsets.square().sum(1).add_(TINY).sqrt_()
    slots_of(grad)[:, :3].addcmul_(offsets, (weights / distances).unsqueeze(1))

    atoms = slots_of(alpha)[:, 3:7]
    mass = atoms.square()
    block = mass.sum(1)
    excess = block - 0.25 / counts
    kinds = types.clamp_min_(0)
    share = mass.gather(1, kinds.unsqueeze(1)).squeeze(1) / block
    loss, slope = _type_loss(share, kinds, config)
    slope = slope * weights * config.type_weight / block
    # A mass counts in its block's norm and in the share's denominator, the right type's also in
    # the numerator.
    common = weights * excess * (2 * config.norm_weight) - slope * share
    by_mass = common.unsqueeze(1).repeat(1, 4, 1)
    by_mass.scatter_add_(1, kinds.unsqueeze(1), slope.unsqueeze(1))
    slots_of(grad)[:, 3:7].addcmul_(by_mass, atoms, value=2)
    terms = [(weights * x).sum() for x in (distances, loss, excess.square())]
    return torch.stack([*terms, rest]), grad


def _type_loss(shares: Tensor, types: Tensor, config: LossConfig) -> tuple[Tensor, Tensor]:
    """Weighted loss of every atom slot ``(9, b)`` and its slope in the share of the right type."""
    factor = shares.new_tensor(config.class_weights)[types]
    bounded = shares.clamp_min(TINY)
    log, slope = bounded.log(), -(shares >= TINY).to(shares.dtype) / bounded
    if config.type_loss == "focal":
        missing = 1 - shares
        return -factor * missing.square() * log, factor * missing * (2 * log + missing * slope)
    return -factor * log, factor * slope

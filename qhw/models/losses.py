"""Reconstruction losses on amplitudes: the paper's four terms, and infidelity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.autograd.function import once_differentiable

from qhw.chem.encoding import LAYOUTS, N_AMPLITUDES, BoundingBox, Layout, encode, slots
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch
from qhw.models.kernels import FLOOR, infidelity, paper_loss

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
    """

    amplitudes: Tensor
    types: Tensor

    def __len__(self) -> int:
        return len(self.amplitudes)

    def __getitem__(self, rows: Tensor | slice) -> Targets:
        return Targets(self.amplitudes[rows], self.types[rows])


def make_targets(
    molecules: MoleculeBatch, layout: Layout, box: BoundingBox, dtype: torch.dtype
) -> Targets:
    """Encode molecules that stand in their frame.

    Raises:
        ValueError: a molecule that cannot be encoded.
    """
    return Targets(
        torch.as_tensor(encode(molecules, layout=layout, box=box), dtype=dtype),
        torch.as_tensor(molecules.types[:, :MAX_ATOMS].astype(np.int64)),
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
    """The dictionary of :func:`amplitude_loss` from the total and its unweighted terms ``(4,)``."""
    names = ("infidelity",) if config.kind == "fidelity" else PAPER_TERMS
    return {**dict(zip(names, terms.unbind(0), strict=False)), "total": total}


def term_weights(config: LossConfig) -> list[float]:
    """What each of the four terms counts in the total; the infidelity stands first and alone."""
    if config.kind == "fidelity":
        return [1.0, 0.0, 0.0, 0.0]
    return [1.0, config.type_weight, config.norm_weight, config.rest_weight]


def kernel_settings(layout: Layout, config: LossConfig, dtype: Any) -> tuple[Any, ...]:
    """What :func:`qhw.models.kernels.reconstruct` takes as ``loss``."""
    weights = (config.type_weight, config.norm_weight, config.rest_weight, *config.class_weights)
    return (
        config.kind == "paper",
        _layout_table(layout),
        np.array(weights, dtype),
        config.type_loss == "focal",
    )


@lru_cache(maxsize=len(LAYOUTS))
def _layout_table(layout: Layout) -> NDArray[np.int64]:
    """``layout`` of :func:`qhw.models.kernels.paper_loss`."""
    table = np.zeros((3, N_AMPLITUDES), np.int64)
    for n in range(1, MAX_ATOMS + 1):
        where = slots(layout, n)
        # With more atoms an amplitude goes from padding to an auxiliary value to the others.
        table[1, where.padding] = n
        table[2, where.padding] = n
        table[2, where.aux] = n
    table[0] = slots(layout, MAX_ATOMS).places[1, 0]
    return table


class _AmplitudeLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        probabilities: Tensor,
        targets: Targets,
        layout: Layout,
        config: LossConfig,
    ) -> tuple[Tensor, Tensor]:
        alpha = probabilities.detach().T.clamp_min(FLOOR).sqrt().contiguous()
        grad, terms = torch.empty_like(alpha), np.zeros(len(PAPER_TERMS))
        wanted = targets.amplitudes.T.contiguous().numpy()
        values, types, each = alpha.numpy(), targets.types.numpy(), 1 / len(targets)
        paper, table, weights, focal = kernel_settings(layout, config, values.dtype)
        if paper:
            paper_loss(values, wanted, types, each, table, weights, focal, grad.numpy(), terms)
        else:
            infidelity(values, wanted, types, each, grad.numpy(), terms)
        ctx.save_for_backward(probabilities, alpha, grad)
        found = torch.from_numpy(terms).to(alpha.dtype)
        ctx.mark_non_differentiable(found)
        return found @ found.new_tensor(term_weights(config)), found

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor, None, None, None]:
        probabilities, alpha, grad = ctx.saved_tensors  # type: ignore[attr-defined]
        inner = (grad / alpha).T.masked_fill(probabilities < FLOOR, 0)
        return inner * (0.5 * grads[0]), None, None, None

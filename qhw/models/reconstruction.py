"""Loss of a batch through both circuits and the latent draw, with its gradient by hand.

The chain is short and always the same, so its adjoint is written out: every intermediate lives in
a piece of the batch that fits into the cache, and is overwritten by its own gradient. One sample
a column: operations run over long rows, and sums over traced wires over whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qhw.chem.encoding import Layout
from qhw.latent.vmf_torch import Noise, reflect, reflect_gradient
from qhw.models.losses import (
    TINY,
    LossConfig,
    Targets,
    named_terms,
    term_weights,
    terms_and_gradient,
)

PIECE = 512
"""Columns at a time: a piece's largest intermediate has half a megabyte."""


def reconstruction_loss(
    encoder: Tensor,
    decoder: Tensor,
    data: Targets,
    noise: Noise,
    layout: Layout,
    config: LossConfig,
) -> dict[str, Tensor]:
    """Losses as :func:`qhw.models.losses.amplitude_loss`; only ``total`` is differentiable.

    Args:
        encoder: ``(2**n, k)`` complex; the inputs are the first ``k`` amplitudes. Rows have the
            traced wires in front of the measured ones.
        decoder: ``(128, d)`` complex, from a latent of dimension ``d`` (a power of two) to the
            output amplitudes.
        data: amplitudes of the molecules, zero from ``k`` on, and what the output should be.
        noise: of the vMF draw, ``d`` values a molecule.
        layout: of the targets.
        config: kind and weights of the loss.
    """
    total, terms = _Reconstruction.apply(  # type: ignore[no-untyped-call]
        encoder, decoder, data, noise, layout, config
    )
    return named_terms(total, terms, config)


@dataclass(slots=True)
class _Sums:
    """What the pieces add up to: gradients of the real matrices, and the terms."""

    encoder: Tensor
    decoder: Tensor
    terms: Tensor | None = None


class _Reconstruction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        encoder: Tensor,
        decoder: Tensor,
        data: Targets,
        noise: Noise,
        layout: Layout,
        config: LossConfig,
    ) -> tuple[Tensor, Tensor]:
        first, second = _real(encoder), _real(decoder)
        sums = _Sums(torch.zeros_like(first), torch.zeros_like(second))
        for start in range(0, len(data), PIECE):
            rows = slice(start, start + PIECE)
            _add_piece(sums, first, second, data[rows], noise[rows], layout, config, len(data))
        assert sums.terms is not None
        ctx.save_for_backward(_complex(sums.encoder), _complex(sums.decoder))
        ctx.mark_non_differentiable(sums.terms)
        return sums.terms @ sums.terms.new_tensor(term_weights(config)), sums.terms

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None]:
        encoder, decoder = ctx.saved_tensors  # type: ignore[attr-defined]
        return encoder * grads[0], decoder * grads[0], None, None, None, None


def _add_piece(
    sums: _Sums,
    encoder: Tensor,
    decoder: Tensor,
    data: Targets,
    noise: Noise,
    layout: Layout,
    config: LossConfig,
    batch: int,
) -> None:
    """Forward and backward of some molecules of the batch."""
    inputs = data.amplitudes[:, : encoder.shape[1]]
    latent_dim = decoder.shape[1]
    parts = torch.mm(encoder, inputs.T).view(-1, latent_dim, len(data))
    measured = parts.square().sum(0)
    root = measured.clamp_min(TINY).sqrt_()
    length = root.square().sum(0).sqrt_()
    mean = root / length
    latent = reflect(mean, noise)
    output = torch.mm(decoder, latent).view(2, -1, len(data))
    squares = output[0].square().addcmul_(output[1], output[1])
    alpha = squares.clamp_min(TINY).sqrt_()
    terms, by_alpha = terms_and_gradient(alpha, data, layout, config, batch)
    sums.terms = terms if sums.terms is None else sums.terms + terms

    output *= by_alpha.div_(alpha).masked_fill_(squares < TINY, 0)
    by_output = output.view(-1, len(data))
    sums.decoder.addmm_(by_output, latent.T)
    by_mean = reflect_gradient(mean, noise, latent, torch.mm(decoder.T, by_output))
    by_root = (by_mean - mean * (mean * by_mean).sum(0)).div_(length)
    parts *= by_root.div_(root).masked_fill_(measured < TINY, 0)
    sums.encoder.addmm_(parts.view(-1, len(data)), inputs)


def _real(matrix: Tensor) -> Tensor:
    """Real parts of the rows, then imaginary parts."""
    return torch.cat([matrix.real, matrix.imag])


def _complex(stacked: Tensor) -> Tensor:
    return torch.complex(*stacked.tensor_split(2))

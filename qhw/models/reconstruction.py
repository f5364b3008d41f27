"""Loss of a batch through both circuits and the latent draw, with its gradient by hand.

The chain is short and always the same, so its adjoint is written out: every intermediate lives in
a piece of the batch that fits into the cache, and is overwritten by its own gradient. One sample
a column: operations run over long rows, and sums over traced wires over whole rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

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

_Found = tuple[Tensor, Tensor, Tensor]
PIECE = 512
"""Columns at a time: a piece's largest intermediate has half a megabyte."""


def reconstruction_loss(
    encoder: Tensor,
    decoder: Tensor,
    data: Targets,
    noise: Noise,
    layout: Layout,
    config: LossConfig,
    threads: int = 1,
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
        threads: how many pieces of the batch are done at a time; the result does not depend on it.
    """
    total, terms = _Reconstruction.apply(  # type: ignore[no-untyped-call]
        encoder, decoder, data, noise, layout, config, threads
    )
    return named_terms(total, terms, config)


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
        threads: int,
    ) -> tuple[Tensor, Tensor]:
        first, second = _real(encoder), _real(decoder)

        def piece(start: int) -> _Found:
            rows = slice(start, start + PIECE)
            return _piece(first, second, data[rows], noise[rows], layout, config, len(data))

        # Added in the order of the batch, whichever thread did them: the sum is reproducible.
        found = [sum(parts) for parts in zip(*_spread(piece, len(data), threads), strict=True)]
        by_encoder, by_decoder, terms = map(torch.as_tensor, found)
        ctx.save_for_backward(_complex(by_encoder), _complex(by_decoder))
        ctx.mark_non_differentiable(terms)
        return terms @ terms.new_tensor(term_weights(config)), terms

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        encoder, decoder = ctx.saved_tensors  # type: ignore[attr-defined]
        return encoder * grads[0], decoder * grads[0], None, None, None, None, None


def _spread(piece: Callable[[int], _Found], size: int, threads: int) -> list[_Found]:
    """Do the pieces, each on one thread: splitting every small operation would cost more."""
    starts = range(0, size, PIECE)
    workers = min(threads, len(starts))
    if workers == 1:
        return [piece(start) for start in starts]
    with _one_torch_thread(), ThreadPoolExecutor(workers) as pool:
        # Whether gradients are recorded is a setting of each thread; here they are not.
        return list(pool.map(torch.no_grad()(piece), starts))


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _piece(
    encoder: Tensor,
    decoder: Tensor,
    data: Targets,
    noise: Noise,
    layout: Layout,
    config: LossConfig,
    batch: int,
) -> _Found:
    """Gradients of the real matrices and the terms, for some molecules of the batch."""
    inputs = data.amplitudes[:, : encoder.shape[1]]
    latent_dim = decoder.shape[1]
    parts = torch.mm(encoder, inputs.T).view(-1, latent_dim, len(data))
    root = parts.square().sum(0).clamp_min_(TINY).sqrt_()
    length = root.square().sum(0).sqrt_()
    mean = root / length
    latent = reflect(mean, noise)
    output = torch.mm(decoder, latent).view(2, -1, len(data))
    alpha = output[0].square().addcmul_(output[1], output[1]).clamp_min_(TINY).sqrt_()
    terms, by_alpha = terms_and_gradient(alpha, data, layout, config, batch)

    # Where a root was kept from zero its slope is not cut off: the factor beside it is as small.
    output *= by_alpha.div_(alpha)
    by_output = output.view(-1, len(data))
    by_mean = reflect_gradient(mean, noise, latent, torch.mm(decoder.T, by_output))
    by_root = (by_mean - mean * (mean * by_mean).sum(0)).div_(length)
    parts *= by_root.div_(root)
    by_parts = parts.view(-1, len(data))
    return torch.mm(by_parts, inputs), torch.mm(by_output, latent.T), terms


def _real(matrix: Tensor) -> Tensor:
    """Real parts of the rows, then imaginary parts."""
    return torch.cat([matrix.real, matrix.imag])


def _complex(stacked: Tensor) -> Tensor:
    return torch.complex(*stacked.tensor_split(2))

"""Loss of a batch through both circuits and the latent draw, with its gradient by hand.

The chain is short and always the same, so its adjoint is written out: every intermediate lives in
a piece of the batch that fits into the cache, and is overwritten by its own gradient. One sample
a column: operations run over long rows, and sums over traced wires over whole rows.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qhw.chem.encoding import Layout
from qhw.latent.vmf_torch import Noise
from qhw.models.kernels import COLUMNS, reconstruct
from qhw.models.losses import (
    PAPER_TERMS,
    LossConfig,
    Targets,
    kernel_settings,
    named_terms,
    term_weights,
)

PIECE = 256
"""Columns at a time: a piece's largest intermediate has a quarter of a megabyte."""


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
        encoder: real and imaginary parts ``(2, 2**n, k)``; the inputs are the first ``k``
            amplitudes. Rows have the traced wires in front of the measured ones.
        decoder: real and imaginary parts ``(2, 128, d)``, from a latent of dimension ``d`` (a
            power of two) to the output amplitudes.
        data: amplitudes of the molecules, zero from ``k`` on, and what the output should be.
        noise: of the vMF draw, ``d`` values a molecule.
        layout: of the targets.
        config: kind and weights of the loss.
        threads: how many share the batch; the result does not depend on it.

    Raises:
        ValueError: shapes that do not fit, or different types.
    """
    if not encoder.dtype == decoder.dtype == data.amplitudes.dtype == noise.tangent.dtype:
        raise ValueError(
            f"Arguments must be of one type, but `encoder` is {encoder.dtype}, `decoder` "
            f"{decoder.dtype}, `data` {data.amplitudes.dtype}, `noise` {noise.tangent.dtype}."
        )
    (rows, k), d = encoder.shape[1:], decoder.shape[2]
    if d % COLUMNS or rows % d or not k <= data.amplitudes.shape[1] == decoder.shape[1]:
        raise ValueError(
            f"Arguments `encoder` and `decoder` must have shapes (2, m * d, k) and (2, "
            f"{data.amplitudes.shape[1]}, d) with d a multiple of {COLUMNS}, but have "
            f"{tuple(encoder.shape)} and {tuple(decoder.shape)}."
        )
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
        pieces = -(-len(data) // PIECE)
        k, d = encoder.shape[-1], decoder.shape[-1]
        first, second = encoder.flatten(0, 1).contiguous(), decoder.flatten(0, 1).contiguous()
        by_encoder = first.new_empty(pieces, len(first), -(-k // COLUMNS) * COLUMNS)
        by_decoder = second.new_empty(pieces, len(second), d)
        terms = torch.zeros(pieces, len(PAPER_TERMS), dtype=torch.float64)

        arguments = (
            first.numpy(),
            second.numpy(),
            data.amplitudes.contiguous().numpy(),
            data.types.contiguous().numpy(),
            (noise.height.contiguous().numpy(), noise.tangent.contiguous().numpy()),
            1 / len(data),
            kernel_settings(layout, config, first.numpy().dtype),
            by_encoder.numpy(),
            by_decoder.numpy(),
            terms.numpy(),
        )
        _spread(lambda a, b: reconstruct(a, b, PIECE, *arguments), pieces, threads)
        # Added in the order of the batch, whichever thread did them: the sum is reproducible.
        ctx.save_for_backward(
            by_encoder.sum(0)[:, :k].reshape(encoder.shape), by_decoder.sum(0).view_as(decoder)
        )
        found = terms.sum(0).to(encoder.dtype)
        ctx.mark_non_differentiable(found)
        return found @ found.new_tensor(term_weights(config)), found

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        encoder, decoder = ctx.saved_tensors  # type: ignore[attr-defined]
        return encoder * grads[0], decoder * grads[0], None, None, None, None, None


def _spread(some: Callable[[int, int], None], pieces: int, threads: int) -> None:
    """Share the pieces out evenly; the calling thread takes the first part."""
    workers = min(threads, pieces)
    bounds = [pieces * i // workers for i in range(workers + 1)]
    others = [_pool().submit(some, *bounds[i : i + 2]) for i in range(1, workers)]
    some(*bounds[:2])
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Kept, since a new thread needs longer to get its memory than a small batch."""
    return ThreadPoolExecutor(thread_name_prefix="qhw-models")

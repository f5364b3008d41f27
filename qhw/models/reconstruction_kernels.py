"""A batch through both circuits, the latent draw and the loss, and back, piece by piece.

A piece has one sample a column, and all its intermediates stay in the cache, each overwritten by
its own gradient. Numbers are made of the arrays' type: a literal would turn single precision into
double inside a loop.
"""

from __future__ import annotations

import math

import numpy as np

from qhw.models.jit import kernel
from qhw.models.loss_kernels import FLOOR, infidelity, paper_loss
from qhw.models.matmul import COLUMNS, multiply

BLOCK = 64


@kernel
def reconstruct(  # type: ignore[no-untyped-def]
    first, last, size, encoder, decoder, amplitudes, types, noise, each, loss, by_encoder,
    by_decoder, terms,
):  # fmt: skip
    """Losses and gradients of pieces ``first`` to ``last - 1`` of a batch.

    Args:
        first: piece.
        last: piece.
        size: molecules of a piece, a multiple of :data:`qhw.models.matmul.COLUMNS`.
        encoder: ``(2 * 2**n, k)``, real parts of the rows, then imaginary parts; rows have the
            traced outcomes in front.
        decoder: ``(256, d)``, real and imaginary parts.
        amplitudes: of the molecules, ``(B, 128)``, zero from column ``k`` on.
        types: atom types ``(B, 9)``, -1 where there is no atom.
        noise: cosine of every draw with the mean, ``(B,)``; the rest of every draw around the
            first axis, ``(d - 1, B)``.
        each: 1 / B.
        loss: whether it is the paper's; then ``layout``, ``weights`` and ``focal`` of
            :func:`qhw.models.loss_kernels.paper_loss`.
        by_encoder: gradients ``(pieces, 2 * 2**n, >= k)``, written.
        by_decoder: gradients ``(pieces, 256, d)``, written.
        terms: ``(pieces, 4)`` float64, added to.
    """
    rows, k = encoder.shape
    d = decoder.shape[1]
    back = decoder.T.copy()
    store = np.empty((k + 2 * rows + 256 + 4 * d + 3) * size, encoder.dtype)
    for piece in range(first, last):
        start, stop = piece * size, min((piece + 1) * size, len(amplitudes))
        w = (stop - start + COLUMNS - 1) // COLUMNS * COLUMNS
        x, used = _array(store, 0, k, w)
        parts, used = _array(store, used, rows, w)
        root, used = _array(store, used, d, w)
        latent, used = _array(store, used, d, w)
        scratch, used = _array(store, used, 3, w)
        output, used = _array(store, used, 256, w)
        alpha, used = _array(store, used, 128, w)
        grad, used = _array(store, used, 128, w)
        by_latent, used = _array(store, used, d, w)
        turned, used = _array(store, used, stop - start, d)
        now = types[start:stop]

        _transpose(amplitudes[start:stop], x)
        multiply(encoder, x, parts)
        samples = parts.reshape(rows // d, d, w)
        _draw(samples, noise[0], noise[1], start, stop - start, root, latent, scratch)
        multiply(decoder, latent, output)
        outcomes = output.reshape(2, 128, w)
        _outcome_roots(outcomes, stop - start, alpha)
        if loss[0]:
            paper_loss(alpha, x, now, each, loss[1], loss[2], loss[3], grad, terms[piece])
        else:
            infidelity(alpha, x, now, each, grad, terms[piece])
        _outcomes_back(grad, alpha, stop - start, outcomes)
        multiply(back, output, by_latent)
        _transpose(latent, turned)
        multiply(output, turned, by_decoder[piece])
        _draw_back(by_latent, root, latent, scratch, stop - start, samples)
        multiply(parts, amplitudes[start:stop, : by_encoder.shape[2]], by_encoder[piece])


@kernel
def _array(store, used, rows, columns):  # type: ignore[no-untyped-def]
    """A piece of the workspace, and how much of it is used then."""
    stop = used + rows * columns
    return store[used:stop].reshape(rows, columns), stop


@kernel
def _transpose(source, target):  # type: ignore[no-untyped-def]
    columns = min(len(source), target.shape[1])
    # In blocks whose rows stay in the cache: they all start at the same place modulo its ways.
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        for r in range(len(target)):
            for j in range(start, stop):
                target[r, j] = source[j, r]


@kernel
def _draw(parts, height, tangent, start, b, root, latent, scratch):  # type: ignore[no-untyped-def]
    """Draws around the mean directions, by :func:`qhw.latent.vmf_torch.reflect`'s reflection.

    Args:
        parts: real and imaginary amplitudes by traced outcome, ``(K, d, w)``.
        height: cosine of every draw with the mean, ``(B,)``.
        tangent: the rest of every draw around the first axis, ``(d - 1, B)``.
        start: first molecule.
        b: molecules.
        root: root of the measured distribution, ``(d, w)``, written.
        latent: ``(d, w)``, written.
        scratch: ``(3, w)``, written for :func:`_draw_back`: length of the root; twice the draw's
            product with the mirror's normal over the normal's squared length; 2 over that squared
            length.
    """
    number = parts.dtype.type
    floor, zero, unit = number(FLOOR), number(0), number(1)
    length, along, scale = scratch[0], scratch[1], scratch[2]
    cosine = height[start : start + b]
    length[:] = zero
    for m in range(len(root)):
        row = root[m]
        row[:] = zero
        for k in range(len(parts)):
            part = parts[k, m]
            for j in range(b):
                row[j] += part[j] * part[j]
        for j in range(b):
            row[j] = math.sqrt(max(row[j], floor))
            length[j] += row[j] * row[j]
    for j in range(b):
        length[j] = math.sqrt(length[j])
        # The mean has no negative part, so that the mirror's normal, it plus the first axis,
        # never cancels; the reflection sends the first axis to minus the mean.
        normal = root[0, j] / length[j] + unit
        along[j] = -normal * cosine[j]
        scale[j] = normal * normal
    for m in range(1, len(root)):
        row, drawn = root[m], tangent[m - 1][start : start + b]
        for j in range(b):
            normal = row[j] / length[j]
            along[j] += normal * drawn[j]
            scale[j] += normal * normal
    for j in range(b):
        scale[j] = number(2) / scale[j]
        along[j] *= scale[j]
        latent[0, j] = -cosine[j] - along[j] * (root[0, j] / length[j] + unit)
    for m in range(1, len(root)):
        row, drawn, out = root[m], tangent[m - 1][start : start + b], latent[m]
        for j in range(b):
            out[j] = drawn[j] - along[j] * (row[j] / length[j])


@kernel
def _draw_back(grad, root, latent, scratch, b, parts):  # type: ignore[no-untyped-def]
    """Overwrite ``parts`` by the gradient, from that by the latents (which is overwritten)."""
    length, along, scale = scratch[0], scratch[1], scratch[2]
    normal, inward = grad[0].copy(), np.zeros_like(length)
    for m in range(len(root)):
        row, g = root[m], grad[m]
        for j in range(b):
            normal[j] += g[j] * (row[j] / length[j])
    for j in range(b):
        normal[j] *= scale[j]
    for m in range(len(root)):
        row, g, drawn = root[m], grad[m], latent[m]
        for j in range(b):
            g[j] = -(normal[j] * drawn[j] + along[j] * g[j])
            inward[j] += g[j] * (row[j] / length[j])
    for m in range(len(root)):
        row, g = root[m], grad[m]
        for j in range(b):
            # Where a root was kept from zero its slope is not cut off: the amplitude that it
            # multiplies is as small.
            g[j] = (g[j] - inward[j] * (row[j] / length[j])) / (length[j] * row[j])
        for k in range(len(parts)):
            part = parts[k, m]
            for j in range(b):
                part[j] *= g[j]


@kernel
def _outcome_roots(output, b, alpha):  # type: ignore[no-untyped-def]
    """Moduli of amplitudes ``(2, n, w)``, kept from zero, into ``alpha``."""
    floor = alpha.dtype.type(FLOOR)
    for r in range(len(alpha)):
        re, im, out = output[0, r], output[1, r], alpha[r]
        for j in range(b):
            out[j] = math.sqrt(max(re[j] * re[j] + im[j] * im[j], floor))


@kernel
def _outcomes_back(grad, alpha, b, output):  # type: ignore[no-untyped-def]
    """Overwrite ``output`` by the gradient, from that by its moduli."""
    for r in range(len(alpha)):
        re, im, a, g = output[0, r], output[1, r], alpha[r], grad[r]
        for j in range(b):
            slope = g[j] / a[j]
            re[j] *= slope
            im[j] *= slope

"""QVAE-Mole's training step, compiled: a batch through both circuits, draw and loss, and back.

A piece of the batch has one sample a column, and all its intermediates stay in the cache, each
overwritten by its own gradient. Numbers are made of the arrays' type: a literal would turn single
precision into double inside a loop. Arrays may be wider than the batch, whose size is that of
``types``.

The matrix product is our own. A kernel can call BLAS, but OpenBLAS makes its callers wait for each
other, and the libraries that numpy and torch come with use half the width of some processors'
vectors.
"""

from __future__ import annotations

import math
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qhw.models.jit import kernel

FLOOR = 1e-12
"""Keeps roots and logarithms differentiable at zero; far below any amplitude that matters."""
VALUES = 8
"""Amplitudes that an atom fills: place, one-hot type, auxiliary value."""
TYPES_AT = 3
"""Place of the first type amplitude among an atom's."""
_BLOCK = 64
"""Columns transposed at a time."""
_WIDE = bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))
_VECTOR_BITS = 512 if _WIDE else 256
ROWS = 8 if _WIDE else 4
"""What a product's rows must be a multiple of: with two vectors of columns, as many sums as the
registers hold."""
COLUMNS = 2 * _VECTOR_BITS // 32
"""What a product's columns must be a multiple of."""


@kernel
def reconstruct(  # type: ignore[no-untyped-def]
    first, last, size, encoder, decoder, amplitudes, types, noise, each, loss, by_encoder,
    by_decoder, terms,
):  # fmt: skip
    """Losses and gradients of pieces ``first`` to ``last - 1`` of a batch.

    Args:
        first: piece.
        last: piece.
        size: molecules of a piece, a multiple of :data:`COLUMNS`.
        encoder: ``(2 * 2**n, k)``, real parts of the rows, then imaginary parts; rows have the
            traced outcomes in front.
        decoder: ``(256, d)``, real and imaginary parts.
        amplitudes: of the molecules, ``(B, 128)``, zero from column ``k`` on.
        types: atom types ``(B, 9)``, -1 where there is no atom.
        noise: cosine of every draw with the mean, ``(B,)``; the rest of every draw around the
            first axis, ``(d - 1, B)``.
        each: 1 / B.
        loss: whether it is the paper's; then ``layout``, ``weights`` and ``focal`` of
            :func:`paper_loss`.
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
    for start in range(0, columns, _BLOCK):
        stop = min(start + _BLOCK, columns)
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


# -- losses --------------------------------------------------------------------------------------
@kernel
def infidelity(alpha, wanted, types, each, grad, terms):  # type: ignore[no-untyped-def]
    """Add ``each (1 - <wanted, alpha>^2)`` of every sample to ``terms[0]``, write the gradient.

    Arguments as of :func:`paper_loss`.
    """
    number = alpha.dtype.type
    overlap = np.zeros(len(types), alpha.dtype)
    for r in range(len(wanted)):
        a, w = alpha[r], wanted[r]
        for j in range(len(overlap)):
            overlap[j] += a[j] * w[j]
    for j in range(len(overlap)):
        terms[0] += each * (number(1) - overlap[j] * overlap[j])
        overlap[j] *= number(-2 * each)
    grad[len(wanted) :] = number(0)
    for r in range(len(wanted)):
        w, g = wanted[r], grad[r]
        for j in range(len(overlap)):
            g[j] = w[j] * overlap[j]


@kernel
def paper_loss(alpha, wanted, types, each, layout, weights, focal, grad, terms):  # type: ignore[no-untyped-def]
    """Add a piece's four unweighted terms to ``terms``, and write their weighted sum's gradient.

    Args:
        alpha: root of the output distribution, ``(128, w)``.
        wanted: what its first rows should be, ``(k, w)``; the later ones should be zero.
        types: atom types ``(b, 9)``, -1 where there is no atom.
        each: one over the molecules that the means are over.
        layout: ``(3, 128)`` integers: amplitudes from one atom to the next (first place of the
            first row); for every amplitude the most atoms for which it is padding, and for which
            it is padding or an auxiliary value.
        weights: of the types', the norms' and the rest's term, then of the four types.
        focal: whether the types' loss is focal.
        grad: ``(128, w)``, overwritten.
        terms: ``(4,)`` float64: coordinates, types, norms, rest.
    """
    number = alpha.dtype.type
    b = len(types)
    counts, share = np.zeros(b, alpha.dtype), np.empty(b, alpha.dtype)
    for j in range(b):
        for i in range(types.shape[1]):
            if types[j, i] >= 0:
                counts[j] += number(1)
        share[j] = number(each) / counts[j]
    terms[3] += each * _rest(alpha, wanted, counts, layout, number(weights[2] * each), grad)
    now, kinds = np.empty_like(share), np.empty(b, np.int32)
    sums = np.zeros((3, b), alpha.dtype)
    for i in range(types.shape[1]):
        for j in range(b):
            now[j] = share[j] if types[j, i] >= 0 else number(0)
            kinds[j] = max(types[j, i], 0)
        low = i * layout[0, 0]
        high = low + TYPES_AT
        _place(alpha[low:high], wanted[low:high], now, grad[low:high], sums[0])
        atom, slopes = alpha[high : high + 4], grad[high : high + 4]
        _kind(atom, kinds, now, counts, weights, focal, slopes, sums[1], sums[2])
    for k in range(3):
        for j in range(b):
            terms[k] += sums[k, j]


@kernel
def _rest(alpha, wanted, counts, layout, factor, grad):  # type: ignore[no-untyped-def]
    """Weighted sum of absolute differences on auxiliary values and padding; its slopes."""
    number = alpha.dtype.type
    zero = number(0)
    auxiliary, padding, sums = np.empty_like(counts), np.empty_like(counts), np.zeros_like(counts)
    for j in range(len(counts)):
        auxiliary[j] = number(1) / counts[j]
        padding[j] = number(1) / (number(len(alpha)) - number(VALUES) * counts[j])
    nothing = np.zeros_like(counts)
    for r in range(len(alpha)):
        a, g = alpha[r], grad[r]
        w = wanted[r] if r < len(wanted) else nothing
        outside, beside = number(layout[1, r]), number(layout[2, r])
        for j in range(len(counts)):
            inner = auxiliary[j] if counts[j] <= beside else zero
            weight = padding[j] if counts[j] <= outside else inner
            signed = weight if a[j] > w[j] else -weight
            sums[j] += signed * (a[j] - w[j])
            g[j] = signed * factor
    return sums.sum()


@kernel
def _place(alpha, wanted, weight, grad, sums):  # type: ignore[no-untyped-def]
    """An atom's distance from its place."""
    floor = alpha.dtype.type(FLOOR)
    for j in range(len(weight)):
        x, y, z = alpha[0, j] - wanted[0, j], alpha[1, j] - wanted[1, j], alpha[2, j] - wanted[2, j]
        distance = math.sqrt(x * x + y * y + z * z + floor)
        sums[j] += weight[j] * distance
        slope = weight[j] / distance
        grad[0, j] += slope * x
        grad[1, j] += slope * y
        grad[2, j] += slope * z


@kernel
def _kind(alpha, kinds, weight, counts, weights, focal, grad, types, norms):  # type: ignore[no-untyped-def]
    """An atom's type, and the norm of its four type amplitudes.

    With masses ``m`` = alpha^2, their sum ``M`` and ``s = m_type / M``: a mass counts in the norm
    and in the denominator of ``s``, the right type's also in its numerator.
    """
    number = alpha.dtype.type
    floor, zero, unit, two, quarter = number(FLOOR), number(0), number(1), number(2), number(0.25)
    by_type, by_norm = number(weights[0]), number(4 * weights[1])
    total, right, logs = np.empty_like(weight), np.empty_like(weight), np.empty_like(weight)
    for j in range(len(weight)):
        m0, m1 = alpha[0, j] * alpha[0, j], alpha[1, j] * alpha[1, j]
        m2, m3 = alpha[2, j] * alpha[2, j], alpha[3, j] * alpha[3, j]
        first = m0 if kinds[j] == 0 else m1
        last = m2 if kinds[j] == 2 else m3
        total[j] = m0 + m1 + m2 + m3
        right[j] = (first if kinds[j] < 2 else last) / total[j]
    for j in range(len(weight)):  # on its own: the logarithm has no vector form here
        logs[j] = math.log(max(right[j], floor))
    for j in range(len(weight)):
        s = right[j]
        factor = weight[j] * number(weights[3 + kinds[j]])
        slope = -unit / max(s, floor) if s >= floor else zero
        if focal:
            missing = unit - s
            types[j] -= factor * missing * missing * logs[j]
            slope = missing * (two * logs[j] + missing * slope)
        else:
            types[j] -= factor * logs[j]
        excess = total[j] - quarter / counts[j]
        norms[j] += weight[j] * excess * excess
        slope = two * by_type * factor * slope / total[j]
        common = by_norm * weight[j] * excess - slope * s
        grad[0, j] += alpha[0, j] * (common + (slope if kinds[j] == 0 else zero))
        grad[1, j] += alpha[1, j] * (common + (slope if kinds[j] == 1 else zero))
        grad[2, j] += alpha[2, j] * (common + (slope if kinds[j] == 2 else zero))
        grad[3, j] += alpha[3, j] * (common + (slope if kinds[j] == 3 else zero))


# -- matrix product ------------------------------------------------------------------------------
@kernel
def multiply(a, b, out):  # type: ignore[no-untyped-def]
    """``out[:, :] = a @ b``; all three of one type, with neighbouring values in every row.

    The shapes are trusted: ``out`` has a multiple of :data:`ROWS` rows and of :data:`COLUMNS`
    columns, ``b`` as many columns.
    """
    zero = out.dtype.type(0)
    width = COLUMNS * 4 // out.itemsize
    for j in range(0, out.shape[1], width):
        for i in range(0, out.shape[0], ROWS):
            _tile(
                zero,
                a.ctypes.data + i * a.strides[0],
                a.strides[0],
                b.ctypes.data + j * b.itemsize,
                b.strides[0],
                out.ctypes.data + i * out.strides[0] + j * out.itemsize,
                out.strides[0],
                b.shape[0],
            )


@intrinsic
def _tile(_context, zero, _a, _a_step, _b, _b_step, _out, _out_step, _depth):  # type: ignore[no-untyped-def]
    """:data:`ROWS` rows and two vectors of columns of a product, all sums in registers.

    Addresses and steps from row to row are in bytes; ``zero`` tells the type.
    """
    signature = types.void(zero, *[types.intp] * 7)
    return signature, _generate_tile


def _generate_tile(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    zero, a, a_step, b, b_step, out, out_step, depth = values
    size = signature.args[0].bitwidth // 8
    lanes = _VECTOR_BITS // 8 // size
    vector = ir.VectorType(zero.type, lanes)
    index = a.type

    def pointer(base: Any, step: Any, row: Any, column: Any, pointed: Any) -> Any:
        address = builder.add(base, builder.mul(step, row))
        address = builder.add(address, builder.mul(column, index(size)))
        return builder.inttoptr(address, pointed.as_pointer())

    sums = [
        (r, v, cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * lanes)))
        for r in range(ROWS)
        for v in (0, 1)
    ]
    with cgutils.for_range(builder, depth, intp=index) as loop:
        right = [
            builder.load(pointer(b, b_step, loop.index, index(v * lanes), vector), align=size)
            for v in (0, 1)
        ]
        left = [
            builder.load(pointer(a, a_step, index(r), loop.index, zero.type)) for r in range(ROWS)
        ]
        for r, v, total in sums:
            product = builder.fmul(
                _everywhere(builder, left[r], vector), right[v], flags=("contract",)
            )
            builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
    for r, v, total in sums:
        target = pointer(out, out_step, index(r), index(v * lanes), vector)
        builder.store(builder.load(total), target, align=size)
    return context.get_dummy_value()


def _everywhere(builder: Any, value: Any, vector: Any) -> Any:
    """A vector whose every element is ``value``."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, places)

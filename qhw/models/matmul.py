"""Matrix product for use inside compiled kernels: no locks, and a core's full vector width.

A kernel can call BLAS too, but OpenBLAS makes its callers wait for each other, and the libraries
that numpy and torch come with use half the width of some processors' vectors.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qhw.models.jit import kernel

_WIDE = bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))
_VECTOR_BITS = 512 if _WIDE else 256
ROWS = 8 if _WIDE else 4
"""What a product's rows must be a multiple of: with two vectors of columns, as many sums as the
registers hold."""
COLUMNS = 2 * _VECTOR_BITS // 32
"""What a product's columns must be a multiple of."""


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

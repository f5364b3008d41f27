"""Compilation of the numerical kernels by numba, kept on disk between runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_Function = Callable[..., Any]


def kernel(function: _Function) -> _Function:
    """Compile a function of arrays and numbers on its first call for each type of array.

    The interpreter is not locked meanwhile, so that threads can share a batch.
    """
    # With all of "fast" mathematics LLVM pairs values inside an iteration, which keeps it from
    # the far wider vectors across iterations.
    return _compiled(function, {"contract"})


def reduction(function: _Function) -> _Function:
    """As :func:`kernel`, for a sum over a long row: its terms may be added in another order."""
    return _compiled(function, {"contract", "reassoc"})


def _compiled(function: _Function, fastmath: set[str]) -> _Function:
    options: dict[str, Any] = {
        "nopython": True,
        "nogil": True,
        "error_model": "numpy",
        "fastmath": fastmath,
    }
    try:
        return numba.jit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # numba found no folder that it may write its cache to
        return numba.jit(**options)(function)  # type: ignore[no-any-return]

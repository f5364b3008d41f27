"""Compilation of the numerical kernels by numba, kept on disk between runs.

What is on disk is used until the kernel's own file changes, even if a kernel that it calls has
changed: kernels that call each other therefore stand in one file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_Function = Callable[..., Any]
_OPTIONS: dict[str, Any] = {
    "nopython": True,
    "nogil": True,
    "error_model": "numpy",
    # With all of "fast" mathematics LLVM pairs values inside an iteration, which keeps it from
    # the far wider vectors across iterations.
    "fastmath": {"contract"},
}


def kernel(function: _Function) -> _Function:
    """Compile a function of arrays and numbers on its first call for each type of array.

    The interpreter is not locked meanwhile, so that threads can share a batch. Sums are taken in
    the order in which they are written.
    """
    try:
        return numba.jit(cache=True, **_OPTIONS)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # numba found no folder that it may write its cache to
        return numba.jit(**_OPTIONS)(function)  # type: ignore[no-any-return]

"""Comparison of study tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa


def alike(a: pa.Table, b: pa.Table) -> bool:
    """Same rows, numbers to 1e-9: mathematics libraries with other threads differ in the end."""
    rows = [table.to_pylist() for table in (a, b)]
    return len(rows[0]) == len(rows[1]) and all(
        x.keys() == y.keys() and all(_same(x[key], y[key]) for key in x)
        for x, y in zip(*rows, strict=True)
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float | list) and b is not None:
        return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=0, atol=1e-9))
    return bool(a == b)

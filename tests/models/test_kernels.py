from __future__ import annotations

import ast
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qhw.models import jit
from qhw.models.kernels import COLUMNS, ROWS, multiply


@settings(max_examples=40)
@given(
    tall=st.integers(1, 4),
    wide=st.integers(1, 4),
    depth=st.integers(0, 70),
    gap=st.integers(0, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1000),
)
def test_equals_numpy_whatever_the_shape(
    tall: int, wide: int, depth: int, gap: int, dtype: type[np.floating], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((ROWS * tall, depth + gap)).astype(dtype)[:, :depth]
    b = rng.standard_normal((depth, COLUMNS * wide + gap)).astype(dtype)[:, : COLUMNS * wide]
    whole = np.full((ROWS * tall, COLUMNS * wide + gap), np.nan, dtype)
    multiply(a, b, whole[:, : COLUMNS * wide])
    expected = a.astype(np.float64) @ b
    tolerance = 64 * (depth + 1) * np.finfo(dtype).eps
    np.testing.assert_allclose(whole[:, : COLUMNS * wide], expected, rtol=0, atol=tolerance)
    assert np.isnan(whole[:, COLUMNS * wide :]).all()  # what lies between the rows is untouched


def test_no_kernel_calls_one_of_another_file() -> None:
    # Else the compiled caller on disk would outlive a change of what it calls.
    folder = Path(jit.__file__).parent
    files = {path: ast.parse(path.read_text()) for path in folder.glob("*.py")}
    kernels = {
        (f"qhw.models.{path.stem}", node.name)
        for path, tree in files.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d) == "kernel" for d in node.decorator_list)
    }
    assert len(kernels) > 10
    for path, tree in files.items():
        inside = any(name == f"qhw.models.{path.stem}" for name, _ in kernels)
        imported = {
            (node.module, alias.name)
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert not inside or not imported & kernels, path.name


def test_without_a_cache_folder_kernels_are_compiled_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = numba.jit

    def refusing(**options: object) -> object:
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "jit", refusing)
    total = jit.kernel(_total)
    assert total(np.arange(5.0)) == 10.0


def _total(values):  # type: ignore[no-untyped-def]
    found = 0.0
    for j in range(len(values)):
        found += values[j]
    return found

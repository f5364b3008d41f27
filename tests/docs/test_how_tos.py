"""Python blocks of the how-to pages run as written, given a circuit, its angles and the import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qhw
from backends.registry import BACKENDS
from tests.docs.pages import HOW_TOS, processes
from tests.docs.test_commands import template

WITH_CODE = [page for page in HOW_TOS if any(processes(page))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
@pytest.mark.usefixtures("own_home")
def test_a_page_runs_as_written(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))
    # what a page registers is gone with it
    monkeypatch.setattr(BACKENDS, "_given", dict(BACKENDS._given))
    angles = np.array([[0.3, 1.1, 2.0], [1.9, 0.2, 0.7], [2.5, 1.3, 0.4]])
    names: dict[str, Any] = {"qhw": qhw, "circuit": template(), "angles": angles}
    for number, block in enumerate(processes(page)[0], 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)

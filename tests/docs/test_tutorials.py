"""Every Python block of the tutorials runs as written, in order, in an empty folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import TUTORIALS, processes

IBM_DEVICE = "ibm_boston"


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.usefixtures("own_home")
def test_a_tutorial_runs_as_written(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))
    if "qhw vendors serve ibm" in page.read_text():
        request.getfixturevalue("ibm")
    for blocks in processes(page):
        assert blocks
        names: dict[str, Any] = {"__name__": page.stem}
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{page.name}, block {number}", "exec"), names)

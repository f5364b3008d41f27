"""Every script of examples/ runs and prints what it says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SAYS = {
    "bell": r"device, readout corrected .*'00': 9\d\d",
    "choose_mitigation": r"zne\(1,3\)",
    "compare_devices": r"ibm_fez .*iqm_garnet .*ionq_forte_enterprise .*better",
    "expectation": r"off by [+-]0\.0",
    "force_field": r"minimum -4210\.2.*after 10 fs [+-]\d\.\d\d meV",
    "gradient": r"theta\[0\].*theta\[1\]",
    "molecules": r"strict valid.*rmsd.*report\.html",
    "qiskit_primitives": r"\[(0\.9\d+|1\.) +(0\.9\d+|1\.) *\].*'11': 2\d\d",
    "rehearsal": r"\d usd.*device, raw",
    "sweep_angles": r"exact\n.*1\.0",
    "torch_training": r"lowest value found: -1\.1180",  # -sqrt(1 + 0.5^2)
}


def test_every_example_is_known() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == SAYS.keys()


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.usefixtures("own_home")
def test_an_example_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QHW_CACHE", str(tmp_path / "cache"))
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert re.search(SAYS[name], said, re.DOTALL), said

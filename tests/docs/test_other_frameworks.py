"""Lines of the page on other frameworks run as written, where the framework is installed."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import qhw
from backends.exact import ExactBackend
from tests.docs.pages import DOCS

PAGE = (DOCS / "howto" / "other-frameworks.md").read_text()
BLOCKS = dict(
    zip(
        ("cirq", "pennylane", "pytket", "qhw"),
        re.findall(r"^```py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE),
        strict=True,
    )
)


@pytest.mark.parametrize("framework", ["cirq", "pennylane", "pytket"])
def test_what_a_framework_exports_is_the_circuit(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[framework], framework, "exec"), {})
    work = qhw.Workload.of(f"from-{framework}.qasm")
    assert work.n_bits == 2
    ideal = ExactBackend()
    found = ideal.probabilities(ideal.compile(work.circuit), np.empty((1, 0)))[0]
    one = math.sin(0.2) ** 2
    assert found == pytest.approx([1 - one, 0, 0, one], abs=1e-9)


def test_the_last_lines_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; h q[0]; measure q -> c;'
    for name in re.findall(r'"(from-\w+\.qasm)"', BLOCKS["qhw"]):
        (tmp_path / name).write_text(text)
    exec(compile(BLOCKS["qhw"], "last lines", "exec"), {})
    assert capsys.readouterr().out.count("measure: from-") == 3

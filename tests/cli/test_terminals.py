"""What a person sees: narrow and plain terminals, pipes, and refusals before any work."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qhw.cli.app import app
from qhw.cli.console import emit_json

LONG = "aer:rigetti_cepheus_1_108q@2026-05-05"


def plain_process(encoding: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process whose streams know only this encoding."""
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", "from qhw.cli.app import main; main()", *arguments],
        env={**os.environ, "PYTHONPATH": root, "PYTHONIOENCODING": encoding},
        capture_output=True,
        encoding=encoding,
        timeout=120,
        check=False,
    )


def test_a_stream_that_lacks_letters_does_not_fail_the_command() -> None:
    done = plain_process("ascii", "devices", "boston")
    assert done.returncode == 0, done.stderr
    assert r"292 \xb5s" in done.stdout


def test_json_stays_json_where_letters_are_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    emit_json({"unit": "Å"})
    assert json.loads(written.getvalue()) == {"unit": "Å"}


def test_a_pipe_gets_whole_device_names() -> None:
    shown = CliRunner().invoke(app, ["devices", "cepheus"])
    assert shown.exit_code == 0
    assert LONG in shown.stdout and "…" not in shown.stdout


@pytest.mark.parametrize("group", ["mitigate", "jobs", "vendors", "snapshot"])
def test_a_group_alone_shows_its_help_and_no_empty_error(group: str) -> None:
    shown = CliRunner().invoke(app, [group])
    assert shown.exit_code == 2
    assert "Commands" in shown.stdout and shown.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample-latents", "--out", "x.json", "--seed", "-1"], "'--seed'"),
        (["depth-report", "c.qasm", "--processes", "-1"], "'--processes'"),
        (["sample-latents", "--out", "."], "`--out` must be a file, but . is a folder"),
        (["sample-latents", "--out", "no/x.json"], "`--out` must be a file that can be written"),
        (["calibrate", "--out", "no/x.json"], "`--out` must be a file that can be written"),
        (
            ["snapshot", "export", "ibm_fez", "--out", "no/x.json"],
            "`--out` must be a file that can",
        ),
        (["compare", "--device", "ibm:ibm_fez"], "`qhw run` and `qhw submit` send them"),
        (["compare", "--device", "braket:iqm_garnet"], "`qhw run` and `qhw submit` send them"),
    ],
)
def test_refused_in_one_line_before_any_work(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 2 and shown.stdout == ""
    assert said in shown.stderr and shown.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_exact_zero_has_no_sign(tmp_path: Path) -> None:
    file = tmp_path / "c.qasm"
    file.write_text('OPENQASM 2.0;include "qelib1.inc";qreg q[2];h q[0];cx q[0],q[1];')
    asked = ["expect", str(file), "--observable", "-1.0*YI", "--device", "exact"]
    shown = CliRunner().invoke(app, [*asked, "--mitigation", "none"])
    assert shown.exit_code == 0
    assert "-0.0000" not in shown.stdout and "standard error" in shown.stdout

"""``qhw vendors serve``: the printed environment leads a client to the server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from backends.ibm.backend import IBMBackend

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_serves_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from qhw.cli.app import main; main()"
    arguments = ["vendors", "serve", "ibm", "--device", "ibm_torino", "--perfect", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        while not lines or lines[-1] != "}\n":
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            lines.append(line)
        for name, value in json.loads("".join(lines))["environment"].items():
            monkeypatch.setenv(name, value)
        assert IBMBackend("ibm_torino").snapshot.n_qubits == 133
    finally:
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "ibm:ibm_torino" in told and "0 job(s) accepted" in told


@pytest.mark.parametrize(
    ("device", "words"), [("ibm_bostn", "ibm_boston"), ("ibm_nighthawk", "is made up")]
)
def test_a_device_that_is_not_there_is_one_line(device: str, words: str) -> None:
    from typer.testing import CliRunner

    from qhw.cli.app import app

    result = CliRunner().invoke(app, ["vendors", "serve", "ibm", "--device", device])
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.count("\n") == 1

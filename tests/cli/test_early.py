"""What can be known before anything is compiled is refused before the first word of progress."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.test_jobs_cli import document, qhw

pytestmark = pytest.mark.usefixtures("own_home")


def refused_at_once(words: str, *arguments: object) -> None:
    result = qhw(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(f"error: [^\n]*{words}[^\n]*\n", result.stderr), result.stderr


@pytest.fixture
def small(small_model: Path) -> tuple[object, ...]:
    return ("--model", small_model, "--molecules", 3)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("`--shots` must be a whole number from 1 to 10000000", ("--shots", "20M")),
        ("must fit ibm_armonk", ("--device", "aer:ibm_armonk")),
        ("must fit ibm_armonk", ("--device", "engine:ibm_armonk", "--task", "reconstruct")),
        ("but exact is ideal", ("--device", "exact", "--mitigation", "dd")),
        ("structure .* decoder runs", ("--task", "encode", "--mitigation", "structure")),
    ],
)
def test_simulated(small: tuple[object, ...], words: str, given: tuple[object, ...]) -> None:
    refused_at_once(words, "compare", *small, *given)


def test_a_budget_is_read_where_nothing_is_paid(small: tuple[object, ...]) -> None:
    refused_at_once("'gbp'", "run", *small, "--device", "exact", "--budget", "2gbp")


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("`--prior` must be one of", ("--prior", "nothing")),
        ("`--kappa` must be left out of task generate", ("--task", "generate", "--kappa", 3)),
        ("nowhere.sdf is not a file", ("--task", "encode", "--input", "nowhere.sdf")),
        ("`--molecules` must be at most 1000", ("--task", "encode", "--molecules", 1001)),
        ("`--shots` must be a whole number from 1 to 100000", ("--shots", 100_001)),
        ("this account's IBM devices", ("--device", "ibm:ibm_lagoss")),
        ("must fit ibm_armonk", ("--device", "ibm:ibm_armonk", "--shots", 500)),
    ],
)
def test_ibm(
    small: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    given: tuple[object, ...],
) -> None:
    platform = IBMPlatform(("ibm_lagos", "ibm_armonk"))
    with LoopbackServer(platform) as server:
        for name, value in platform.environment(server.url).items():
            monkeypatch.setenv(name, value)
        run = (*small, "--device", "ibm:ibm_lagos", *given)
        refused_at_once(words, "estimate", *run)
        refused_at_once(words, "submit", *run, "--budget", "20usd")
    platform.stop()
    assert document("jobs", "list")["jobs"] == []


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_braket(small: tuple[object, ...], braket: BraketService) -> None:
    garnet, ionq = "braket:iqm_garnet", "braket:ionq_forte_enterprise"
    for words, given in {
        "`--shots` must be a whole number from 1 to 20000": (garnet, "--shots", 20_001),
        "`--shots` must be a whole number from 100 to 5000": (ionq, "--shots", 99),
        "from 100 to 5000, but is 60": (ionq, "--shots", 60, "--mitigation", "zne(1,3)"),
        "`debias` must be off on iqm_garnet": (f"{garnet}+debias", "--shots", 500),
        "at least 2500 with debiasing": (f"{ionq}+debias", "--shots", 2_000),
        "dd must .* row by row": (garnet, "--shots", 500, "--mitigation", "dd"),
    }.items():
        refused_at_once(words, "estimate", *small, "--device", *given)
    shared = (garnet, "--shots", 24_000, "--mitigation", "twirl(2)")  # 12 000 for each circuit
    assert document("estimate", *small, "--device", *shared)["stages"][0]["total_shots"] > 24_000
    braket.devices["iqm_garnet"].status = "OFFLINE"
    refused_at_once("iqm_garnet is OFFLINE", "estimate", *small, "--device", *shared)


def test_folders(small: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = ("--device", "emulator:ibm_lagos", "--out", tmp_path / "file" / "runs")
    refused_at_once("`--out` must be a folder that can be written", "run", *small, *out)
    refused_at_once("`--out` must be a folder", "submit", *small, *out, "--dry-run")
    assert document("jobs", "list")["jobs"] == []


def test_depth_report(tmp_path: Path) -> None:
    circuit = tmp_path / "c.qasm"
    circuit.write_text('OPENQASM 2.0;include "qelib1.inc";qreg q[2];h q[0];cx q[0],q[1];')
    out = ("--out", tmp_path / "runs")
    refused_at_once("is called 'nothing'", "depth-report", circuit, "--devices", "nothing", *out)
    refused_at_once("cannot be read", "depth-report", tmp_path / "no.qasm", *out)

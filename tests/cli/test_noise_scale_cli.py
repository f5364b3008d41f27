"""``--noise-scale`` on the command line: it changes figures, shows both ends, refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from qhw.analysis.validate.interval import noise_factors
from tests.cli.test_jobs_cli import document, qhw

pytestmark = pytest.mark.usefixtures("own_home")

QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
ry(1.2) q[0];
cx q[0],q[1];
cx q[1],q[0];
cx q[0],q[1];
measure q -> c;
"""
FREE = """OPENQASM 3.0;
include "stdgates.inc";
input float a;
qubit[2] q;
bit[2] c;
ry(a) q[0];
cx q[0], q[1];
c = measure q;
"""
DEVICE = "engine:ibm_fez"
EXPECT = ("--observable", "ZZ", "--mitigation", "none", "--shots", "10M", "--device")


@pytest.fixture(scope="module")
def circuit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("circuit") / "c.qasm"
    path.write_text(QASM)
    return path


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """A circuit with a free angle, and three rows of it."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "c.qasm").write_text(FREE)
    (folder / "rows.csv").write_text("a\n0.4\n0.9\n1.3\n")
    return folder / "c.qasm", "--angles", folder / "rows.csv"


def ends() -> tuple[float, float]:
    found = noise_factors("ibm")
    assert found is not None
    return round(found.low, 3), round(found.high, 3)


def off(found: dict[str, Any]) -> float:
    """Distance of the one value to exact."""
    (row,) = found["observables"]
    return abs(float(row["value"]) - float(row["exact"]))


def raw_distance(found: dict[str, Any]) -> float:
    (section,) = found["sections"]
    metric = next(m for m in section["metrics"] if m["key"] == "total_variation")
    row = next(r for r in metric["rows"] if r["source"] == "device_raw")
    return float(row["mean"]["value"])


def test_expect_moves_with_the_noise(circuit: Path) -> None:
    plain = off(document("expect", circuit, *EXPECT, DEVICE))
    more = document("expect", circuit, *EXPECT, DEVICE, "--noise-scale", "4")
    assert more["device"] == f"{DEVICE}+noise=4"
    assert off(more) == pytest.approx(4 * plain, rel=0.35)
    assert off(document("expect", circuit, *EXPECT, DEVICE, "--noise-scale", "0")) < 0.01
    both = document("expect", circuit, *EXPECT, DEVICE, "--noise-scale", "measured")["runs"]
    assert [one["device"] for one in both] == [f"{DEVICE}+noise={end:g}" for end in ends()]
    assert off(both[0]) < plain * 1.1 and off(both[1]) > plain * 1.5


def test_compare_moves_with_the_noise(circuit: Path, tmp_path: Path) -> None:
    words = ("compare", circuit, "--device", DEVICE, "--mitigation", "none", "--out", tmp_path)
    both = document(*words, "--noise-scale", "measured")
    assert both["noise_scale"] == "measured"
    low, high = both["runs"]
    assert raw_distance(low) < raw_distance(high)
    assert [one["settings"]["device"] for one in (low, high)] == [
        f"{DEVICE}+noise={end:g}" for end in ends()
    ]
    assert f"--device {DEVICE}+noise={ends()[1]:g}" in high["provenance"]["command"]
    (row,) = (c["predicted_success"] for c in low["circuits"])
    (worse,) = (c["predicted_success"] for c in high["circuits"])
    assert row >= worse


def test_depth_report_moves_with_the_noise(circuit: Path, tmp_path: Path) -> None:
    words = ("depth-report", circuit, "--devices", "ibm_fez", "--levels", "1", "--seeds", "1")
    words = (*words, "--processes", "1", "--no-cache", "--out", tmp_path)
    (plain,) = document(*words)["rows"]
    more = document(*words, "--noise-scale", "5")
    (scaled,) = more["rows"]
    assert scaled["best"]["success"] < plain["best"]["success"]
    assert "5 times as reported" in more["noise_scale"]
    both = document(*words, "--noise-scale", "measured")["runs"]
    low, high = (one["rows"][0]["best"]["success"] for one in both)
    assert high < low and "low end" in both[0]["noise_scale"]


def test_mitigation_is_measured_at_both_ends(rows: tuple[object, ...], tmp_path: Path) -> None:
    words = ("mitigate", "bench", *rows, "--device", DEVICE, "--shots", "20k", "--repeats", "2")
    words = (*words, "--pipelines", "none", "--out", tmp_path, "--noise-scale", "measured")
    found = document(*words)
    names = [f"{DEVICE}+noise={end:g}" for end in ends()]
    assert found["settings"]["devices"] == names
    low, high = (one["budgets"][0]["cells"][0]["tvd"]["value"] for one in found["devices"])
    assert low < high


def test_a_study_sweeps_the_ends(rows: tuple[object, ...], tmp_path: Path) -> None:
    words = ("noise-study", *rows, "--devices", "ibm_fez", "--workers", "0", "--out", tmp_path)
    found = document(*words, "--noise-scale", "measured")
    (folder,) = {path.parent for path in Path(str(found["run"])).glob("table.parquet")}
    table = pd.read_parquet(folder / "table.parquet")
    assert set(table["scale"]) == {1.0, *ends()}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e9", "lots", ""])
@pytest.mark.parametrize("command", ["compare", "expect", "depth-report"])
def test_what_is_no_factor_is_one_line(command: str, value: str, circuit: Path) -> None:
    more = {
        "compare": ("--device", DEVICE),
        "expect": ("--observable", "ZZ", "--device", DEVICE),
        "depth-report": ("--devices", "ibm_fez", "--processes", "1"),
    }[command]
    result = qhw(command, circuit, *more, f"--noise-scale={value}")
    assert result.exit_code == 2 and result.stdout == ""
    last = result.stderr.rstrip("\n").splitlines()[-1]
    assert last.startswith("error: ") and "must be a number from 0 to 1000, or measured" in last


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("exact", "must come with aer:<device> or engine:<device>"),
        ("emulator:ibm_fez", "must come with aer:<device> or engine:<device>"),
        ("engine:ionq_forte_enterprise", "no public result to judge by"),
    ],
)
def test_a_device_without_measured_noise_is_one_line(device: str, said: str, circuit: Path) -> None:
    result = qhw("expect", circuit, *EXPECT, device, "--noise-scale", "measured")
    assert result.exit_code == 2 and said in result.stderr.splitlines()[-1]

"""``--noise-scale`` on every command that takes it: it changes figures, shows both ends, refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
DEVICE = "engine:ibm_fez"
EXPECT = ("--observable", "ZZ", "--mitigation", "none", "--shots", "100k", "--device")


@pytest.fixture(scope="module")
def circuit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("circuit") / "c.qasm"
    path.write_text(QASM)
    return path


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
    assert more["device"] == f"{DEVICE}+noise4"
    assert off(more) == pytest.approx(4 * plain, rel=0.35)
    assert off(document("expect", circuit, *EXPECT, DEVICE, "--noise-scale", "0")) < 0.01
    both = document("expect", circuit, *EXPECT, DEVICE, "--noise-scale", "measured")["runs"]
    assert [one["device"] for one in both] == [f"{DEVICE}+noise{end:g}" for end in ends()]
    assert off(both[0]) < plain * 1.1 and off(both[1]) > plain * 1.5


def test_compare_moves_with_the_noise(circuit: Path, tmp_path: Path) -> None:
    words = ("compare", circuit, "--device", DEVICE, "--mitigation", "none", "--out", tmp_path)
    both = document(*words, "--noise-scale", "measured")
    assert both["noise_scale"] == "measured"
    low, high = both["runs"]
    assert raw_distance(low) < raw_distance(high)
    assert [one["settings"]["device"] for one in (low, high)] == [
        f"{DEVICE}+noise{end:g}" for end in ends()
    ]
    assert f"--device {DEVICE}+noise{ends()[1]:g}" in high["provenance"]["command"]
    (row,) = (c["predicted_success"] for c in low["circuits"])
    (worse,) = (c["predicted_success"] for c in high["circuits"])
    assert row >= worse


def test_depth_report_moves_with_the_noise(circuit: Path, tmp_path: Path) -> None:
    words = ("depth-report", circuit, "--devices", "ibm_fez", "--levels", "1", "--seeds", "1")
    words = (*words, "--workers", "0", "--out", tmp_path)
    (plain,) = document(*words)["rows"]
    more = document(*words, "--noise-scale", "5")
    (scaled,) = more["rows"]
    assert scaled["best"]["success"] < plain["best"]["success"]
    assert "5 times as reported" in more["noise_scale"]
    both = document(*words, "--noise-scale", "measured")["runs"]
    low, high = (one["rows"][0]["best"]["success"] for one in both)
    assert high < low and "low end" in both[0]["noise_scale"]


def test_mitigation_is_measured_at_both_ends(circuit: Path, tmp_path: Path) -> None:
    words = ("mitigate", "bench", circuit, "--device", DEVICE, "--shots", "2k", "--repeats", "2")
    words = (*words, "--pipelines", "none", "--out", tmp_path, "--noise-scale", "measured")
    found = document(*words)["devices"]
    assert [one["device"] for one in found] == [f"{DEVICE}+noise{end:g}" for end in ends()]
    low, high = (one["budgets"][0]["cells"][0]["tvd"]["value"] for one in found)
    assert low < high


def test_a_study_sweeps_the_ends(circuit: Path, tmp_path: Path) -> None:
    words = ("noise-study", circuit, "--devices", "ibm_fez", "--workers", "0", "--out", tmp_path)
    config = tmp_path / "s.yaml"
    config.write_text("devices: [ibm_fez]\nshots: [200]\nseeds: [0]\nmitigations: [none]\n")
    words = ("noise-study", config, circuit, "--workers", "0", "--out", tmp_path)
    found = document(*words, "--noise-scale", "measured")
    scales = {row["scale"] for row in found["cells"]} if isinstance(found["cells"], list) else None
    assert scales is None or scales == {1.0, *ends()}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e9", "lots", ""])
@pytest.mark.parametrize("command", ["compare", "expect", "depth-report"])
def test_what_is_no_factor_is_one_line(command: str, value: str, circuit: Path) -> None:
    more = {
        "compare": ("--device", DEVICE),
        "expect": ("--observable", "ZZ", "--device", DEVICE),
        "depth-report": ("--devices", "ibm_fez", "--workers", "0"),
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
        ("engine:iqm_garnet", "no public result to judge by"),
    ],
)
def test_a_device_without_measured_noise_is_one_line(device: str, said: str, circuit: Path) -> None:
    result = qhw("expect", circuit, *EXPECT, device, "--noise-scale", "measured")
    assert result.exit_code == 2 and said in result.stderr.splitlines()[-1]

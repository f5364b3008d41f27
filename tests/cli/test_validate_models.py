"""``qhw validate-models --data``: records, bundles and runs' folders; a bad one is one line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from qhw.analysis.compare.result import ComparisonResult
from qhw.paid.own_results import given_results
from tests.analysis.validate.test_records import GOOD
from tests.cli.own_circuits import write_files
from tests.cli.test_own_circuits import call, document

pytestmark = pytest.mark.usefixtures("own_home")
RECORD = {name: value for name, value in GOOD.items() if name != "uncertainty"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder and its bundle, on an emulated device."""
    folder = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QHW_DATA", str(folder / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        for name in ("QHW_LEDGER_URL", "QHW_CONFIG", "QHW_PRICES"):
            patch.delenv(name, raising=False)
        write_files(folder)
        patch.chdir(folder)
        line = ("near.qasm", "far.qasm", "--device", "emulator:ibm_lagos", "--shots", "2000")
        found = document("run", *line, "--mitigation", "none", "--out", "runs")
        shutil.move(found["run"], folder / "mine")
        name = Path(found["run"]).name
        call("jobs", "export", name, "--out", folder / "mine.zip")
    return folder


@pytest.mark.slow
def test_a_folder_and_a_bundle_say_what_was_frozen_and_what_came(ran: Path) -> None:
    result = ComparisonResult.from_json((ran / "mine" / "result.json").read_text())
    (told,) = result.predictions
    for path in (ran / "mine", ran / "mine.zip"):
        (record,) = given_results(path).records
        assert record.measured == pytest.approx(told.measured)
        assert record.predicted.value == pytest.approx(told.predicted)
        signal = (told.uniform - told.measured) / (told.uniform - told.floor)
        assert record.signal(record.measured) == pytest.approx(signal)
        assert (record.device, record.vendor) == ("ibm_lagos", "IBM")
        assert record.taken == told.taken.date()
        assert "no device measured anything" in record.unfit(told.predicted)
        real = record.model_copy(update={"flags": ()})
        predicted = math.log((told.uniform - told.predicted) / (told.uniform - told.floor))
        assert real.noise_factor(told.predicted) == pytest.approx(math.log(signal) / predicted)
    found = document("validate-models", "--data", ran / "mine.zip", "--no-cache")
    (row,) = found["rows"]
    assert row["suspect"].startswith("a simulated vendor") and row["how"] == "frozen before the run"


def _bad(request: pytest.FixtureRequest, kind: str, place: Path) -> Path:
    """A file of a kind that cannot be used."""
    if kind == "altered bundle":
        raw = bytearray((request.getfixturevalue("ran") / "mine.zip").read_bytes())
        raw[len(raw) // 2] ^= 1
        path = place / "b.zip"
        path.write_bytes(raw)
        return path
    if kind == "simulated run":
        write_files(place)
        found = document("compare", place / "near.qasm", "--shots", "50", "--out", place / "runs")
        return Path(found["run"])
    if kind == "no result":
        (place / "empty").mkdir()
        return place / "empty"
    changed = {
        "unknown device": {"device": "ibm_nowhere"},
        "unknown circuit": {"circuit": {"name": "foo"}},
        "wrong width": {"counts": {"000": 100}},
        "wrong sum": {"counts": {"00": 99}},
        "no licence": {"source": "github:x/y"},
    }[kind]
    path = place / "a.jsonl"
    path.write_text(json.dumps(RECORD | changed))
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        pytest.param("altered bundle", "b.zip", marks=pytest.mark.slow),
        pytest.param(
            "simulated run", "predicted before a paid job was sent", marks=pytest.mark.slow
        ),
        ("no result", "must be a run's folder"),
        ("unknown device", "ibm_nowhere"),
        ("unknown circuit", "circuit must be one of"),
        ("wrong width", "bit strings of 2 bits, as the circuit measures"),
        ("wrong sum", "add up to 100 shots, but adds up to 99"),
        ("no licence", "must name its licence"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, words: str
) -> None:
    path = _bad(request, kind, tmp_path)
    told = call("validate-models", "--data", path, "--no-cache", code=2)
    lines = [line for line in told.splitlines() if line.startswith("error")]
    assert len(lines) == 1 and words in lines[0]

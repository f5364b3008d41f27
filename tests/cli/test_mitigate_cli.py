"""``qhw mitigate bench`` and ``advise`` through the real command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from qhw.cli.app import app
from tests.small_model import save_small_model

FEW = ("--latents", "3", "--shots", "2k")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("model"))


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["mitigate", *map(str, words)])


def test_bench_writes_report_and_table(model: Path, tmp_path: Path) -> None:
    words = ("--repeats", 2, "--pipelines", "zne(1,3);readout(m9)", "--out", tmp_path)
    bad = run("bench", "--model", model, *FEW, *words)
    assert bad.exit_code == 2
    assert not list(tmp_path.iterdir())
    words = ("--repeats", 2, "--pipelines", "zne(1,3);dd(xx)", "--out", tmp_path)
    devices = ("--device", "engine:iqm_garnet", "--noise", "zz_rad=0.05")
    found = run("bench", "--model", model, *FEW, *devices, *words)
    assert found.exit_code == 0, found.output
    assert "2,000 shots a circuit, shot floor" in found.stdout
    (folder,) = tmp_path.iterdir()
    page = (folder / "report.html").read_text()
    assert "zz_rad = 0.05" in page and "engine:iqm_garnet" in page and "<svg" in page
    # IQM reports no gate times, so decoupling is refused there; the others ran
    cells = json.loads((folder / "result.json").read_text())["devices"][0]["budgets"][0]["cells"]
    assert {c["asked"]: c["refused"] is None for c in cells} == {
        "none": True,
        "readout": True,
        "zne(1,3)": True,
        "dd(xx)": False,
    }


def test_bench_json_is_one_document(model: Path, tmp_path: Path) -> None:
    words = ("--repeats", 2, "--pipelines", "none", "--task", "encode", "--json")
    found = run("bench", "--model", model, *FEW, *words, "--out", tmp_path)
    document = json.loads(found.stdout)
    assert document["devices"][0]["budgets"][0]["cells"][0]["angle_deg"]["value"] > 0
    assert Path(document["run"]).is_dir()


def test_advice_names_a_pipeline(model: Path) -> None:
    found = run("advise", "--model", model, *FEW, "--pipelines", "none;readout", "--json")
    document = json.loads(found.stdout)
    assert found.exit_code == 0
    assert {p["asked"] for p in document["predictions"]} == {"none", "readout"}
    shown = run(
        "advise", "--model", model, *FEW, "--pipelines", "readout", "--device", "ibm:ibm_fez"
    )
    assert "nothing was sent, nothing is paid" in shown.stdout
    assert '--mitigation "readout(share=0.05)"' in shown.stdout


@pytest.mark.parametrize(
    ("device", "said"), [("ibm:nothing", "'nothing'"), ("ibm:ibm_nighthawk", "is made up")]
)
def test_advice_for_a_paid_device_needs_its_calibration(device: str, said: str) -> None:
    found = run("advise", "--device", device)
    assert found.exit_code == 2
    assert re.fullmatch(f"error: Option `--device` must .*{device}.*{said}.*\n", found.stderr)


def test_hopeless_regime_is_refused_in_one_line(model: Path) -> None:
    noise = ("--noise", "gates=60", "--pipelines", "none")
    found = run("advise", "--model", model, *FEW, *noise)
    assert found.exit_code == 2
    said = [line for line in found.stderr.splitlines() if "No pipeline is worth running" in line]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shots", "many"), "'--shots': must be a whole number >= 1"),
        (("--noise", "zz_rad"), "`--noise` must be name=number"),
        (("--noise", "zz=1"), "`--noise` must have options among"),
        (("--pipelines", "magic"), "`--pipelines` must have techniques among"),
        (("--device", "engine:nothing"), "`--device` must be a backend"),
        (("--latents", "1"), "`--latents`"),
    ],
)
@pytest.mark.parametrize("command", ["bench", "advise"])
def test_bad_input_is_one_line(
    command: str, words: tuple[str, ...], said: str, model: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path) if command == "bench" else ()
    found = run(command, "--model", model, *words, *out)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr
    assert not list(tmp_path.iterdir())

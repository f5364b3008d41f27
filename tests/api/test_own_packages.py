"""A user's own package adds a model, a prior, a technique and a backend without editing the house.

Real packages with real entry points, in a process of their own: one process for all commands,
since torch and Qiskit take seconds to load.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhw.chem.qm9 import _CACHE_VERSION, sample_molecules
from tests.api.own_package import install

pytestmark = pytest.mark.slow

COMMANDS = """
import json, sys
from typer.testing import CliRunner
from qhw.cli.app import app

found = {}
for name, arguments in json.loads(sys.stdin.read()).items():
    result = CliRunner().invoke(app, arguments)
    found[name] = [result.exit_code, result.stdout, result.stderr]
"""
PYTHON = """
import numpy as np, qhw
from toyqhw.technique import Mine
from backends.exact import ExactBackend

mine = {}
model, card = qhw.load_model("trained/model.json")
mine["kind"] = [type(model).__name__, card.kind]
result = qhw.compare(model, qhw.device("mine:thing"), prior="mine", molecules=2, shots=500).result
mine["device"] = result.device.backend
mine["text"] = str(qhw.Pipeline.parse(str(qhw.Pipeline.parse("mine(7)+readout"))))

class Here(ExactBackend):
    name = "here:now"

qhw.register("backends", "here", lambda device: Here())
mine["here"] = qhw.device("here:now").name

class Pole:
    @classmethod
    def fitted(cls, model, molecules, seed):
        return cls()
    def sample(self, n, rng):
        return np.tile([0.0, 0.0, 0.0, 1.0], (n, 1))

for _ in range(2):  # a cell of a notebook runs again
    qhw.register("priors", "pole", Pole)
latents = qhw.compare(model, "exact", prior="pole", molecules=2, shots=500, mitigation="none")
mine["pole"] = latents.comparison.outcome.arrays["latents"].tolist()

mine["refused"] = {}
for noun, name, thing in [
    ("priors", "posterior", Pole), ("techniques", "mine", Pole), ("models", "toy", Pole),
    ("priors", "Pole", Pole), ("techniques", "default", Pole), ("techniques", "a+b", Pole),
    ("priors", "number", 3), ("gates", "x", Pole), ("backends", "here", Pole),
]:
    try:
        qhw.register(noun, name, thing)
    except ValueError as error:
        mine["refused"][f"{noun} {name}"] = str(error)
found["python"] = mine
print(json.dumps(found))
"""
TRAINED, RUN = ("--model", "trained/model.json"), ("--molecules", "3", "--shots", "2k", "--json")
ASKED: dict[str, tuple[str, ...]] = {
    "train": ("train", "toy.yaml", "--out", "trained", "--json"),
    "compare": (
        "compare", *TRAINED, *RUN, "--device", "mine:thing", "--prior", "mine",
        "--mitigation", " mine( 3 )+readout",
    ),
    "sample": ("sample-latents", *TRAINED, "--prior", "mine", "--out", "latents.json", "--json"),
    "expect": (
        "expect", "bell.qasm", "--observable", "ZZ", "--device", "mine:thing", "--shots", "1k",
        "--mitigation", "mine(3)", "--json",
    ),
    "estimate": (
        "estimate", *TRAINED, "--molecules", "3", "--shots", "2k", "--prior", "mine",
        "--device", "emulator:ibm_fez", "--mitigation", "mine(3)+readout", "--json",
    ),
    "doctor": ("doctor", "--json"),
    "devices": ("devices", "fez"),
    "reconstruct": ("compare", *TRAINED, *RUN, "--device", "exact", "--task", "reconstruct"),
    "fitted prior": ("compare", *TRAINED, *RUN, "--device", "exact", "--task", "generate"),
    "depth": ("depth-report", "--model", "trained/model.json", "--devices", "ibm_fez"),
    "calibrate": (
        "calibrate", "--device", "engine:ibm_fez", *TRAINED, "--circuit", "encoder",
        "--out", "calibration.json",
    ),
    "short": ("compare", *TRAINED, *RUN, "--device", "exact", "--prior", "short"),
    "no device": ("compare", *TRAINED, *RUN, "--device", "mine:other"),
    "astray": ("compare", *TRAINED, *RUN, "--device", "astray:thing"),
    "forgetful": ("compare", *TRAINED, *RUN, "--mitigation", "forgetful(2)"),
    "argument": ("compare", *TRAINED, *RUN, "--mitigation", "mine(x)"),
    "reserved": ("compare", *TRAINED, *RUN, "--mitigation", "readout+none"),
    "gone": ("train", "gone.yaml", "--out", "gone"),
    "number": ("train", "number.yaml", "--out", "number"),
    "leaves": ("compare", *TRAINED, *RUN, "--device", "exact", "--prior", "leaves"),
    "raises": ("compare", *TRAINED, *RUN, "--device", "broken:x"),
    "taken": ("compare", *TRAINED, *RUN, "--mitigation", "twice"),
    "taken of the house": ("compare", *TRAINED, *RUN, "--prior", "uniform-sphere"),
    "typo": ("compare", *TRAINED, *RUN, "--prior", "mien"),
    "other kind": ("train", "tow.yaml", "--out", "tow"),
    "other commands": ("judge", "--json"),
}  # fmt: skip
SAID: dict[str, str] = {
    "reconstruct": r"Model trained/model.json of kind toy cannot encode: task reconstruct needs a "
    "model that can",
    "fitted prior": r"of kind toy cannot encode: prior vmf-mixture needs a model that can",
    "depth": r"of kind toy cannot encode: prior vmf-mixture needs",
    "calibrate": r"of kind toy cannot encode: calibration for its encoder needs",
    "short": r"'short' of package toyqhw \(entry point short = toyqhw.prior:Short of qhw.priors\) "
    r"cannot be used: samples must have shape \(3, 4\), but have \(3, 3\)",
    "no device": r"mine has the device thing, but not 'other'",
    "astray": r"'astray' of package toyqhw .* must be named astray:<device>, but one is 'mine:thi",
    "forgetful": r"'forgetful' of package toyqhw .* its text 'forgetful' is read as another tech",
    "argument": r"'mine' of package toyqhw .*technique:mine.* ValueError: invalid literal",
    "reserved": r"'none' of package toyqhw .* cannot be used: 'none' means something else here",
    "gone": r"'gone' of package brokenqhw \(entry point gone = brokenqhw.nowhere:Gone of "
    r"qhw.models\) cannot be loaded: ModuleNotFoundError",
    "number": r"'number' of package brokenqhw .* it cannot be called",
    "leaves": r"'leaves' of package brokenqhw .* cannot be loaded: SystemExit: 3",
    "raises": r"'broken' of package brokenqhw .* cannot be loaded: RuntimeError: two lines \[2Jxx",
    "taken": r"technique 'twice' is taken twice: by package (broken|other)qhw .* and by package "
    r"(other|broken)qhw",
    "taken of the house": r"prior 'uniform-sphere' is taken twice: by package qhw itself and by "
    "package brokenqhw",
    "typo": r"`--prior` .* 'mien' \(closest: mine; \d others: `qhw doctor` lists them\)",
    "other kind": r"`kind` must .* 'tow' \(closest: toy",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, three packages in its ``site``, and molecules to train on."""
    folder = tmp_path_factory.mktemp("own")
    install(folder / "site")
    stand_in = folder / "site" / "qm9pack-0.dist-info"
    stand_in.mkdir()
    (stand_in / "METADATA").write_text("Metadata-Version: 2.1\nName: qm9pack\nVersion: 0\n")
    (folder / "cache").mkdir()
    sample = sample_molecules()
    rows = np.resize(np.arange(len(sample)), 118_100)  # as many as a split needs
    np.savez(
        folder / "cache" / f"qm9-0-v{_CACHE_VERSION}.npz",
        types=sample.molecules.types[rows],
        positions=sample.molecules.positions[rows].astype(np.float32),
        smiles=np.resize(np.array([b"C"]), len(rows)),
        index=rows.astype(np.int32),
    )
    for kind in ("toy", "gone", "number", "tow"):
        (folder / f"{kind}.yaml").write_text(
            f"name: mine\nmodel: {{kind: {kind}, config: {{}}}}\nepochs: 2\nmolecules: 40\n"
            "batch_size: 20\nevaluate: 50\n"
        )
    (folder / "bell.qasm").write_text(
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'
    )
    return folder


def python(place: Path, code: str, given: str = "") -> str:
    """What a program prints where the packages are installed."""
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "PYTHONPATH": f"{place / 'site'}{os.pathsep}{root}",
        "QHW_CACHE": str(place / "cache"),
        "QHW_DATA": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
    }
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def told(place: Path) -> dict[str, Any]:
    """Exit code, stdout and stderr of every command, then what Python found."""
    said = python(place, COMMANDS + PYTHON, json.dumps(ASKED))
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def document(told: dict[str, Any], name: str) -> Any:
    code, out, err = told[name]
    assert code == 0, err
    return json.loads(out)


@pytest.mark.slow
def test_a_kind_that_is_no_vae_trains_and_measures_itself(told: Any) -> None:
    card = document(told, "train")["card"]
    assert card["kind"] == "toy" and set(card["metrics"]) == {"atoms"}
    assert 5 < card["metrics"]["atoms"] <= 9


def test_model_prior_technique_and_backend_in_one_comparison(told: Any) -> None:
    found = document(told, "compare")
    assert (found["model"]["kind"], found["model"]["kappa"]) == ("toy", None)
    assert found["device"]["backend"] == "mine:thing"
    assert (found["settings"]["prior"], found["settings"]["mitigation"]) == (
        "mine",
        "mine(3)+readout",
    )
    metric = found["sections"][0]["metrics"][0]
    assert {row["source"] for row in metric["rows"]} >= {"device_raw", "shots_only"}
    assert "mine:thing" in found["provenance"]["command"]


def test_a_prior_gives_latents(told: Any, place: Path) -> None:
    assert document(told, "sample") == {"file": "latents.json", "count": 100, "dim": 4}
    latents = np.array(json.loads((place / "latents.json").read_text())["latents"])
    np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 1.0)
    assert latents[:, 0].min() > 0.8  # seed 0: spread 0.1 around the first axis


def test_a_technique_in_other_commands(told: Any) -> None:
    assert "mine(3)" in json.dumps(document(told, "expect"))
    assert document(told, "estimate")


def test_doctor_lists_what_packages_offer_and_what_is_wrong_with_it(told: Any) -> None:
    found = document(told, "doctor")
    assert {"qvae", "nisq", "toy"} <= set(found["model kinds"])
    plugins = {(row["group"], row["name"], row["package"]): row for row in found["plugins"]}
    for group, name in (("models", "toy"), ("priors", "mine"), ("backends", "mine")):
        row = plugins[f"qhw.{group}", name, "toyqhw"]
        assert (row["fault"], row["version"]) == (None, "1.2")
    broken = {name: row["fault"] for (_, name, of), row in plugins.items() if of == "brokenqhw"}
    assert len(broken) == 8 and all(broken.values())
    assert "no such group" in broken["lost"] and "no name" in broken["Twice"]
    assert "mine: (of package toyqhw" in told["devices"][1]


@pytest.mark.parametrize("name", SAID)
def test_refused_in_one_line(told: Any, name: str) -> None:
    code, out, err = told[name]
    assert (code, out) == (2, ""), (out, err)
    *before, last = err.splitlines()
    assert before in ([], ["drawing latents from the prior"])  # which alone shows some faults
    assert last.startswith("error: ") and len(last) < 900 and last.isprintable(), err
    assert re.search(SAID[name], last), err


def test_what_is_broken_breaks_nothing_else(told: Any) -> None:
    assert document(told, "other commands")["reports"]


def test_from_python_and_at_run_time(told: Any) -> None:
    found = told["python"]
    assert found["kind"] == ["Toy", "toy"] and found["device"] == "mine:thing"
    assert (found["text"], found["here"]) == ("mine(7)+readout", "here:now")
    assert found["pole"] == [[0.0, 0.0, 0.0, 1.0]] * 2
    refused = found["refused"]
    assert "by package qhw itself and by __main__" in refused["priors posterior"]
    assert "by package toyqhw (entry point" in refused["techniques mine"]
    assert "by package toyqhw (entry point" in refused["models toy"]
    assert "no name that fits" in refused["priors Pole"] and "fits" in refused["techniques a+b"]
    assert "means something else" in refused["techniques default"]
    assert "must be a class or a function, but is int" in refused["priors number"]
    assert "models, priors, techniques, backends, but is 'gates'" in refused["gates x"]
    assert "registered in this process" in refused["backends here"]


def test_nothing_is_imported_to_list_names(place: Path) -> None:
    code = """
import sys, qhw
dir(qhw), qhw.register
from qhw.api.plugins import tables
names = [name for table in tables() for name in table.names()]
heavy = ("numpy", "torch", "qiskit", "scipy", "pydantic", "rdkit", "toyqhw", "brokenqhw")
print(names, [module for module in heavy if module in sys.modules])
"""
    said = python(place, code)
    assert said.strip().endswith("[]")
    for name in ("toy", "mine", "forgetful", "nisq", "readout", "posterior", "engine"):
        assert f"'{name}'" in said
    help_code = (
        "import sys\nsys.argv = ['qhw', '--help']\nfrom qhw.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numpy', 'torch', 'qiskit', 'toyqhw') if m in sys.modules])"
    )
    assert python(place, help_code).strip().endswith("[]")

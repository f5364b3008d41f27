from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from qhw.analysis.compare.result import ComparisonResult
from qhw.chem.qm9 import _CACHE_VERSION, SAMPLE_FILE
from qhw.cli.app import app

COMMANDS = (
    "demo",
    "compare",
    "models",
    "devices",
    "doctor",
    "train",
    "import-checkpoint",
    "judge",
    "plan-shots",
    "sample-latents",
)


def qhw(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(result: Result, words: str) -> None:
    """Exit code 2, one line on stderr with these words, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert re.search(words, result.stderr), result.stderr


def write_sdf(path: Path, *symbols: str) -> Path:
    """A chain of the given atoms in one record."""
    molecule = Chem.RWMol()
    for symbol in symbols:
        molecule.AddAtom(Chem.Atom(symbol))
    conformer = Chem.Conformer(len(symbols))
    for atom in range(len(symbols)):
        conformer.SetAtomPosition(atom, (1.4 * atom % 4.2, 0.9 * (atom % 2), 0.3 * atom))
    molecule.AddConformer(conformer)
    with Chem.SDWriter(str(path)) as writer:
        writer.write(molecule)
    return path


def test_help_is_a_table_of_contents() -> None:
    result = qhw("--help")
    assert result.exit_code == 0
    for word in (*COMMANDS, "The main job", "What there is", "Models", "Tools"):
        assert word in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_takes_json(command: str) -> None:
    result = qhw(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_compare_writes_a_whole_run(small_model: Path, tmp_path: Path) -> None:
    result = qhw(
        "compare", "--model", small_model, "--device", "aer:ibm_fez", "--shots", 500,
        "--molecules", 2, "--task", "reconstruct", "--out", tmp_path, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    run = Path(document.pop("run"))
    assert [p.name for p in tmp_path.iterdir()] == [run.name]
    names = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    assert names == {
        "result.json", "report.html", "molecules.sdf", "snapshot.json", "counts.npz", "log.txt",
        "circuits/encoder.qpy", "circuits/encoder.qasm",
        "circuits/decoder.qpy", "circuits/decoder.qasm",
    }  # fmt: skip
    found = ComparisonResult.from_json(json.dumps(document))
    assert found == ComparisonResult.from_json((run / "result.json").read_text(encoding="utf-8"))
    assert found.provenance.command.startswith("qhw compare --model")
    assert "--molecules 2" in found.provenance.command
    assert "decoder: running 2 circuits" in (run / "log.txt").read_text()


def test_compare_prints_a_table_and_the_reports_path(small_model: Path, tmp_path: Path) -> None:
    result = qhw(
        "compare", "--model", small_model, "--device", "exact", "--shots", 500,
        "--molecules", 3, "--out", tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "baseline: uniform distribution" in result.stdout
    report = re.search(r"report: (\S+report\.html)", result.stdout)
    assert report
    assert Path(report[1]).is_file()


def test_molecules_from_a_file(small_model: Path, tmp_path: Path) -> None:
    source = write_sdf(tmp_path / "a.sdf", "C", "C", "O", "H")
    source.write_text(source.read_text() + write_sdf(tmp_path / "b.sdf", "N", "C").read_text())
    result = qhw(
        "compare", "--model", small_model, "--device", "exact", "--shots", 100, "--molecules", 2,
        "--task", "encode", "--input", source, "--out", tmp_path / "runs", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    kept = {row["source"]: row for row in json.loads(result.stdout)["validity"]}
    assert kept["input"]["samples"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "nope"), "'nope' is neither a shipped checkpoint"),
        (("--device", "aer:ibm_bostn"), "Option `--device` .*closest: aer:ibm_boston"),
        (("--device", "quantum"), "`--device` must be a backend.*`qhw devices` lists them"),
        (("--shots", "0"), "'--shots': must be a whole number >= 1 .*, but is '0'"),
        (("--shots", "-5"), "'--shots'"),
        (("--shots", "many"), "'--shots': .*20k or 1M, but is 'many'"),
        (("--shots", "99999999999"), "`--shots` must be a whole number from 1 to"),
        (("--molecules", "1"), "Option `--molecules` must be greater than or equal to 2"),
        (("--task", "fold"), "'generate', 'encode' or 'reconstruct'"),
        (("--prior", "gauss"), "`--prior` must be one of those there are.*latent-diffusion"),
        (("--task", "encode", "--input", "none.sdf"), "none.sdf is not a file"),
        (("--wrong",), "No such option"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    small_model: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "runs"
    base = ["compare", "--model", small_model, "--device", "exact", "--out", out]
    result = qhw(*base, *arguments)
    if "99999999999" in arguments:  # found by the backend, after the first steps were told
        assert result.exit_code == 2
        assert re.search(words, result.stderr.splitlines()[-1])
    else:
        refused(result, words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        (("C", "Si"), "record 1 has Si"),
        (("C",) * 10, "1 to 9 heavy atoms a molecule, but .* record 1 has 10"),
        (("H", "H"), "record 1 has 0"),
    ],
)
def test_molecules_that_cannot_be_encoded_are_named(
    small_model: Path, tmp_path: Path, symbols: tuple[str, ...], words: str
) -> None:
    source = write_sdf(tmp_path / "x.sdf", *symbols)
    result = qhw(
        "compare", "--model", small_model, "--device", "exact", "--task", "encode",
        "--input", source, "--out", tmp_path / "runs",
    )  # fmt: skip
    refused(result, words)
    assert not (tmp_path / "runs").exists()


def damage(model: Path, folder: Path, kind: str) -> Path:
    """A copy of the model with one fault."""
    for suffix in (".json", ".safetensors"):
        shutil.copy(model.with_suffix(suffix), folder)
    tensors = load_file(folder / "small.safetensors")
    if kind == "truncated":
        (folder / "small.safetensors").write_bytes(b"\0" * 10)
    elif kind == "nan":
        tensors["encoder_angles"][3] = torch.nan
        save_file(tensors, folder / "small.safetensors")
    elif kind == "missing":
        del tensors["head_bias"]
        save_file(tensors, folder / "small.safetensors")
    else:
        save_file({**tensors, "surplus": torch.zeros(2)}, folder / "small.safetensors")
    return folder / "small.json"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "no safetensors file"),
        ("nan", "encoder_angles has 1 of .* not finite"),
        ("missing", "head_bias"),
        ("extra", "surplus"),
    ],
)
def test_damaged_checkpoints_are_named(
    small_model: Path, tmp_path: Path, kind: str, words: str
) -> None:
    model = damage(small_model, tmp_path, kind)
    refused(qhw("compare", "--model", model, "--device", "exact", "--out", tmp_path / "r"), words)
    assert not (tmp_path / "r").exists()


def test_an_unwritable_folder_is_named_first(small_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = qhw("compare", "--model", small_model, "--device", "exact", "--out", file)
    refused(result, "`--out` must be a folder that can be written")


def test_pricing_and_submitting_have_no_default_device() -> None:
    for command in ("estimate", "submit"):
        refused(qhw(command), "Missing option '--device'")


def test_too_much_is_one_line_as_well(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    refused(qhw("snapshot", "show", deep), "deep.json must be JSON.*recursion")
    refused(qhw("jobs", "list", "--limit", 10**20), "'--limit'")
    circuit = tmp_path / "a.qasm"
    circuit.write_text("OPENQASM 2.0; qreg q[1]; U(0,0,0) q[0];")
    command = ("depth-report", circuit, "--devices", "iqm_garnet", "--out", tmp_path)
    refused(qhw(*command, "--seeds", 10**14), "memory holds")


def test_debug_gives_the_error_itself(small_model: Path) -> None:
    result = qhw("compare", "--model", small_model, "--molecules", "1", "--debug")
    assert isinstance(result.exception, ValueError)


def test_judge_gives_every_denominator(tmp_path: Path) -> None:
    result = qhw("judge", "--json")
    reports = {r["protocol"]: r for r in json.loads(result.stdout)["reports"]}
    assert reports["strict"]["samples"] == reports["released"]["samples"] == 1000
    assert reports["strict"]["valid/all"] > 0.95
    assert 0.6 < reports["released"]["valid/kept"] < 0.7
    assert reports["strict"]["against"].startswith("QM9's training split (100,000 molecules; ")
    assert 0.35 < reports["strict"]["novel_skeletons/all"] < 0.43
    assert reports["strict"]["novel_unique/all"] > 0.9
    shown = qhw("judge").stdout
    assert "new skeletons / all" in shown
    assert "novel against QM9's training split (100,000 molecules;" in shown.replace("\n", " ")
    own = qhw("judge", "--input", write_sdf(tmp_path / "m.sdf", "C", "C"), "--json")
    assert json.loads(own.stdout)["reports"][0]["samples"] == 1
    refused(qhw("judge", "--input", tmp_path / "none.sdf"), "none.sdf is not a file")
    (tmp_path / "none.sdf").touch()
    refused(qhw("judge", "--input", tmp_path / "none.sdf"), "none.sdf is empty")
    three_d = write_sdf(tmp_path / "flat.sdf", "C", "C").read_text()
    (tmp_path / "flat.sdf").write_text(three_d + three_d.replace("  3D", "  2D"))
    refused(qhw("judge", "--input", tmp_path / "flat.sdf"), "record 2 is 2-D by its header")


def test_rows_that_are_all_the_same_have_no_skill(small_model: Path, tmp_path: Path) -> None:
    one = write_sdf(tmp_path / "one.sdf", "C", "O", "N").read_text()
    (tmp_path / "same.sdf").write_text(one * 3)
    given = ("--model", small_model, "--input", tmp_path / "same.sdf", "--molecules", 3)
    command = ("compare", *given, "--shots", 100, "--out", tmp_path / "r")
    refused(qhw(*command, "--task", "encode"), "`--input` must hold molecules that differ, but")
    refused(qhw(*command, "--task", "reconstruct", "--no-draw"), "must hold molecules that differ")
    assert not (tmp_path / "r").exists()


def test_judge_of_a_model_uses_all_its_samples(small_model: Path) -> None:
    result = qhw("judge", "--model", small_model, "--samples", 30, "--json")
    assert {r["samples"] for r in json.loads(result.stdout)["reports"]} == {30}
    assert "samples" in qhw("judge", "--model", small_model).stdout
    refused(qhw("judge", "--model", small_model, "--samples", 0), "`--samples` must be >= 1")
    refused(qhw("judge", "--model", small_model, "--samples", 10**13), "'--samples'.*1000000")
    refused(qhw("judge", "--samples", 5), "`--samples` must come with `--model`")
    refused(qhw("judge", "--prior", "posterior"), "`--prior` must come with `--model`")


def test_devices_and_doctor_and_models_are_documents() -> None:
    devices = json.loads(qhw("devices", "fez", "--json").stdout)["devices"]
    assert [d["backend"] for d in devices] == ["exact", "aer:ibm_fez"]
    assert devices[1]["qubits"] == 156
    assert devices[-1]["made_up"] is None
    shown = qhw("devices", "night").stdout
    assert "aer:ibm_nighthawk" in shown and "ibm_fez" not in shown
    assert re.search("ibm_nighthawk is made up: .*fake_nighthawk", shown)
    refused(qhw("devices", "zzz"), "no name has zzz")
    assert "qiskit" in json.loads(qhw("doctor", "--json").stdout)["versions"]
    shown = json.loads(qhw("models", "--json").stdout)
    assert isinstance(shown["models"], list)
    assert shown["units"]["median_rmsd"] == "Å" and shown["units"]["force_mae"] == "meV/Å"
    assert re.search(
        r"mean/median_rmsd [\d.]+ Å,\s",
        qhw("models").stdout,
    )


def test_plan_shots_follows_the_rule_of_thumb() -> None:
    plan = json.loads(qhw("plan-shots", "--kappa", 2000, "--share", 0.1, "--json").stdout)
    assert plan["shots"] == pytest.approx(25 * 2000, rel=0.02)  # N = kappa / (4 share^2)
    assert plan["shot_angle_rad"] == pytest.approx(plan["share"] * plan["vmf_angle_rad"])
    refused(qhw("plan-shots", "--kappa", -1), "kappa")
    assert "shots" in qhw("plan-shots", "--kappa", 100).stdout


def test_sample_latents_writes_unit_vectors(small_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "z.json"
    base = ("sample-latents", "--model", small_model, "--count", 7, "--out", file)
    assert qhw(*base, "--prior", "uniform-sphere").exit_code == 0
    latents = np.array(json.loads(file.read_text())["latents"])
    assert latents.shape == (7, 32)
    assert np.linalg.norm(latents, axis=1) == pytest.approx(np.ones(7))
    first = file.read_bytes()
    refused(qhw(*base, "--count", 10**13), "'--count'.*1000000")
    refused(qhw(*base, "--seed", 2**63), "'--seed'")
    qhw(*base, "--prior", "uniform-sphere")
    assert file.read_bytes() == first


def test_what_was_imported_is_a_model_by_its_folder(tmp_path: Path) -> None:
    angles = {"rz1": 14, "ry": 14, "rz2": 14, "crx": 7}
    state = {
        f"{gate}_layer{suffix}.{i}.params": torch.full((1, 1), 0.1 * i)
        for suffix in ("", "_d")
        for gate, count in angles.items()
        for i in range(count)
    }
    torch.save(state, tmp_path / "released.pth")
    made = qhw(
        "import-checkpoint", tmp_path / "released.pth", "--blocks", 1, "--out", tmp_path / "m"
    )
    digest = hashlib.sha256((tmp_path / "released.pth").read_bytes()).hexdigest()
    assert f"source: released.pth, sha256 {digest}" in made.stdout
    assert "kappa: 20, assumed; the file does not hold it" in made.stdout
    found = json.loads(qhw("judge", "--model", tmp_path / "m", "--samples", 5, "--json").stdout)
    assert found["judged"] == "5 molecules generated exactly by released, prior positive-orthant"
    refused(qhw("judge", "--model", tmp_path), "must hold one checkpoint")


def test_imports_and_trains_only_what_is_there(tmp_path: Path) -> None:
    refused(qhw("import-checkpoint", tmp_path / "no.pth", "--out", tmp_path / "o"), "no.pth")
    bad = tmp_path / "c.yaml"
    bad.write_text("name: x\nmodel: {kind: qvae}\nepoch: 3\n")
    refused(qhw("train", bad, "--out", tmp_path / "o"), "epoch")
    assert not (tmp_path / "o").exists()


def test_training_that_cannot_start_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not list(importlib.metadata.Distribution.discover(name="qm9pack")):
        pytest.skip("needs the package qm9pack (extra `train`)")
    monkeypatch.setenv("QHW_CACHE", str(tmp_path))
    version = importlib.metadata.version("qm9pack")
    cached = tmp_path / f"qm9-{version}-v{_CACHE_VERSION}.npz"  # 1,000 molecules: too few to split
    shutil.copy(Path(__file__).parents[2] / "qhw" / "data" / SAMPLE_FILE, cached)
    config = tmp_path / "c.yaml"
    config.write_text("name: x\nmodel: {kind: qvae}\nepochs: 1\n")
    refused(qhw("train", config, "--out", tmp_path / "deep" / "o"), "n_molecules")
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["compare", "--shots", "0"], 2), (["nope"], 2)]
)
def test_as_a_process(tmp_path: Path, arguments: list[str], code: int) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", "from qhw.cli.app import main; main()", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == (code == 2)
    assert list(tmp_path.iterdir()) == []

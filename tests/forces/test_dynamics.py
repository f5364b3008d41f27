from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from qhw.cli.app import app
from qhw.forces.model import ForceField
from qhw.models.checkpoint import save
from tests.forces.molecules import random_field

ase = pytest.importorskip("ase")
from ase import Atoms  # noqa: E402
from ase.calculators.lj import LennardJones  # noqa: E402
from ase.io import read, write  # noqa: E402

from qhw.forces.dynamics import dynamics, read_molecule, relax  # noqa: E402


def document(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _weak(seed: int) -> ForceField:
    field = random_field(seed)
    field.head.readout.data *= 0.02
    field.head.bypass.data *= 0.02
    return field


def test_two_atoms_relax_to_the_known_distance(tmp_path: Path) -> None:
    atoms = Atoms("Ar2", [[0, 0, 0], [1.3, 0, 0]])
    found = relax(atoms, LennardJones(rc=50), tmp_path / "a.xyz", fmax=1e-4)
    assert found.converged and found.largest_force < 1e-4
    assert atoms.get_distance(0, 1) == pytest.approx(2 ** (1 / 6), abs=1e-4)
    frames = read(tmp_path / "a.xyz", ":")
    assert len(frames) == found.steps + 1
    assert frames[-1].get_potential_energy() == pytest.approx(found.energy)


def test_dynamics_conserve_energy_and_langevin_does_not(tmp_path: Path) -> None:
    def run(friction: float | None) -> float:
        atoms = Atoms("Ar2", [[0, 0, 0], [1.13, 0, 0]])
        found = dynamics(
            atoms,
            LennardJones(rc=50),
            tmp_path / "a.xyz",
            steps=100,
            step_fs=0.5,
            friction=friction,
        )
        assert len(read(tmp_path / "a.xyz", ":")) == 101 == len(found.time)
        assert found.total[0] == pytest.approx(found.potential[0] + found.kinetic[0])
        assert np.allclose(found.temperature, found.kinetic / (1.5 * 2 * 8.617330e-5), rtol=1e-4)
        return float(np.ptp(found.total) / found.kinetic.max())

    assert run(None) < 1e-2 < run(0.05)


def test_commands_write_what_ase_reads(tmp_path: Path) -> None:
    save(_weak(7), tmp_path / "field.safetensors", name="field")
    write(tmp_path / "water.xyz", Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]))
    model, water = str(tmp_path / "field.json"), str(tmp_path / "water.xyz")
    out = tmp_path / "md.xyz"
    common = [model, water, "--out", str(out), "--steps", "3"]
    found = document("force-field", "md", *common, "--device", "engine:ibm_fez", "--shots", "1k")
    assert found["potential_bar_meV"] > 0
    assert len(read(out, ":")) == 4 and out.with_suffix(".svg").read_text().startswith("<svg")
    found = document("force-field", "relax", *common)
    assert found["energy_error"] == 0 and found["steps"] <= 3


def test_comparison_writes_a_page(tmp_path: Path) -> None:
    save(_weak(7), tmp_path / "field.safetensors", name="field")
    found = document(
        *("force-field", "compare", str(tmp_path / "field.json")),
        *("--data", "shipped:h2o_train.npz", "--device", "engine:ibm_fez", "--frames", "3"),
        *("--shots", "2k", "--mitigation", "readout", "--out", str(tmp_path / "runs")),
    )
    names = [one["name"] for one in found["readings"]]
    assert names == ["exact", "raw", "readout"]
    page = (Path(found["run"]) / "report.html").read_text()
    assert page.count("<svg") == 2 and "engine:ibm_fez" in page
    stored = json.loads((Path(found["run"]) / "result.json").read_text())
    assert {**stored, "run": found["run"]} == found


def test_a_file_that_is_no_molecule_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.xyz").write_text("3\n\nnot an atom\n")
    with pytest.raises(ValueError, match=r"bad\.xyz cannot be read by ASE") as caught:
        read_molecule(tmp_path / "bad.xyz")
    assert "\n" not in str(caught.value)


def test_nothing_is_written_over_a_molecule_or_a_plot_over_its_trajectory(tmp_path: Path) -> None:
    save(_weak(7), tmp_path / "field.safetensors", name="field")
    for name, atoms in (
        ("water", Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])),
        ("one", Atoms("O")),
    ):
        write(tmp_path / f"{name}.xyz", atoms)
    before = (tmp_path / "water.xyz").read_text()
    for command, file, out, words in (
        ("relax", "water.xyz", "water.xyz", "must be another file than the molecule's"),
        ("md", "water.xyz", "water.xyz", "must be another file than the molecule's"),
        ("md", "water.xyz", "md.svg", "must end in .xyz or .extxyz, but is 'md.svg'"),
        ("md", "one.xyz", "md.xyz", "must be 2 or more, but there is 1"),
    ):
        told = CliRunner().invoke(
            app,
            [
                *("force-field", command, str(tmp_path / "field.json"), str(tmp_path / file)),
                *("--out", str(tmp_path / out), "--steps", "2"),
            ],
        )
        assert told.exit_code == 2 and words in " ".join(told.stderr.split()), told.stderr
    assert (tmp_path / "water.xyz").read_text() == before
    assert not (tmp_path / "md.xyz").exists() and not (tmp_path / "md.svg").exists()

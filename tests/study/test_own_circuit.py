"""A noise study of a person's own circuit: against closed forms, resumed, on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from typer.testing import CliRunner

import qhw
from calibration.catalog import load_snapshot
from qhw.cli.app import app
from qhw.report.study import render_study
from qhw.study.config import ConfigError
from qhw.study.summary import StudySummary
from tests.cli.own_circuits import truth, write_files

SWEEP: dict[str, Any] = {
    "devices": ["iqm_garnet"],
    "scales": [0, 1],
    "shots": ["infinite"],
    "mitigation": ["none", "readout"],
}


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(1, name="turned")
    circuit.ry(Parameter("a"), 0)
    return circuit


ANGLES = np.array([[0.0], [1.1], [np.pi]])


def test_without_gate_noise_only_readout_errors_are_left(tmp_path: Path) -> None:
    """One qubit: TVD is |p10 (1 - p1) - p01 p1| in closed form, nothing after the correction."""
    sweep = SWEEP | {"budget": {"sources": ["readout"], "modes": ["only"]}}
    found = qhw.noise_study(turned(), ANGLES, folder=tmp_path / "s", sweep=sweep, workers=0)
    table = found.to_dataframe()
    only = table[table["sources"] == "only readout"].set_index("mitigation")
    snapshot, p1 = load_snapshot("iqm_garnet"), np.sin(ANGLES[:, 0] / 2) ** 2
    (qubit,) = only.loc["none", "decoder_qubits"]
    error = snapshot.qubits[qubit]
    assert error.p10 is not None and error.p01 is not None
    expected = np.abs(error.p10 * (1 - p1) - error.p01 * p1)
    np.testing.assert_allclose(only.loc["none", "tvd_rows"], expected, atol=1e-9)
    np.testing.assert_allclose(only.loc["readout", "tvd_rows"], 0, atol=1e-9)
    clean = table[table["scale"] == 0]
    assert max(map(max, clean["tvd_rows"])) < 1e-9
    assert table["valid"].isna().all() and "valid" not in repr(found)
    (curve, _) = found.summary.curves
    assert (curve.model, curve.exact_valid, curve.points[0].valid) == ("turned", None, None)


def test_of_files_killed_or_not_it_is_finished_by_the_same_line(tmp_path: Path) -> None:
    write_files(tmp_path)
    line = ["noise-study", str(tmp_path / "mine.qasm"), "--angles", str(tmp_path / "angles.npz")]
    line += ["--devices", "iqm_garnet", "--out", str(tmp_path / "runs"), "--workers", "0"]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "runs" / "mine"
    cells = sorted((folder / "cells").iterdir())
    cells[0].unlink()  # as if it had been killed before the last one
    (folder / "table.parquet").unlink()
    again = CliRunner().invoke(app, line)
    assert f"{len(cells)} cells, {len(cells) - 1} of them kept" in again.output
    summary = StudySummary.model_validate_json((folder / "summary.json").read_text())
    exact = truth()
    uniform = np.abs(exact - 1 / 8).sum(axis=1).mean() / 2
    assert summary.curves[0].points[0].uniform == pytest.approx(uniform)
    page = (folder / "report.html").read_text()
    assert "mine on 1 device" in page and "4 rows of angles" in page and "alidity" not in page


def test_seeds_of_a_circuit_are_shots_of_the_same_rows(tmp_path: Path) -> None:
    """No row counts twice: an interval over rows must not narrow with more seeds."""
    sweep = SWEEP | {"scales": [1], "mitigation": ["none"], "seeds": [0, 1, 2, 3]}
    many = qhw.noise_study(turned(), ANGLES, folder=tmp_path / "4", sweep=sweep, workers=0)
    sweep |= {"seeds": [0]}
    one = qhw.noise_study(turned(), ANGLES, folder=tmp_path / "1", sweep=sweep, workers=0)
    assert many.summary.curves[0].points == one.summary.curves[0].points


@pytest.mark.parametrize(
    ("change", "angles", "said"),
    [
        ({"models": ["x"]}, ANGLES, "`sweep` must leave out models beside a circuit"),
        ({"molecules": 3}, ANGLES, "must leave out molecules"),
        ({"devices": []}, ANGLES, "devices: .* must list at least one"),
        ({"devices": ["nowhere"]}, ANGLES, "`devices` must hold one that there is"),
        ({}, ANGLES[:2], "`angles` must have 3 rows or more .* but has 2"),
    ],
)
def test_what_is_no_study_of_a_circuit_is_named(
    change: dict[str, Any], angles: np.ndarray, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        qhw.noise_study(turned(), angles, folder=tmp_path / "s", sweep=SWEEP | change)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("version", [1, 2])
def test_summaries_of_every_version_are_read(version: int) -> None:
    """Version 1, of models alone, was written by the code before circuits could be studied."""
    text = (Path(__file__).parent / "golden" / f"summary-v{version}.json").read_text()
    summary = StudySummary.model_validate_json(text)
    assert summary.schema_version == version
    assert (summary.curves[0].exact_valid is None) == (version == 2)
    assert "distance" in render_study(summary, "qhw noise-study ...")

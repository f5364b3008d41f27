from __future__ import annotations

import html
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from rdkit import Chem
from rich.console import Console

from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.model import Comparison, compare
from qhw.analysis.compare.result import ComparisonResult
from qhw.analysis.compare.settings import Settings
from qhw.chem import validity
from qhw.chem.bonds import Protocol
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.chem.rmsd import kabsch_rmsd, superposed
from qhw.report.artefacts import write_artefacts
from qhw.report.format import number
from qhw.report.html import render
from qhw.report.terminal import summary

MOLECULES, SHOTS = 3, 2000


@pytest.fixture(scope="module")
def comparison(small_model: Path) -> Comparison:
    settings = Settings.parse(
        model=str(small_model),
        device="aer:ibm_fez",
        shots=SHOTS,
        molecules=MOLECULES,
        task="reconstruct",
    )
    return compare(settings, command="qhw compare", notify=lambda _: None)


@pytest.fixture(scope="module")
def folder(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    write_artefacts(comparison, path)
    return path


@pytest.fixture(scope="module")
def page(comparison: Comparison) -> str:
    return render(comparison, "the-run")


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page))
    # names of XML vocabularies, never fetched
    vocabularies = ("http://www.w3.org/", "http://www.rdkit.org/xml")
    assert not {a for a in addresses if not a.startswith(vocabularies)}
    assert not re.search(r"<(link|iframe|img|object|embed)\b", page)
    assert not re.search(r"<script[^>]+src|@import|url\((?!#)", page)


def test_the_tiles_tell_how_sure_they_are(comparison: Comparison, page: str) -> None:
    tiles = dict(re.findall(r'class="what">([^<]+)</span>(.*?)</div></div>', page, re.DOTALL))
    molecules = comparison.result.section("molecules_exact")
    pipeline = comparison.result.section("pipeline")
    assert molecules is not None and pipeline is not None
    for tile, section, key, unit in (
        ("total variation distance to exact", pipeline, "total_variation", ""),
        ("coordinates against exact", molecules, "rmsd", " Å"),
    ):
        metric = section.metric(key)
        row = metric and metric.row("device_readout")
        assert row and row.mean
        assert f"{number(row.mean.low)} to {number(row.mean.high)}{unit};" in tiles[tile]
    (valid,) = re.findall(r"<b>(\d) of 3</b>", tiles["strictly valid molecules"])
    # roots of |share - p| = 1.96 sqrt(p (1 - p) / 3)
    intervals = {"0": "0 % to 56.1 %", "1": "6.15 % to 79.2 %", "2": "20.8 % to 93.9 %"}
    assert intervals.get(valid, "43.9 % to 100 %") in tiles["strictly valid molecules"]


def test_the_page_states_the_verdict_and_every_source(comparison: Comparison, page: str) -> None:
    assert html.escape(comparison.result.verdict.text) in page
    for words in ("shot floor", "mean of the others", "uniform distribution", "raw"):
        assert words in page
    assert "not the device itself" in page


def test_every_turning_view_holds_readable_data(page: str) -> None:
    views = [json.loads(html.unescape(v)) for v in re.findall(r'data-molecule="([^"]*)"', page)]
    assert len(views) == 3 * MOLECULES  # input, exact, device
    for view in views:
        assert all(len(atom) == 4 for atom in view["atoms"])
        assert all(0 <= i < j < len(view["atoms"]) for i, j in view["bonds"])


def test_names_from_outside_cannot_become_markup(comparison: Comparison) -> None:
    evil = '<script>alert("x")</script>'
    settings = comparison.result.settings.model_copy(update={"input": evil})
    model = comparison.result.model.model_copy(update={"name": evil})
    records = tuple(r.model_copy(update={"name": evil}) for r in comparison.result.molecules)
    result = comparison.result.model_copy(
        update={"settings": settings, "model": model, "molecules": records}
    )
    text = render(Comparison(result, comparison.outcome, comparison.snapshot), evil)
    assert evil not in text
    assert html.escape(evil, quote=False).replace('"', "&#34;") in text


def test_a_device_without_gate_times_is_not_called_instant(comparison: Comparison) -> None:
    def told(result: ComparisonResult) -> tuple[str, str]:
        lines = io.StringIO()
        Console(file=lines, width=1000).print(summary(result))
        return lines.getvalue(), render(
            Comparison(result, comparison.outcome, comparison.snapshot), "the-run"
        )

    def without_times(result: ComparisonResult) -> ComparisonResult:
        facts = [c.model_copy(update={"duration_s": 0.0}) for c in result.circuits]
        return result.model_copy(update={"circuits": tuple(facts)})

    for words in ("gate times unknown", "idling costs nothing"):
        assert not any(words in text for text in told(comparison.result))
    lines, page = told(without_times(comparison.result))
    assert "gate times unknown, qubits" in lines
    assert "idling costs nothing" in page
    assert " 0 s" not in lines


def test_the_page_is_the_same_every_time(comparison: Comparison, page: str) -> None:
    assert render(comparison, "the-run") == page


def test_result_file_is_the_result(comparison: Comparison, folder: Path) -> None:
    text = (folder / "result.json").read_text(encoding="utf-8")
    assert ComparisonResult.from_json(text) == comparison.result


def test_sdf_has_input_exact_and_device_of_every_row(comparison: Comparison, folder: Path) -> None:
    stream = io.BytesIO((folder / "molecules.sdf").read_bytes())
    records = list(Chem.ForwardSDMolSupplier(stream, sanitize=False, removeHs=False))
    assert len(records) == 4 * MOLECULES
    assert [int(m.GetProp("row")) for m in records] == sorted(list(range(MOLECULES)) * 4)
    assert records[0].GetProp("source") == "input molecules"
    exact = comparison.outcome.molecules["exact"].molecule(1)[1]
    written = records[5].GetConformer().GetPositions()
    assert np.abs(written - exact).max() < 1e-4


def waits(circuit: QuantumCircuit) -> list[float]:
    """Seconds of every delay; files count in periods of the clock that they name."""
    dt_s = (circuit.metadata or {}).get("dt_s", float("nan"))
    waits = (step.operation for step in circuit.get_instructions("delay"))
    return [w.duration * (dt_s if w.unit == "dt" else 1.0) for w in waits]


def test_circuits_counts_and_snapshot_are_complete(comparison: Comparison, folder: Path) -> None:
    arrays = np.load(folder / "counts.npz", allow_pickle=False)
    for stage in comparison.outcome.stages:
        with (folder / "circuits" / f"{stage.role}.qpy").open("rb") as stream:
            (circuit,) = qpy.load(stream)
        assert circuit.count_ops() == stage.compiled.circuit.count_ops()
        assert waits(circuit) == pytest.approx(waits(stage.compiled.circuit), rel=1e-12)
        assert waits(circuit)
        assert len(circuit.parameters) == arrays[f"{stage.role}_angles"].shape[1]
        assert "OPENQASM 3" in (folder / "circuits" / f"{stage.role}.qasm").read_text()
        assert (arrays[f"{stage.role}_counts"].sum(axis=1) == SHOTS).all()
    assert DeviceSnapshot.from_json((folder / "snapshot.json").read_text()) == comparison.snapshot


def test_superposed_molecules_are_as_close_as_their_rmsd(comparison: Comparison) -> None:
    given, exact = comparison.outcome.molecules["input"], comparison.outcome.molecules["exact"]
    laid = superposed(given, exact)
    best = kabsch_rmsd(given, exact)
    there = kabsch_rmsd(laid, exact, align=False)
    assert np.allclose(best[~np.isnan(best)], there[~np.isnan(there)])


def test_every_molecule_is_judged_once_a_protocol(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: Counter[str] = Counter()
    bond_graph = validity.bond_graph

    def counting(molecules: MoleculeBatch, protocol: Protocol) -> NDArray[np.bool_]:
        judged[protocol] += len(molecules)
        return bond_graph(molecules, protocol)

    monkeypatch.setattr(validity, "bond_graph", counting)
    settings = Settings.parse(
        model=str(small_model), device="exact", shots=SHOTS, molecules=MOLECULES, task="reconstruct"
    )
    comparison = compare(settings, notify=lambda _: None)
    write_artefacts(comparison, tmp_path)
    render(comparison, "the-run")
    sources = MOLECULES * len(comparison.outcome.molecules)
    assert judged == {p: sources + len(sample_molecules()) for p in ("strict", "released")}

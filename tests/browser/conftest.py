"""One browser for all tests, and one small page of every kind that the house writes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qhw
from calibration.catalog import load_snapshot
from calibration.drift import drift
from qhw.analysis.compare.model import compare
from qhw.analysis.compare.settings import Settings
from qhw.analysis.depth.subjects import circuit_subject
from qhw.analysis.depth.sweep import sweep
from qhw.analysis.drift.effect import drift_effect
from qhw.analysis.validate.records import OWN, CircuitOf, shipped_results
from qhw.analysis.validate.validation import validate_models
from qhw.report.depth_files import write_depth_files
from qhw.report.drift import Pair, render_drift
from qhw.report.drift_terminal import drift_document
from qhw.report.mitigation import render_bench
from qhw.report.side_by_side import render_runs
from qhw.report.study import render_study
from qhw.report.validation import write_validation
from qhw.report.whole import write_comparison
from qhw.saved.shelf import Shelf
from qhw.saved.side_by_side import lay_side_by_side
from qhw.study.summary import summarise
from tests.browser.chromium import Chromium
from tests.report.made_up import made_up_bench, made_up_cell, made_up_device
from tests.study.made_up import made_up_config, made_up_table

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The system's Chromium; tests are skipped where there is none."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        why = "no Chromium here: none of " + ", ".join(_PROGRAMS) + " is on PATH"
        if os.environ.get("QHW_TEST_BROWSER") == "required":
            pytest.fail(why)
        pytest.skip(why)
    with Chromium(program, tmp_path_factory.mktemp("profile")) as started:
        yield started


def _chain() -> QuantumCircuit:
    circuit = QuantumCircuit(4, name="chain" * 30)  # a name that no narrow page has room for
    angles = ParameterVector("t", 4)
    for q in range(4):
        circuit.ry(angles[q], q)
    for q in range(3):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    return circuit


ANGLES = np.random.default_rng(3).uniform(0.2, 2.9, (4, 4))


def _ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(3, name="ghz")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


def _turned(k: int) -> QuantumCircuit:
    """A pair with ``k`` two-qubit gates; of none every outcome is as likely as any other."""
    circuit = QuantumCircuit(2, name=f"turned_{k}")
    circuit.ry(0.4, 0) if k else circuit.h([0, 1])
    for turn in range(k):
        circuit.cx(turn % 2, 1 - turn % 2)
        circuit.ry(0.3 + 0.2 * turn, [0, 1])
    circuit.measure_all()
    return circuit


class Runs:
    """A folder of small runs, each made when it is first asked for."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self._model = folder, model
        self._made: dict[str, Path] = {}

    def page(self, kind: str) -> Path:
        """A kind's page."""
        if kind not in self._made:
            makers: dict[str, Callable[[Path], object]] = {
                "compare": self._compare,
                "measure": self._measure,
                "measure-again": self._measure_again,
                "expect": self._expect,
                "noise-study": self._study,
                "depth-report": self._depth,
                "depth-reports": self._depths,
                "mitigate-bench": self._bench,
                "drift": self._drift,
                "validate-models": self._validate,
                "runs": self._runs,
            }
            place = self.folder / kind
            makers[kind](place)
            self._made[kind] = place / ("runs.html" if kind == "runs" else "report.html")
        return self._made[kind]

    def _compare(self, place: Path) -> None:
        settings = Settings.parse(
            model=str(self._model),
            device="engine:ibm_fez",
            shots=500,
            molecules=2,
            task="reconstruct",
        )
        place.mkdir()
        found = compare(settings, command="qhw compare", notify=lambda _: None)
        write_comparison(found, place, place.name)

    def _measure(self, place: Path) -> None:
        qhw.measure(_chain(), ANGLES, "engine:ibm_fez", shots=500, probe=True).save(place)

    def _measure_again(self, place: Path) -> None:
        qhw.measure(_chain(), ANGLES, "engine:iqm_garnet", shots=500).save(place)

    def _expect(self, place: Path) -> None:
        asked = ["0.5*XXII - 1.2*IYYI", "ZZZZ"]
        qhw.expect(
            _chain().remove_final_measurements(inplace=False),
            ANGLES,
            asked,
            "engine:ibm_fez",
            shots=2000,
            mitigation="readout",
            probe=True,
        ).save(place)

    def _study(self, place: Path) -> None:
        config = made_up_config()
        place.mkdir()
        summary = summarise(config, made_up_table(config))
        (place / "summary.json").write_text(summary.model_dump_json())
        (place / "report.html").write_text(render_study(summary, "qhw noise-study x.yaml"))

    def _depth(self, place: Path) -> None:
        subjects = [circuit_subject(_ghz(), "ghz.qasm")]
        report = sweep(subjects, "iqm_garnet,ibm_fez,nope", levels=(0, 1), seeds=2)
        place.mkdir()
        write_depth_files(place, place.name, report, subjects)

    def _depths(self, place: Path) -> None:
        circuits = [_turned(k) for k in range(4)]
        subjects = [circuit_subject(circuit, f"{circuit.name}.qasm") for circuit in circuits]
        report = sweep(subjects, "iqm_garnet,ibm_fez", levels=(1,), seeds=1)
        place.mkdir()
        write_depth_files(place, place.name, report, subjects)

    def _bench(self, place: Path) -> None:
        cells = [made_up_cell("readout", 0.05, "better"), made_up_cell("zne(1,3)", 0.02, "better")]
        result = made_up_bench(made_up_device(*cells))
        place.mkdir()
        (place / "result.json").write_text(result.to_json())
        (place / "report.html").write_text(render_bench(result, place.name))

    def _drift(self, place: Path) -> None:
        before, after = load_snapshot("iqm_garnet@2025-07-06"), load_snapshot("iqm_garnet")
        effect = drift_effect(circuit_subject(_ghz(), "ghz.qasm"), before, after)
        pair = Pair(before, after, drift(before, after), (effect,))
        place.mkdir()
        document = {"schema_version": 1, "pairs": [drift_document(pair)]}
        (place / "result.json").write_text(json.dumps(document))
        (place / "report.html").write_text(render_drift([pair], "qhw drift"))

    def _validate(self, place: Path) -> None:
        """Every fifth shipped result with the prediction that is shipped: nothing is compiled."""
        shipped = shipped_results()
        told = {"circuit": CircuitOf(name=OWN)}
        records = tuple(record.model_copy(update=told) for record in shipped.records[::5])
        found = validate_models(shipped.model_copy(update={"records": records}))
        place.mkdir()
        write_validation(place, place.name, found)

    def _runs(self, place: Path) -> None:
        names = [self.page(kind).parent.name for kind in ("measure", "measure-again", "compare")]
        compared = lay_side_by_side(Shelf(self.folder), names)
        place.mkdir()
        (place / "runs.html").write_text(render_runs(compared, "qhw runs compare"))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"), small_model)

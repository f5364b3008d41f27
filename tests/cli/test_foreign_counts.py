"""Counts that were made elsewhere: every kind of file, its order of bits, and bad files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from braket.default_simulator import StateVectorSimulator
from braket.ir.openqasm import Program
from numpy.typing import NDArray
from qiskit.providers.basic_provider import BasicSimulator

from calibration.catalog import load_snapshot
from calibration.noise import DeviceNoise, NoiseOptions
from qhw.analysis.compare.result import ComparisonResult
from qhw.circuits.counts_files import CountsFileError, read_counts
from tests.cli.own_circuits import ROWS, outcome, template, truth, write_files
from tests.cli.test_own_circuits import call, document

pytestmark = pytest.mark.usefixtures("own_home")

BITS = (1, 2, 0)
"""Of qubits 0, 1, 2 of :func:`template`."""
SHOTS = 4000
BRAKET = {"braketSchemaHeader": {}, "measurements": [[0, 0, 1]]}


def sampled(row: int, probabilities: NDArray[np.float64] | None = None) -> dict[str, int]:
    """Counts as Qiskit names them."""
    p = truth()[row] if probabilities is None else probabilities
    counts = np.random.default_rng(row).multinomial(SHOTS, p / p.sum())
    return {outcome(k): int(c) for k, c in enumerate(counts) if c}


def bound(row: int) -> Any:
    values = dict(zip(("alpha", "beta", "gamma"), ROWS[row].tolist(), strict=True))
    return template().assign_parameters(values)


def qiskit_result() -> dict[str, Any]:
    """What Qiskit's own simulator gives."""
    circuits = [bound(row) for row in range(4)]
    simulated = BasicSimulator()
    results = [simulated.run(c, shots=SHOTS, seed_simulator=1).result().to_dict() for c in circuits]
    return {**results[0], "results": [r["results"][0] for r in results]}


def braket_result(row: int) -> dict[str, Any]:
    """What Braket's own simulator gives; its letters are those of qubits."""
    alpha, beta, gamma = ROWS[row]
    source = (
        f"OPENQASM 3.0; qubit[3] q; bit[3] c; ry({gamma}) q[0]; ry({alpha}) q[1]; ry({beta}) q[2];"
        "cnot q[0], q[1]; cnot q[1], q[2];"
    )
    found = StateVectorSimulator().run(Program(source=source), shots=SHOTS)
    told: dict[str, Any] = json.loads(found.json())
    return told


def written(folder: Path, content: object) -> Path:
    path = folder / "counts.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def close_to_truth(path: Path, rows: int) -> None:
    found = read_counts(path, BITS)
    assert found.shots == (SHOTS,) * rows
    for row, counts in enumerate(found.rows):
        table = np.array([counts.get(k, 0) for k in range(8)]) / SHOTS
        assert np.abs(table - truth()[row]).sum() / 2 < 0.05  # any other order is further off


def test_files_of_others_are_read_in_their_order(tmp_path: Path) -> None:
    close_to_truth(written(tmp_path, qiskit_result()), 4)
    assert read_counts(tmp_path / "counts.json", BITS).kind == "Qiskit"
    close_to_truth(written(tmp_path, braket_result(0)), 1)
    found = read_counts(tmp_path / "counts.json", BITS)
    assert (found.kind, found.order, found.stated) == ("Braket", "qubits", True)
    rows = [sampled(row) for row in range(4)]
    close_to_truth(written(tmp_path, rows), 4)
    close_to_truth(written(tmp_path, {"counts": rows, "shots": SHOTS}), 4)
    backwards = [{name.replace(" ", "")[::-1]: c for name, c in row.items()} for row in rows]
    close_to_truth(written(tmp_path, {"counts": backwards, "bit_order": "reversed"}), 4)
    hexadecimal = {hex(int(name.replace(" ", ""), 2)): c for name, c in rows[0].items()}
    close_to_truth(written(tmp_path, hexadecimal), 1)
    gym = {"app_version": "0.8", "job_type": "WIT", "platform": {"device": "ibm_x"}}
    close_to_truth(written(tmp_path, {**gym, "results": {"raw_counts": rows}}), 4)
    found = read_counts(tmp_path / "counts.json", BITS)
    assert (found.kind, found.device, found.stated) == ("metriq-gym", "ibm_x", False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "must be JSON"),
        ('{"001": 1, "001": 2}', "is there twice"),
        ([], "but holds none"),
        ({"01": 5}, "must have the circuit's 3 bits"),
        ({"0012": 5}, "must have the circuit's 3 bits"),
        ({"0x9": 5}, "must have 3 bits, but has more"),
        ({"001": -5}, "must be a whole number from 0"),
        ('{"001": NaN}', "must be a whole number from 0"),
        ('{"001": 1e400}', "must be a whole number from 0"),
        ({"001": 2.5}, "must be a whole number from 0"),
        ({"001": True}, "must be a whole number from 0"),
        ({"001": 10**30}, "must be a whole number from 0"),
        ({"001": 0}, "must have 1 to"),
        ({"001": 1, "0x1": 1}, "is there twice"),
        ({"counts": {"001": 5}, "shots": 6}, "must add up to the 6 shots stated, but do to 5"),
        ({"counts": {"001": 1}, "shots": True}, "must add up to the True shots stated"),
        ({**BRAKET, "measuredQubits": [0, 1]}, "`measuredQubits` must be one for each letter"),
        ({**BRAKET, "measuredQubits": [0, 0, 1]}, "`measuredQubits` must rise"),
        ({"counts": {"001": 5}, "bit_order": "odd"}, "`bit_order` must be"),
        ({"__type__": "PrimitiveResult", "__value__": {}}, "get_counts"),
        ("[" * 100_000, "must be JSON"),
        ({"counts": 7}, "must be counts by outcome"),
        ([7], "must be counts by outcome"),
        ("7", "must be an object or a list"),
    ],
)
def test_bad_files_are_one_line(content: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(CountsFileError, match=r"Counts .*counts\.json: ") as caught:
        read_counts(written(tmp_path, content), BITS)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_compared_with_exact_and_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Misread by a device's own matrices on chosen qubits: the correction takes that back."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    noise = DeviceNoise(load_snapshot("ibm_lagos"), NoiseOptions(readout=1.0))
    labels = (5, 1, 3)
    whole: NDArray[np.float64] = np.eye(1)
    for label in labels:  # bit 0 is the least significant
        whole = np.asarray(np.kron(noise.confusion(label), whole), dtype=np.float64)
    rows = [sampled(row, whole @ truth()[row]) for row in range(4)]
    written(tmp_path, rows)
    line = ("compare", "mine.qasm", "--angles", "angles.csv", "--names", "label")
    counts = ("--counts", "counts.json")
    known = ("--device", "aer:ibm_lagos", "--qubits", "5,1,3")
    found = document(*line, *counts, *known)
    result = ComparisonResult.from_json((Path(found["run"]) / "result.json").read_text())
    metric = result.sections[0].leading
    assert metric is not None and result.foreign is not None
    raw, corrected = (metric.row(key) for key in ("device_raw", "device_readout"))
    assert raw is not None and corrected is not None and raw.mean and corrected.mean
    assert corrected.mean.value < 0.6 * raw.mean.value
    assert result.circuits[0].qubits == (1, 3, 5)  # in the order of qubits 0, 1, 2
    assert result.foreign.order_check.startswith("checked")
    assert "--counts" in found["provenance"]["command"]
    assert "--shots" not in found["provenance"]["command"]
    plain = document(*line, *counts)
    assert plain["device"]["backend"] == "unknown"
    assert any("readout is not corrected" in text for text in plain["foreign"]["unknown"])
    page = (Path(plain["run"]) / "report.html").read_text()
    assert "Not known: which qubits ran" in page
    turned = [{name[::-1]: c for name, c in row.items()} for row in rows]
    written(tmp_path, turned)
    said = call(*line, *counts, code=2)
    assert "say `--bit-order reversed`" in said and len(said.splitlines()) == 1
    assert document(*line, *counts, "--bit-order", "reversed")["foreign"]["order"] == "reversed"
    assert "DOUBTFUL" in call(*line, *counts, "--bit-order", "qiskit")
    for words, told in {
        ("--shots", "100"): "`--shots` must be left out",
        ("--mitigation", "zne(1,3)"): "must be none or readout",
        ("--qubits", "1,3,5"): "left out without a device",
        (*known[:3], "1,1,3"): "3 different qubits",
    }.items():
        assert told in call(*line, *counts, *words, code=2)
    assert "left out without --counts" in call(*line, "--qubits", "1", code=2)

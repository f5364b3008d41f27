"""Wide circuits from end to end: measured, compared, printed, stored, reported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from typer.testing import CliRunner

import qhw
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from backends.reference import choose
from backends.reference.mps import TooEntangledError
from qhw.analysis.compare.result import ComparisonResult
from qhw.cli.app import app
from qhw.jobs import blobs
from tests.backends.reference.wide_circuits import clifford_layers, ghz, shallow

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

GOLDEN = Path(__file__).parents[1] / "jobs" / "golden"
_RUN = """
import sys
from pathlib import Path
from qiskit import qpy
import qhw
with open(sys.argv[1], "rb") as stream:
    (circuit,) = qpy.load(stream)
found = qhw.measure(circuit, device=sys.argv[2], shots=int(sys.argv[3]), mitigation="readout")
folder = found.save(Path(sys.argv[4]))
assert "linear cross-entropy" in repr(found)
assert (folder / "report.html").stat().st_size < 3e6
assert sum(found.get_counts().values()) == int(sys.argv[3])
len(found.to_dataframe()), found.plot()
# not getrusage: its peak may be that of the parent, before this program began
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""
GIGABYTE_KB = 10**6
IBM_DEVICE = "ibm_boston"


def peak_kb(circuit: QuantumCircuit, device: str, shots: int, folder: Path) -> int:
    """Most memory a process of its own had, kB, from circuit to report."""
    file = folder / "circuit.qpy"
    with file.open("wb") as stream:
        qpy.dump(circuit, stream)
    command = [sys.executable, "-c", _RUN, str(file), device, str(shots), str(folder / "out")]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return int(told.stdout.split()[-1])


@pytest.mark.slow
def test_a_hundred_qubits_under_a_gigabyte(tmp_path: Path) -> None:
    assert peak_kb(ghz(100), "exact", 10_000, tmp_path) < GIGABYTE_KB


@pytest.mark.slow
@pytest.mark.parametrize("device", ["exact", "aer:ibm_fez"])
@pytest.mark.parametrize(
    "circuit", [ghz(100), clifford_layers(100, 6), shallow(60)], ids=["ghz", "clifford", "shallow"]
)
def test_ten_thousand_shots_under_a_gigabyte(
    circuit: QuantumCircuit, device: str, tmp_path: Path
) -> None:
    assert peak_kb(circuit, device, 10_000, tmp_path) < GIGABYTE_KB


@pytest.mark.slow
def test_what_a_wide_result_says(tmp_path: Path) -> None:
    found = qhw.measure(ghz(60), device="engine:ibm_fez", shots=500, mitigation="readout")
    result = found.result
    assert result.verdict.level == "better" and result.verdict.metric == "linear_xeb"
    assert result.reference is not None and result.reference.method == "stabilizer"
    assert "Pauli-twirled, an approximation" in (result.circuits[0].approximation or "")
    words = " ".join(repr(found).split())
    assert "Pauli-twirled" in words and "exact: stabilizer" in words
    folder = found.save(tmp_path / "wide")
    assert ComparisonResult.from_json((folder / "result.json").read_text()) == result
    page = (folder / "report.html").read_text()
    assert "Exact reference: stabilizer" in page and "biased upwards" in page
    with np.load(folder / "counts.npz", allow_pickle=False) as arrays:
        assert arrays["circuit_counts"].sum() == 500
        assert len(arrays["circuit_outcomes"]) == arrays["circuit_counts"].shape[1]
    values = found.exact[0, [found.outcomes.index(k) for k in (0, 2**60 - 1)]]
    assert values.tolist() == [0.5, 0.5] and found.exact.sum() == 1.0
    assert found.get_counts()["0" * 60] > 20


def test_without_exact_the_report_shows_what_remains(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def too_entangled(*_: object, **__: object) -> NoReturn:
        raise TooEntangledError("a matrix product state drops too much of it")

    # as for a deep circuit, which no simulator could then run either
    monkeypatch.setattr(choose, "mps_reference", too_entangled)
    found = qhw.measure(shallow(30), device="aer:ibm_fez", shots=20, mitigation="none")
    assert found.result.reference.method == "none" and found.result.verdict.level == "unknown"
    words = " ".join(repr(found).split())
    assert "no exact reference" in words and "predicted share of runs" in words
    page = (found.save(tmp_path / "none") / "report.html").read_text()
    assert "Exact reference: none" in page and "predicted share of runs" in page
    assert np.isnan(found.exact).all() and found.counts.sum() == 20
    with pytest.raises(ValueError, match="must have"):
        found.plot()


@pytest.mark.parametrize("name", [f"ibm:{IBM_DEVICE}", "braket:ionq_forte_enterprise"])
def test_wide_jobs_go_through_the_ledger(
    name: str, ibm: tuple[IBMPlatform, LoopbackServer], braket: BraketService, tmp_path: Path
) -> None:
    place = qhw.device(name, budget="90usd", project="wide")
    circuit = ghz(24)
    first = qhw.measure(circuit, None, place, shots=200, mitigation="readout")
    again = qhw.measure(circuit, None, place, shots=200, mitigation="readout")
    assert again.run == first.run
    np.testing.assert_array_equal(again.counts, first.counts)
    assert first.counts.sum() == 200 and first.counts.shape[1] < 200
    metric = first.result.sections[0].metric("linear_xeb").row("device_raw").mean
    assert metric.value > 0.3
    told = CliRunner().invoke(app, ["jobs", "counts", first.run, "--out", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    (file,) = json.loads(told.stdout)["counts"]
    with np.load(file["file"], allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["counts"], first.counts)
        assert len(arrays["outcomes"]) == first.counts.shape[1]


def test_counts_of_the_ledger_are_read_in_every_version() -> None:
    from backends.outcomes import Outcomes

    dense = np.arange(8).reshape(2, 4)
    counts, outcomes = blobs.unpack_counts(blobs.pack_array(dense))
    assert outcomes is None and counts.tolist() == dense.tolist()
    seen = Outcomes.of_integers([0, 2**99], 100)
    counts, outcomes = blobs.unpack_counts(blobs.pack_counts(np.array([[3, 4]]), seen))
    assert counts.tolist() == [[3, 4]] and outcomes.integers() == [0, 2**99]
    counts, outcomes = blobs.unpack_counts((GOLDEN / "counts-v1.npz").read_bytes())
    assert counts.tolist() == [[3, 0, 4, 1], [0, 2, 0, 6]]
    assert outcomes is not None and outcomes.integers() == [0, 5, 2**40 + 1, 2**99]

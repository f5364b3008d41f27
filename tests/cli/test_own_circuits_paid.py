"""Circuit files on the vendors' real clients: killed, taken up by the same line, paid once."""

from __future__ import annotations

import io
import json
import shlex
import signal
import zlib
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy

from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from tests.cli.interrupted import stopped
from tests.cli.own_circuits import LABELS, truth, write_files
from tests.cli.test_own_circuits import call, document, recorded

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]


@pytest.mark.parametrize(
    "device",
    ["ibm:ibm_lagos", pytest.param("braket:iqm_garnet", marks=pytest.mark.slow)],
)
def test_killed_and_taken_up_by_the_same_line(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: BraketService, device: str, tmp_path: Path
) -> None:
    service = ibm[0] if device.startswith("ibm") else braket
    write_files(tmp_path)
    angles, out = tmp_path / "angles.csv", tmp_path / "runs"
    line = (
        *("run", tmp_path / "mine.qasm", "--angles", angles, "--names", "label"),
        *("--device", device, "--shots", 4000, "--mitigation", "none", "--budget", "90usd"),
        *("--out", out),
    )
    code, _, _ = stopped(service, signal.SIGKILL, *line)
    assert code == -signal.SIGKILL and not out.exists()
    (name,) = recorded()
    service.queue.release()
    found = document(*line)
    sent = service.queue.accepted
    assert recorded() == [name] and Path(found["run"]).name.startswith(name)
    with np.load(Path(found["run"]) / "counts.npz", allow_pickle=False) as arrays:
        counts = arrays["circuit_counts"]
    assert counts.sum(axis=1).tolist() == [4000] * 4
    distance = np.abs(counts / 4000 - truth()).sum(axis=1) / 2
    assert (distance < 0.15).all()  # any other order of bits or columns is further off
    assert [row["name"] for row in found["row_names"]] == list(LABELS)
    call(*line)
    assert (recorded(), service.queue.accepted) == ([name], sent)
    jobs = json.loads(call("jobs", "show", name, "--json"))["jobs"]
    assert sum(job["rows"] for job in jobs) == 4


@pytest.mark.parametrize("compiler", ["qiskit", "pytket"])
def test_the_line_of_a_depth_report_sends_the_very_circuit(
    ibm: tuple[IBMPlatform, LoopbackServer], compiler: str, tmp_path: Path
) -> None:
    pytest.importorskip(compiler, reason=f"install the extra {compiler}")
    text = "OPENQASM 2.0; include 'qelib1.inc'; qreg q[3]; creg c[3]; h q[0]; cx q[0],q[1];"
    (tmp_path / "mine.qasm").write_text(
        f"{text} cx q[0],q[2]; t q[2]; measure q -> c;".replace("'", '"')
    )
    line = ("depth-report", tmp_path / "mine.qasm", "--devices", "ibm_lagos", "--levels", 1)
    more = ("--seeds", 1, "--compiler", compiler, "--processes", 1, "--out", tmp_path / "runs")
    found = document(*line, *more)
    (advice,) = found["recommendations"]
    words = shlex.split(advice["submit"])
    assert words[:2] == ["qhw", "submit"]
    assert words[2] == str(Path(found["run"]) / "circuits" / "mine.qpy")
    row = next(r for r in found["rows"] if r["compiler"] == advice["best"]["compiler"])
    out = tmp_path / "dry"
    priced = document(*words[1:], "--mitigation", "none", "--dry-run", "--out", out)
    (stage,) = priced["stages"]
    assert stage["two_qubit_gates"] == row["best"]["two_qubit_gates"]
    program = json.loads(Path(priced["payloads"][0]).read_text())["params"]["quantum_program"]
    (sent,) = qpy.load(io.BytesIO(zlib.decompress(b64decode(program["circuits"]["b64_data"]))))
    with Path(words[2]).open("rb") as file:
        (kept,) = qpy.load(file)
    places = kept.metadata["compiled_for"]["qubits"]
    assert places == row["best"]["qubits"]
    assert _gates(sent, range(sent.num_qubits)) == _gates(kept, places)


def _gates(circuit: QuantumCircuit, qubits: Sequence[int]) -> list[tuple[object, ...]]:
    """Each gate with its angles and device qubits."""
    return [
        (
            item.operation.name,
            *item.operation.params,
            *(qubits[circuit.find_bit(q).index] for q in item.qubits),
        )
        for item in circuit.data
        if item.operation.name not in ("measure", "barrier")
    ]

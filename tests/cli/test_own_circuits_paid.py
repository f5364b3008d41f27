"""Circuit files on the vendors' real clients: killed, taken up by the same line, paid once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

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

"""What a person types: three lines, any device, from Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector

import qhw
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.analysis.compare.result import ComparisonResult

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

ANGLES = np.random.default_rng(5).uniform(0.2, 2.9, (4, 6))


def asymmetric(name: str = "mine") -> QuantumCircuit:
    """Three qubits into two registers, crossed: no two orders of bits give the same."""
    t = ParameterVector("t", 6)
    wires = QuantumRegister(3, "q")
    circuit = QuantumCircuit(wires, ClassicalRegister(1, "a"), ClassicalRegister(2, "b"), name=name)
    for i in range(3):
        circuit.ry(t[i], i)
    circuit.cz(0, 1)
    circuit.cx(1, 2)
    for i in range(3):
        circuit.ry(t[3 + i], i)
    circuit.measure([2, 0, 1], [0, 1, 2])
    return circuit


def known(row: np.ndarray) -> np.ndarray:
    """The same by plain matrices: amplitude index q2 q1 q0, then the bits as they are measured."""
    ry = [np.array([[np.cos(a / 2), -np.sin(a / 2)], [np.sin(a / 2), np.cos(a / 2)]]) for a in row]
    first = np.kron(np.kron(ry[2], ry[1]), ry[0])
    last = np.kron(np.kron(ry[5], ry[4]), ry[3])
    cz, cx = np.eye(8), np.zeros((8, 8))
    for k in range(8):
        if k & 1 and k >> 1 & 1:
            cz[k, k] = -1
        cx[k ^ (4 if k >> 1 & 1 else 0), k] = 1
    psi = last @ cx @ cz @ first[:, 0]
    out = np.zeros(8)
    for k, p in enumerate(psi**2):
        q0, q1, q2 = k & 1, k >> 1 & 1, k >> 2 & 1
        out[q2 | q0 << 1 | q1 << 2] += p
    return out


@pytest.mark.parametrize("name", ["exact", "aer:ibm_fez", "engine:ibm_fez", "emulator:iqm_garnet"])
def test_three_lines_on_every_kind_of_device(name: str, tmp_path: Path) -> None:
    found = qhw.measure(asymmetric(), ANGLES, qhw.device(name), shots=20_000, mitigation="readout")
    np.testing.assert_allclose(found.exact, [known(row) for row in ANGLES], atol=1e-12)
    distance = np.abs(found.probabilities - found.exact).sum(axis=1) / 2
    assert distance.max() < 0.08
    assert found.counts.sum(axis=1).tolist() == [20_000] * 4
    words = repr(found)
    assert "shot floor" in words and "baseline" in words and name in words
    folder = found.save(tmp_path / "mine")
    assert folder == tmp_path / "mine"
    stored = ComparisonResult.from_json((folder / "result.json").read_text())
    assert stored == found.result and stored.model is None
    page = (folder / "report.html").read_text()
    assert "mine on" in page and "validity" not in page.lower()
    assert not (folder / "molecules.sdf").exists()
    assert {p.name for p in (folder / "circuits").iterdir()} == {"circuit.qpy", "circuit.qasm"}


def test_rows_and_outcomes_keep_their_names() -> None:
    columns = {f"t[{i}]": ANGLES[:, i] for i in (5, 3, 1, 0, 2, 4)} | {"row": list("abcd")}
    found = qhw.measure(asymmetric(), columns, "exact", shots=100_000, mitigation="none")
    assert [row.name for row in found.result.named_rows] == list("abcd")
    top = int(found.exact[2].argmax())
    counts = found.get_counts(2)
    assert max(counts, key=counts.__getitem__) == f"{top >> 1:02b} {top & 1}"
    pd = pytest.importorskip("pandas")
    table = found.to_dataframe()
    assert isinstance(table, pd.DataFrame) and set(table["name"]) == set("abcd")
    assert table.groupby("row")["exact"].sum().to_numpy() == pytest.approx(1.0)
    assert table["count"].sum() == 400_000


def test_one_row_has_an_interval_of_its_shots_and_no_mean_of_others() -> None:
    found = qhw.measure(asymmetric(), ANGLES[:1], "exact", shots=5000, mitigation="none")
    metric = found.result.sections[0].metric("total_variation")
    assert metric.row("prior_mean") is None
    device, floor = metric.row("device_raw").mean, metric.row("shots_only").mean
    assert device.low < device.value < device.high
    assert floor.low < device.value < floor.high
    assert found.result.verdict.level == "better"


def test_the_interval_of_one_row_holds_repeated_experiments() -> None:
    found = [
        qhw.measure(
            asymmetric(), ANGLES[:1], "engine:ibm_fez", shots=2000, mitigation="none", seed=seed
        )
        for seed in range(20)
    ]
    means = [f.result.sections[0].metric("total_variation").row("device_raw").mean for f in found]
    centre = np.mean([mean.value for mean in means])
    held = sum(mean.low <= centre <= mean.high for mean in means)
    assert held >= 16  # 95 % of 20; 15 or fewer by chance three times in 1,000


def test_where_a_constant_is_exact_nothing_is_claimed() -> None:
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    found = qhw.measure(circuit, device="engine:ibm_fez", shots=1000, mitigation="none")
    verdict = found.result.verdict
    assert verdict.level == "unknown" and verdict.skill is None
    assert "no device could be closer" in " ".join(repr(found).split())
    assert "a baseline is exact" in _page(found)


def _page(found: qhw.Measurement) -> str:
    from qhw.report.html import render

    return render(found.comparison, "x")


def test_a_budget_is_for_devices_that_cost() -> None:
    with pytest.raises(ValueError, match="`budget` must be left out for engine:ibm_fez"):
        qhw.device("engine:ibm_fez", budget="3usd")
    with pytest.raises(TypeError, match="`what` must be a device's name"):
        qhw.device(3)  # type: ignore[arg-type]


def test_devices_from_calibrations_and_backends(tmp_path: Path) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeFez

    named = qhw.device("engine:ibm_fez")
    assert named.snapshot is not None
    file = tmp_path / "fez.json"
    file.write_text(named.snapshot.to_json())
    wanted = qhw.measure(asymmetric(), ANGLES, named, shots=1000, mitigation="none").counts
    for form in (named.snapshot, file, str(file), FakeFez()):
        found = qhw.measure(asymmetric(), ANGLES, form, shots=1000, mitigation="none")
        np.testing.assert_array_equal(found.counts, wanted)
    assert "ibm_fez" in {row.reference for row in qhw.devices("fez")}


class Vendors:
    """Both simulated vendors."""

    def __init__(self, ibm: tuple[IBMPlatform, LoopbackServer], braket: BraketService) -> None:
        self._queues = {"ibm": ibm[0].queue, "braket": braket.queue}

    def accepted(self, device: str) -> int:
        """Jobs that a device's vendor ever took."""
        return self._queues[device.partition(":")[0]].accepted


@pytest.fixture
def vendors(
    ibm: tuple[IBMPlatform, LoopbackServer],
    braket: BraketService,
) -> Iterator[Vendors]:
    yield Vendors(ibm, braket)


@pytest.mark.parametrize("name", ["ibm:ibm_lagos", "braket:iqm_garnet"])
def test_paid_once_and_taken_up_by_the_same_call(vendors: Vendors, name: str) -> None:
    place = qhw.device(name, budget="90usd", project="door")
    asked = {"shots": 1000, "mitigation": "readout+zne(1,3)"}
    price = qhw.estimate(asymmetric(), ANGLES, place, **asked)
    assert 0 < price.micro <= price.reserve_micro and not vendors.accepted(name)
    first = qhw.measure(asymmetric(), ANGLES, place, **asked)
    sent = vendors.accepted(name)
    assert sent == len(price.jobs) and first.result.rehearsal
    assert np.abs(first.probabilities - first.exact).sum(axis=1).max() / 2 < 0.25
    again = qhw.measure(asymmetric(), ANGLES, place, **asked)
    assert again.run == first.run and vendors.accepted(name) == sent
    np.testing.assert_array_equal(again.counts, first.counts)
    other = qhw.measure(asymmetric(), ANGLES + 0.1, place, **asked)
    assert other.run != first.run
    (newest, older) = qhw.submitted()
    assert (newest.id, older.id) == (other.run, first.run)


@pytest.mark.slow
def test_another_process_takes_a_run_up_by_its_name_alone(vendors: Vendors, tmp_path: Path) -> None:
    run = qhw.submit(
        asymmetric("passed on"),
        ANGLES,
        qhw.device("ibm:ibm_lagos", budget="90usd"),
        shots=500,
    )
    assert "measure on ibm:ibm_lagos" in repr(run)
    command = ["-c", "from qhw.cli.app import main; main()", "jobs", "watch", run.id]
    told = subprocess.run(
        [sys.executable, *command, "--out", tmp_path, "--json"], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    mine = qhw.run(run.id).wait()
    assert isinstance(mine, qhw.Measurement)
    assert document["sections"] == json.loads(mine.to_json())["sections"]
    assert document["settings"]["circuit"] == "passed on"


def test_a_budget_that_does_not_hold_refuses_before_anything_is_sent(vendors: Vendors) -> None:
    from qhw.jobs.budget import BudgetError

    with pytest.raises(BudgetError, match=r"0\.01 usd"):
        qhw.measure(asymmetric(), ANGLES, qhw.device("ibm:ibm_lagos", budget="0.01usd"), shots=1000)
    assert not vendors.accepted("ibm:ibm_lagos")


def test_importing_takes_nothing_along() -> None:
    code = (
        "import sys, qhw; dir(qhw); "
        "print([m for m in ('torch', 'qiskit', 'numpy', 'pydantic', 'rich') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_device_is_there_without_torch() -> None:
    code = "import sys, qhw; qhw.device('engine:ibm_lagos'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in qhw.__all__:
        assert getattr(qhw, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'mesure'"):
        qhw.mesure  # noqa: B018

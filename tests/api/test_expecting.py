"""Expectation values of a live circuit with rows of angles, from Python, on any device."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector
from typer.testing import CliRunner

import qhw
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.analysis.expect.result import ExpectResult
from qhw.cli.app import app
from qhw.jobs.ledger import Ledger
from qhw.jobs.queries import get_run
from qhw.mitigation.expectation import NoCountsError

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

ANGLES = np.random.default_rng(3).uniform(0.2, 2.9, (3, 3))
OBSERVABLES = ["0.5*XXI - 1.2*IYY", "Z0 Z2", SparsePauliOp(["XYZ", "III"], [0.7, 2.0])]


def unlike(name: str = "unlike") -> QuantumCircuit:
    """Three qubits, no two alike, complex amplitudes, nothing measured."""
    t = ParameterVector("t", 3)
    circuit = QuantumCircuit(3, name=name)
    for q in range(3):
        circuit.ry(t[q], q)
        circuit.rz(0.3 + q, q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.rx(0.4, 0)
    return circuit


def truth(circuit: QuantumCircuit, rows: np.ndarray) -> np.ndarray:
    """By Qiskit's statevector and labels written out: the leftmost letter is the last qubit."""
    operators = [
        SparsePauliOp(["XXI", "IYY"], [0.5, -1.2]),
        SparsePauliOp("ZIZ"),
        SparsePauliOp(["XYZ", "III"], [0.7, 2.0]),
    ]
    states = [Statevector(circuit.assign_parameters(row)) for row in rows]
    return np.array([[s.expectation_value(o).real for o in operators] for s in states])


@pytest.mark.parametrize("name", ["exact", "aer:iqm_garnet", "engine:ibm_fez", "emulator:ibm_fez"])
def test_values_of_rows_on_every_kind_of_device(name: str, tmp_path: Path) -> None:
    found = qhw.expect(unlike(), ANGLES, OBSERVABLES, name, shots=20_000, mitigation="readout")
    assert found.exact is not None and found.shot_floor is not None
    np.testing.assert_allclose(found.exact, truth(unlike(), ANGLES), atol=1e-9)
    assert found.values.shape == found.standard_error.shape == (3, 3)
    assert (np.abs(found.values - found.exact) < 0.08 + 5 * found.standard_error).all()
    assert (found.standard_error > 0).all() and (found.shot_floor > 0).all()
    assert found.uniform.tolist() == [0, 0, 2] and found.synthesis is None
    assert found.rows.tolist() == [0, 1, 2] and found.names == ("0", "1", "2")
    assert found.observables == ("0.5*XXI - 1.2*IYY", "Z0 Z2", "0.7*XYZ + 2.0*III")
    assert (found.snapshot_age_days is None) == (name == "exact")
    lines = repr(found).splitlines()
    assert sum("Z0 Z2" in line and "±" in line for line in lines) == 3 and "shot floor" in repr(
        found
    )
    assert len({line.index("±") for line in lines if "± 0." in line}) == 1
    assert "<pre>" in found._repr_html_()
    folder = found.save(tmp_path / "mine")
    assert ExpectResult.from_json((folder / "result.json").read_text()) == found.result
    assert {p.name for p in folder.iterdir()} >= {"report.html", "counts.npz", "circuit.qpy"}
    assert "3 rows of angles" in (folder / "report.html").read_text()
    table = found.to_dataframe()
    np.testing.assert_array_equal(table["value"].to_numpy().reshape(3, 3), found.values)
    assert json.loads(found.to_json())["settings"]["rows"] == 3


def test_observables_act_on_the_bits_that_are_written() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.h(1)
    circuit.measure([0, 1, 2], [2, 0, 1])  # bit 2 is qubit 0, bit 0 qubit 1
    asked = ["ZII", "Z2", "IIX", "X0", "Z1", {"IZI": 1.0}]
    found = qhw.expect(circuit, None, asked, "exact", shots=1000, mitigation="none")
    assert found.exact is not None
    np.testing.assert_allclose(found.exact, [[-1, -1, 1, 1, 1, 1]], atol=1e-9)
    work = qhw.Workload.of(circuit)
    same = qhw.expect(work, None, asked, "exact", shots=1000, mitigation="none")
    np.testing.assert_array_equal(same.values, found.values)


def test_rows_keep_their_names_and_a_plot_draws_them() -> None:
    columns = {f"t[{i}]": ANGLES[:, i] for i in (2, 0, 1)} | {"row": list("abc")}
    found = qhw.expect(unlike(), columns, "Z0", "exact", shots=4000, mitigation="none")
    assert found.names == tuple("abc")
    by_number = qhw.expect(unlike(), ANGLES, "IIZ", "exact", shots=4000, mitigation="none")
    np.testing.assert_array_equal(found.values, by_number.values)
    (axes,) = found.plot().axes
    (bars,) = axes.containers
    drawn = np.asarray(bars.lines[0].get_ydata(), dtype=np.float64)
    np.testing.assert_allclose(drawn, found.values[:, 0])


def test_values_of_a_file_are_those_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "c.qasm"
    file.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; ry(0.7) q[0]; cx q[0],q[1];')
    words = ["expect", str(file), "--observable", "Z0 Z1", "--observable", "XI"]
    answer = CliRunner().invoke(app, [*words, "--device", "engine:ibm_fez", "--json"])
    assert answer.exit_code == 0, answer.output
    found = qhw.expect(file, None, ["Z0 Z1", "XI"], "engine:ibm_fez", shots=20_000)
    said = json.loads(answer.stdout)
    assert said["observables"] == json.loads(found.to_json())["observables"]
    assert said["settings"] == json.loads(found.to_json())["settings"]


@pytest.mark.parametrize("name", ["ibm:ibm_lagos", "braket:iqm_garnet"])
def test_paid_once_and_taken_up_by_its_name(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: BraketService, name: str, tmp_path: Path
) -> None:
    queue = ibm[0].queue if name.startswith("ibm") else braket.queue
    place = qhw.device(name, budget="90usd")
    given = (unlike(), ANGLES, place)
    price = qhw.estimate(*given, observables=OBSERVABLES, shots=2000, mitigation="none")
    assert 0 < price.micro <= price.reserve_micro and not queue.accepted
    run = qhw.submit(*given, observables=OBSERVABLES, shots=2000, mitigation="none")
    assert "expect on" in repr(run) and queue.accepted == len(price.jobs)
    words = ["jobs", "watch", run.id, "--out", str(tmp_path), "--json"]
    told = CliRunner().invoke(app, words)  # knows the run's name alone
    assert told.exit_code == 0, told.output
    found = qhw.expect(
        unlike(), ANGLES, OBSERVABLES, place, shots=2000, mitigation="none"
    )  # the same call
    assert found.run == run.id and queue.accepted == len(price.jobs)
    assert json.loads(told.stdout)["observables"] == json.loads(found.to_json())["observables"]
    assert found.exact is not None
    np.testing.assert_allclose(found.exact, truth(unlike(), ANGLES), atol=1e-9)
    assert (np.abs(found.values - found.exact) < 0.3 + 5 * found.standard_error).all()
    waited = qhw.run(run.id).wait()
    assert isinstance(waited, qhw.ExpectationValues)
    other = qhw.expect(unlike(), ANGLES + 0.1, OBSERVABLES, place, shots=2000, mitigation="none")
    assert other.run != run.id


def test_a_run_of_the_version_before_is_taken_up(braket: BraketService, tmp_path: Path) -> None:
    """Its ledger has settings without rows and no workload; the template alone is kept."""
    file = tmp_path / "c.qasm"
    file.write_text('OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; ry(0.7) q[0]; cx q[0],q[1];')
    place = qhw.device("braket:iqm_garnet", budget="9usd")
    first = qhw.expect(file, None, ["ZZ"], place, shots=1000, mitigation="none")
    with Ledger.open() as ledger:
        with ledger.read() as connection:
            settings = json.loads(get_run(connection, str(first.run)).settings)
        before = {k: v for k, v in settings.items() if k != "workload_sha256"}
        assert set(before) == {
            *("task", "circuit", "circuit_sha256", "observables", "device"),
            *("mitigation", "shots", "seed"),
        }
        from qhw.jobs.schema import run as runs

        ledger.write(
            lambda connection: connection.execute(runs.update().values(settings=json.dumps(before)))
        )
    again = qhw.expect(file, None, ["ZZ"], place, shots=1000, mitigation="none")
    assert again.run == first.run and braket.queue.accepted == 1
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again.exact, first.exact)  # type: ignore[arg-type]


def test_rows_that_fail_are_left_out_and_named(braket: BraketService) -> None:
    place = qhw.device("braket:iqm_garnet", budget="90usd")
    # three rows in two copies or more: one copy of row 1 may fail, all of them may not
    asked = (unlike(), ANGLES, ["ZZZ", "XXX"], place)
    braket.queue.behaviour.failing_rows = frozenset(range(1, 300, 3))
    found = qhw.expect(*asked, shots=2000, mitigation="none")
    assert found.rows.tolist() == [0, 2] and found.values.shape == (2, 2)
    assert found.exact is not None
    ends = [truth_of(row) for row in (0, 2)]
    np.testing.assert_allclose(found.exact, ends, atol=1e-9)
    (missing,) = found.result.missing
    assert (missing.index, missing.name) == (1, "1") and "row 1 has no counts" in repr(found)
    braket.queue.behaviour.failing_rows = frozenset(range(300))
    with pytest.raises(NoCountsError, match="has none"):
        qhw.expect(*asked, shots=2000, mitigation="none", again=True)


def truth_of(row: int) -> list[float]:
    state = Statevector(unlike().assign_parameters(ANGLES[row]))
    return [state.expectation_value(SparsePauliOp(p)).real for p in ("ZZZ", "XXX")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"observables": "ZZ"}, "3 measured wires"),
        ({"observables": "Z3"}, "name bits below 3"),
        ({"observables": []}, "at least one"),
        ({"angles": ANGLES[:, :2]}, "`angles` must"),
        ({"shots": 0}, "`shots`"),
        ({"mitigation": "structure"}, "structure must be used for a distribution"),
        ({"mitigation": "default"}, "default"),
        ({"circuit": qhw.Workload.of(unlike(), ANGLES)}, "must be None for a workload"),
    ],
)
def test_bad_input_is_one_clear_line(change: dict[str, object], said: str) -> None:
    given: dict[str, object] = {"circuit": unlike(), "angles": ANGLES, "observables": "ZZZ"}
    given |= {"device": "exact", "shots": 100} | change
    with pytest.raises(ValueError, match=said) as error:
        qhw.expect(**given)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_shots_as_people_write_them() -> None:
    circuit = QuantumCircuit(1)
    circuit.x(0)
    asked = {"device": "engine:ibm_lagos", "mitigation": "none"}
    found = qhw.measure(circuit, shots="2k", **asked)
    assert found.counts.sum() == 2000
    assert qhw.expect(circuit, None, "Z", shots="1e3", **asked).result.settings.shots == 1000
    for wrong in ("many", "0", "1.5"):
        with pytest.raises(ValueError, match="`shots` must be a whole number >= 1 such as"):
            qhw.measure(circuit, shots=wrong, **asked)

"""Other people's compilers as rows, and circuits that are sent as somebody compiled them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.base import BackendError
from backends.compilers.registry import compile_by
from backends.exact import ExactBackend
from backends.export import qpy_file
from backends.native.as_compiled import KEY, Place, marked, place_of
from backends.native.compile import compile_native, compile_template
from backends.native.rows import native_rows
from backends.statevector import measured_probabilities
from calibration.snapshot import DeviceSnapshot
from qhw.circuits.workload import Workload
from qhw.mitigation.bases import in_basis, with_free_basis
from tests.backends.native_devices import device

COUPLINGS = ((0, 1), (1, 2), (2, 3), (3, 4))
EVERY_PAIR = tuple((a, b) for b in range(5) for a in range(b))
NO_ANGLES = np.empty((1, 0))


def circuit() -> QuantumCircuit:
    found = QuantumCircuit(4, name="tried")
    for q in range(4):
        found.ry(0.4 + 0.5 * q, q)
    found.cx(0, 1)
    found.rzz(0.7, 0, 3)
    found.cx(2, 3)
    found.sx(1)
    found.measure_all()
    return found


def machine(kind: str) -> DeviceSnapshot:
    return device(kind, EVERY_PAIR if kind == "ionq" else COUPLINGS, 5)


@pytest.fixture(scope="module")
def exact() -> np.ndarray:
    ideal = ExactBackend()
    return ideal.probabilities(ideal.compile(circuit()), NO_ANGLES)


@pytest.mark.allow_hosts(["127.0.0.1", "localhost"])  # BQSKit speaks to processes of its own
@pytest.mark.parametrize("level", [1, 3])
@pytest.mark.parametrize("kind", ["ibm_cz", "iqm", "rigetti", "ionq"])
@pytest.mark.parametrize(
    "name", ["qiskit", "pytket", pytest.param("bqskit", marks=pytest.mark.slow)]
)
def test_every_compiler_gives_the_circuit(
    name: str, kind: str, level: int, exact: np.ndarray
) -> None:
    pytest.importorskip(name, reason=f"install the extra {name}")
    snapshot = machine(kind)
    found = compile_by(name, circuit(), snapshot, level=level)
    kept = found.kept(circuit())
    assert measured_probabilities(kept, NO_ANGLES) == pytest.approx(exact, abs=1e-6)
    gates = {i.operation.name for i in found.circuit.data} - {"measure", "barrier"}
    assert gates <= {*snapshot.one_qubit_gates, *snapshot.two_qubit_gates}
    for item in found.circuit.data:
        if len(item.qubits) == 2 and item.operation.name != "barrier":
            places = [found.qubits[found.circuit.find_bit(q).index] for q in item.qubits]
            assert snapshot.two_qubit_gate(*places) is not None


@pytest.mark.parametrize("kind", ["ibm_cz", "iqm", "rigetti", "ionq"])
def test_what_was_compiled_is_kept_from_its_file(
    kind: str, exact: np.ndarray, tmp_path: Path
) -> None:
    snapshot = machine(kind)
    by = compile_native(circuit(), snapshot, level=1, qubits=(4, 3, 2, 1))
    assert by.qubits != compile_native(circuit(), snapshot).qubits
    place = Place(snapshot.name, by.qubits, "qiskit")
    path = tmp_path / "tried.qpy"
    path.write_bytes(qpy_file(marked(by.circuit, place), snapshot))
    work = Workload.of(path)
    assert place_of(work.circuit) == place
    assert "as qiskit compiled it" in work.note
    found = compile_template(work.circuit, snapshot)
    assert found.physical_qubits == by.qubits
    (row,) = native_rows(found, NO_ANGLES)
    assert _entangling(row) == _entangling(by.circuit)
    assert measured_probabilities(found, NO_ANGLES) == pytest.approx(exact, abs=1e-6)
    other = machine("ibm_cz" if kind != "ibm_cz" else "iqm")
    assert compile_template(work.circuit, other).snapshot == other
    noisy = AerBackend(snapshot)
    assert noisy.compile(work.circuit).physical_qubits == by.qubits


def _entangling(native: QuantumCircuit) -> list[tuple[object, ...]]:
    """Two-qubit gates and where they are."""
    return [
        (item.operation.name, *(native.find_bit(q).index for q in item.qubits))
        for item in native.data
        if len(item.qubits) == 2 and item.operation.name != "barrier"
    ]


def test_in_other_bases_it_stays_where_it_is() -> None:
    snapshot = machine("ibm_cz")
    by = compile_native(circuit(), snapshot, level=1, qubits=(4, 3, 2, 1))
    kept = marked(by.circuit, Place(snapshot.name, by.qubits, "qiskit"))
    compiled = compile_template(with_free_basis(kept), snapshot)
    assert compiled.physical_qubits == by.qubits
    found = measured_probabilities(in_basis(compiled, "XZYZ"), NO_ANGLES)
    ideal = ExactBackend()
    asked = in_basis(ideal.compile(with_free_basis(circuit())), "XZYZ")
    assert found == pytest.approx(measured_probabilities(asked, NO_ANGLES), abs=1e-6)


def test_two_places_are_two_workloads() -> None:
    one, other = (
        Workload.of(marked(circuit(), Place("x", qubits, "qiskit"))).fingerprint()
        for qubits in ((0, 1, 2, 3), (3, 2, 1, 0))
    )
    assert len({one, other, Workload.of(circuit()).fingerprint()}) == 3


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"device": "test_ibm_cz", "qubits": [0, 1, 2, 9], "compiler": "q"}, "qubit 9 of its"),
        ({"device": "test_ibm_cz", "qubits": [0, 1, 2], "compiler": "q"}, "the 3 qubits that"),
        ({"device": "test_ibm_cz", "qubits": [0, 1, 1, 2], "compiler": "q"}, "metadata 'compiled"),
        ({"device": "a b\n", "qubits": [0, 1, 2, 3], "compiler": "q"}, "metadata 'compiled_for'"),
        ({"device": "a", "qubits": [0, 1, 2, True], "compiler": "q"}, "metadata 'compiled_for'"),
        ([1], "metadata 'compiled_for'"),
    ],
)
def test_a_place_that_is_none_is_refused(told: object, message: str) -> None:
    given = circuit()
    given.metadata = {KEY: told}
    with pytest.raises(BackendError, match=message) as refused:
        compile_template(given, machine("ibm_cz"))
    assert "\n" not in str(refused.value)


def test_free_angles_need_values_for_other_compilers() -> None:
    free = QuantumCircuit(1)
    free.rx(Parameter("t"), 0)
    free.measure_all()
    pytest.importorskip("pytket", reason="install the extra pytket")
    with pytest.raises(BackendError, match="no free parameters for pytket"):
        compile_by("pytket", free, machine("ibm_cz"))

"""Dynamic circuits give the right distributions, and are refused by name where they cannot run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr
from typer.testing import CliRunner

import qhw
from backends.aer import AerBackend
from backends.base import BackendError
from backends.braket.compile import compile_for
from backends.exact import ExactBackend
from backends.native.compile import compile_native
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.circuits.shift_rules import ShiftError
from qhw.circuits.workload import Workload
from qhw.cli.app import app
from qhw.mitigation.base import MitigationError
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import run_program
from tests.dynamic.circuits import CIRCUITS, detection_rounds, teleportation

NONE = np.empty((1, 0))


def probabilities(circuit: QuantumCircuit) -> np.ndarray:
    ideal = ExactBackend()
    return ideal.probabilities(ideal.compile(Workload.of(circuit).circuit), NONE)[0]


@pytest.mark.parametrize("name", CIRCUITS)
def test_exact_distributions(name):
    circuit, expected = CIRCUITS[name]
    found = probabilities(circuit)
    right = np.zeros_like(found)
    for outcome, p in expected.items():
        right[outcome] = p
    np.testing.assert_allclose(found, right, atol=1e-9)


def silent() -> NoiseOptions:
    return NoiseOptions(gates=0.0, idle=0.0, readout=0.0)


@pytest.fixture(scope="module")
def device():
    return load_snapshot("ibm_fez")


@pytest.mark.parametrize("name", CIRCUITS)
def test_compiled_circuits_do_the_same(name, device):
    """In native gates of a device, simulated by Aer without noise: an independent simulation."""
    circuit, expected = CIRCUITS[name]
    backend = AerBackend(device, noise=silent())
    compiled = backend.compile(Workload.of(circuit).circuit, seed=1)
    counts = backend.run(compiled, NONE, shots=4000, seed=1).counts[0]
    right = np.zeros(len(counts))
    for outcome, p in expected.items():
        right[outcome] = p
    assert np.abs(counts / 4000 - right).max() < 0.04
    assert not counts[right == 0].any()


def test_loops_run_until_they_are_left():
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.ry(0.7, 0)
        circuit.measure(0, 0)
    np.testing.assert_allclose(probabilities(circuit), [0, 1], atol=1e-9)


def test_conditions_on_expressions():
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test(expr.bit_xor(circuit.clbits[0], circuit.clbits[1])):
        circuit.x(2)
    circuit.measure(2, 2)
    found = probabilities(circuit)
    np.testing.assert_allclose(found[[0b000, 0b101, 0b110, 0b011]], 0.25, atol=1e-9)


def test_longest_course_is_counted(device):
    native = compile_native(detection_rounds(), device, level=1)
    assert native.two_qubit_gates >= 5
    readout_s = device.qubits[native.qubits[0]].readout_s
    assert native.prediction.duration_s > readout_s  # measurements before the end take time
    assert 0 < native.prediction.layout.success < 1


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("device_name", ["iqm_garnet", "ionq_forte_enterprise"])
def test_braket_devices_refuse_every_one(name, device_name):
    with pytest.raises(BackendError, match=f"on {device_name}.*runs no dynamic circuits") as error:
        compile_for(Workload.of(CIRCUITS[name][0]).circuit, load_snapshot(device_name))
    assert "\n" not in str(error.value)


def test_readout_of_what_decides_nothing_is_corrected(device):
    """The default pipeline brings the distribution nearer to the known one."""
    circuit, expected = CIRCUITS["detection rounds"]
    noise = NoiseOptions(gates=0.0, idle=0.0, readout=1.0)
    placed = Placed.on(AerBackend(device, noise=noise), Workload.of(circuit), seed=0)
    right = np.zeros(16)
    for outcome, p in expected.items():
        right[outcome] = p
    apart = {}
    for pipeline in ("none", "default"):
        program = placed.program(placed.pipeline(pipeline, 40_000), shots=40_000, seed=0)
        found = run_program(program, seed=1).probabilities[0]
        apart[pipeline] = np.abs(found - right).sum() / 2
    assert apart["default"] < 0.5 * apart["none"]


@pytest.mark.parametrize("device", ["exact", "aer:ibm_fez"])
def test_expectation_values_are_averages_of_the_bits(device):
    circuit, expected = CIRCUITS["phase estimation"]
    assert expected == {0b101: 1.0}
    asked, exact = ["Z0", "Z1", "0.5 * Z0 Z1"], [-1.0, 1.0, -0.5]
    for given in (circuit, Workload.of(circuit)):
        found = qhw.expect(given, None, asked, device, shots=2_000, mitigation="none")
        assert found.exact[0] == pytest.approx(exact, abs=1e-9)
        assert found.values[0] == pytest.approx(exact, abs=1e-9 if device == "exact" else 0.3)


def test_gradients_count_what_measurements_decide():
    t, circuit = Parameter("t"), QuantumCircuit(2, 2)
    circuit.ry(t, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(t, 1)
    circuit.measure(1, 1)
    asked = {"shots": 100, "mitigation": "none", "gradient": "shift"}
    found = qhw.expect(circuit, [[0.7]], "Z1", "exact", **asked)
    # <Z1> = cos^2(t/2) + sin^2(t/2) cos t = (1 + 2 cos t - cos^2 t) / 2
    right = -np.sin(0.7) + np.cos(0.7) * np.sin(0.7)
    assert found.exact_gradient[0, 0, 0] == pytest.approx(right, abs=1e-9)
    with circuit.while_loop((circuit.clbits[1], 1)):
        circuit.ry(t, 1)
        circuit.measure(1, 1)
    with pytest.raises(ShiftError, match="but t stands in one"):
        qhw.expect(circuit, [[0.7]], "Z0", "exact", **asked)


def test_what_bits_do_not_say_is_refused_in_one_line():
    circuit = teleportation()
    for given in (circuit, Workload.of(circuit)):
        with pytest.raises(BackendError, match=r"Z and I for a dynamic circuit.*has XII"):
            qhw.expect(given, None, "0.5 * ZII + XII", "exact", shots=100, mitigation="none")
    with pytest.raises(MitigationError, match="must be none for this dynamic circuit"):
        qhw.expect(circuit, None, "ZII", "exact", shots=100)


@pytest.mark.parametrize(
    ("circuit", "pipeline"), [(teleportation(), "none"), (detection_rounds(), "readout")]
)
def test_compare_takes_what_is_valid_where_nothing_is_typed(tmp_path, circuit, pipeline):
    path = tmp_path / "mine.qpy"
    with path.open("wb") as file:
        qpy.dump(circuit, file)
    words = ["compare", str(path), "--device", "aer:ibm_fez", "--shots", "500"]
    answer = CliRunner().invoke(app, [*words, "--out", str(tmp_path), "--json"])
    assert f"mitigation {pipeline}: what is valid for this dynamic circuit" in answer.stderr
    assert json.loads(answer.stdout)["settings"]["mitigation"] == pipeline
    words = ["expect", str(path), "--observable", "Z0", "--device", "exact", "--shots", "100"]
    answer = CliRunner().invoke(app, [*words, "--json"])
    assert f"mitigation {pipeline}: what is valid for this dynamic circuit" in answer.stderr
    assert json.loads(answer.stdout)["settings"]["mitigation"] == pipeline


@pytest.mark.parametrize("name", ["iqm_garnet", "rigetti_cepheus_1_108q"])
def test_devices_that_cannot_refuse_in_one_line(name):
    snapshot = load_snapshot(name)
    for circuit, word in ((teleportation(), "if"), (detection_rounds(), "measurement|reset")):
        with pytest.raises(
            BackendError, match=rf"{snapshot.name}, which runs no .*: ({word})"
        ) as e:
            compile_for(circuit, snapshot)
        assert "\n" not in str(e.value)
        with pytest.raises(BackendError, match="runs no dynamic circuits"):
            compile_native(circuit, snapshot)


def test_loops_are_refused_on_ibm(device):
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.x(0)
        circuit.measure(0, 0)
    with pytest.raises(BackendError, match="ibm_fez runs, but has: while"):
        compile_native(circuit, device)


def test_mitigation_that_is_not_valid_is_refused(device):
    backend = AerBackend(device)
    decides = Placed.on(backend, Workload.of(teleportation()), seed=0)
    for text in ("readout", "zne(1,3)"):
        with pytest.raises(MitigationError, match="must be none for this dynamic circuit"):
            decides.program(decides.pipeline(text, 1000), shots=1000, seed=0)
    assert str(decides.pipeline("default", 1000)) == "none"
    rounds = Placed.on(backend, Workload.of(detection_rounds()), seed=0)
    assert str(rounds.pipeline("default", 1000)) == "readout"
    rounds.program(rounds.pipeline("readout", 1000), shots=1000, seed=0)
    with pytest.raises(MitigationError, match="none or readout"):
        rounds.program(rounds.pipeline("zne(1,3)", 1000), shots=1000, seed=0)


def test_used_qubits_are_reset_however_that_is_written():
    again = QuantumCircuit(1, 1)
    again.h(0)
    again.initialize([0, 1], 0)
    again.measure(0, 0)
    boxed = QuantumCircuit(1, 1)
    boxed.h(0)
    with boxed.box():
        boxed.reset(0)
        boxed.x(0)
    boxed.measure(0, 0)
    for circuit in (again, boxed):
        np.testing.assert_allclose(probabilities(circuit), [0, 1], atol=1e-9)

"""Our payloads and our server against Amazon's own SDK, which shares no code with either."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from backends.braket.execute import IllegalActionError, check, decode, run_native
from backends.braket.program import openqasm
from backends.checks import measured_qubits
from backends.exact import ExactBackend
from backends.loopback.braket_devices import LoopbackDevice, qpu_capabilities
from backends.native.compile import compile_template
from backends.native.rows import native_rows
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from calibration.readers.braket import braket_snapshot
from calibration.snapshot import DeviceSnapshot
from tests.backends.circuits import staircase_circuit, staircase_distribution
from tests.vendors.braket.conftest import Vendor, distance

braket_circuits = pytest.importorskip("braket.circuits")
from braket.aws import AwsDevice, AwsQuantumTask, AwsSession  # noqa: E402
from braket.circuits import Circuit  # noqa: E402
from braket.devices import LocalSimulator  # noqa: E402
from braket.emulation.local_emulator import LocalEmulator  # noqa: E402
from braket.emulation.pass_manager import EmulatorValidationError  # noqa: E402
from braket.ir.openqasm import Program, ProgramSet  # noqa: E402
from braket.schema_common import BraketSchemaBase  # noqa: E402

QPUS = ("iqm_garnet", "rigetti_cepheus_1_108q", "ionq_forte_enterprise")
X3 = np.array([[0.3, 1.9, 2.6]])


def source_of(circuit: QuantumCircuit, snapshot: DeviceSnapshot, x: np.ndarray[Any, Any]) -> str:
    compiled = compile_template(circuit, snapshot)
    labels = [snapshot.labels[q] for q in compiled.physical_qubits]
    return openqasm(next(native_rows(compiled, x)), labels)


def crx_circuit(n: int, measured: tuple[int, ...]) -> QuantumCircuit:
    angles = ParameterVector("t", 2 * n)
    circuit = QuantumCircuit(n, len(measured))
    for q in range(n):
        circuit.ry(angles[q], q)
    for q in range(n):
        circuit.crx(angles[n + q], q, (q + 1) % n)
    for bit, wire in enumerate(reversed(measured)):
        circuit.measure(n - 1 - wire, bit)
    return circuit


def exact(circuit: QuantumCircuit, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    ideal = ExactBackend()
    return ideal.probabilities(ideal.compile(circuit), x)


@pytest.mark.parametrize("device", QPUS)
def test_amazons_simulator_reads_our_text_as_we_mean_it(device: str) -> None:
    measured = (2, 0, 1)
    source = source_of(staircase_circuit(3, measured), load_snapshot(device), X3)
    result = LocalSimulator().run(Program(source=source), shots=4000).result()
    counts = np.bincount(np.asarray(result.measurements) @ np.array([4, 2, 1]), minlength=8)
    assert distance(counts[None], staircase_distribution(X3[0], measured)[None]) < 4


@pytest.mark.parametrize("device", QPUS)
def test_amazons_own_text_of_our_program_is_ours(device: str) -> None:
    source = source_of(staircase_circuit(3), load_snapshot(device), X3)
    again = Circuit.from_ir(source).to_ir().source
    angle = 1e-12  # the SDK prints angles its own way
    for ours, theirs in zip(source.splitlines(), again.splitlines(), strict=True):
        if "(" not in ours:
            assert ours == theirs
            continue
        (name, rest), (other, there) = ours.split("("), theirs.split("(")
        assert (name, rest.split(")")[1]) == (other, there.split(")")[1])
        for a, b in zip(rest.split(")")[0].split(","), there.split(")")[0].split(","), strict=True):
            assert math.isclose(float(a), float(b), abs_tol=angle)


def test_b1_bound_controls_are_kept() -> None:
    """SDK 1.127 turns a bound CRX into RX; a payload of ours holds no control to lose."""
    circuit = crx_circuit(3, (0, 1, 2))
    x = np.random.default_rng(2).uniform(-3, 3, (1, 6))
    source = source_of(circuit, load_snapshot("iqm_garnet"), x)
    assert "ctrl" not in source
    result = LocalSimulator().run(Program(source=source), shots=4000).result()
    counts = np.bincount(np.asarray(result.measurements) @ np.array([4, 2, 1]), minlength=8)
    assert distance(counts[None], exact(circuit, x)) < 4  # its shots take no seed


def test_b2_every_order_of_measurement() -> None:
    """SDK 1.127 inverts permutations of `probability`; we measure, and name every qubit."""
    snapshot = load_snapshot("iqm_garnet")
    x = np.array([[0.4, 1.2, 2.2, 2.9]])
    for measured in itertools.permutations(range(4), 3):
        source = source_of(staircase_circuit(4, measured), snapshot, x)
        result = LocalSimulator().run(Program(source=source), shots=1000).result()
        counts = np.bincount(np.asarray(result.measurements) @ np.array([4, 2, 1]), minlength=8)
        assert distance(counts[None], staircase_distribution(x[0], measured)[None]) < 4, measured


def test_b3_eleven_qubits_with_controlled_gates() -> None:
    """SDK 1.127 crashes on `control=` at 11 qubits and more; ours never has any."""
    circuit = crx_circuit(11, (0, 5))
    x = np.random.default_rng(3).uniform(-3, 3, (1, 22))
    source = source_of(circuit, load_snapshot("ionq_forte_enterprise"), x)
    result = LocalSimulator().run(Program(source=source), shots=2000).result()
    counts = np.bincount(np.asarray(result.measurements) @ np.array([2, 1]), minlength=4)
    assert distance(counts[None], exact(circuit, x)) < 3.5


@pytest.mark.parametrize("device", QPUS)
def test_amazons_emulator_takes_our_circuit_on_our_devices(device: str) -> None:
    """Native gates, couplings and the published calibration, judged by Amazon's validator."""
    capabilities = LoopbackDevice(device).capabilities()
    parsed = BraketSchemaBase.parse_raw_schema(json.dumps(capabilities))
    emulator = LocalEmulator.from_device_properties(parsed, backend="braket_dm")
    source = source_of(staircase_circuit(3), load_snapshot(device), X3)
    emulator.validate(Circuit.from_ir(source))
    with pytest.raises(EmulatorValidationError):
        emulator.validate(Circuit.from_ir(source.replace("box{\n", "box{\nh $1;\n")))


@pytest.mark.parametrize("device", (*QPUS, "sv1"))
def test_published_documents_are_amazons_schema(device: str) -> None:
    document = json.dumps(LoopbackDevice(device).capabilities())
    BraketSchemaBase.parse_raw_schema(document)
    if device == "sv1":
        return
    ours, again = load_snapshot(device), braket_snapshot(document, name=device)
    for part in ("gates", "couplings", "labels", "gate_limits", "job_limits", "price"):
        assert getattr(again, part) == getattr(ours, part), part


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("spread", [False, True])
def test_amazons_client_reads_the_results_as_we_do(
    vendor: Vendor, order: Submission, spread: bool
) -> None:
    """Amazon's own task object on the same ARN: same counts, through its own parser."""
    vendor.service.queue.behaviour.spread = spread
    backend = vendor.connect()
    ours = vendor.run(backend, order).counts
    session = AwsSession(boto3.Session(region_name="eu-north-1"))
    task = AwsQuantumTask(vendor.tasks[0].arn, aws_session=session)
    result = task.result()
    for row in range(2):
        counts = np.zeros(8, dtype=np.int64)
        for text, count in result[row][0].counts.items():
            counts[int(text, 2)] = count
        assert np.array_equal(counts, ours[row])
    device = AwsDevice(vendor.service.devices["iqm_garnet"].arn, aws_session=session)
    assert device.is_available and device.status == "ONLINE"


def test_our_decoder_agrees_with_amazons() -> None:
    """The server's reading of a program gives the distribution of the SDK's reading."""
    for device in QPUS:
        snapshot = load_snapshot(device)
        source = source_of(staircase_circuit(3, (1, 2, 0)), snapshot, X3)
        (executable,), is_set = decode(Program(source=source).json())
        assert not is_set
        read = Circuit.from_ir(source)
        assert set(executable.labels) == {int(q) for q in read.qubits}
        bits = run_native([executable], snapshot, 4000, 1, None)[0]
        counts = np.bincount(bits @ np.array([4, 2, 1]), minlength=8)
        assert distance(counts[None], staircase_distribution(X3[0], (1, 2, 0))[None]) < 4


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("h $1;", "instruction h is not native"),
        ("ctrl @ rx(0.1) $1, $2;", "invalid OpenQASM"),
        ("prx(a, b) $1;", "must be a number"),
        ("prx(0.1) $1;", "instruction prx"),
        ("cz $1, $20;", "no usable cz"),
        ("prx(0.1, 0.2) $99;", "no qubits"),
    ],
)
def test_the_server_refuses_what_a_device_would(wrong: str, text: str) -> None:
    snapshot = load_snapshot("iqm_garnet")
    source = f"OPENQASM 3.0;\nbit[1] b;\n#pragma braket verbatim\nbox{{\n{wrong}\n}}\n"
    action = ProgramSet(programs=[Program(source=source + "b[0] = measure $1;")]).json()
    with pytest.raises(IllegalActionError, match=text):
        check(decode(action)[0], snapshot)


def test_captured_properties_compile_and_emulate() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "braket"
    files = sorted(folder.glob("*_device_capabilities.json"))
    if not files:
        pytest.skip("captured device properties are not beside this checkout")
    for file in files:
        snapshot = braket_snapshot(file.read_bytes(), name=file.stem)
        parsed = BraketSchemaBase.parse_raw_schema(file.read_text())
        emulator = LocalEmulator.from_device_properties(parsed, backend="braket_dm")
        emulator.validate(Circuit.from_ir(source_of(staircase_circuit(3), snapshot, X3)))
        told = qpu_capabilities(snapshot, [])
        assert told["paradigm"]["qubitCount"] == snapshot.n_qubits


def test_bits_are_in_the_order_measured() -> None:
    compiled = compile_template(staircase_circuit(3, (2, 0)), load_snapshot("iqm_garnet"))
    assert [compiled.circuit.find_bit(b).index for b in compiled.circuit.clbits] == [0, 1]
    source = openqasm(
        next(native_rows(compiled, X3)), [10, 20, 30, 40][: len(compiled.physical_qubits)]
    )
    first, second = (10 * (q + 1) for q in measured_qubits(compiled.circuit))
    assert source.splitlines()[-2:] == [
        f"b[0] = measure ${first};",
        f"b[1] = measure ${second};",
    ]

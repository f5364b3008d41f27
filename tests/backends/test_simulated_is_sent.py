"""One compiler: what simulators run is what vendors are sent and what depth reports count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import DensityMatrix, Kraus, Operator, Statevector, SuperOp

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate
from backends.braket.compile import compile_for
from backends.checks import measured_qubits
from backends.delays import without_waits
from backends.engine.backend import EngineBackend
from backends.engine.program import NoisyProgram
from backends.exact import ExactBackend
from backends.ibm.emulator import IBMEmulator
from backends.ibm.program import IBMOptions
from backends.native.compile import SEEDS, compile_native, compile_template
from backends.native.fold import fold_rzz_angles
from backends.native.rows import native_rows
from backends.native.schedule import schedule_alap
from backends.native.target import to_target
from backends.native.translate import to_native
from backends.native.writing import writes_rows
from calibration.catalog import load_snapshot
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, NoiseOptions, apply_confusion
from calibration.snapshot import DeviceSnapshot
from tests.backends.native_devices import VENDORS, device

FloatArray = NDArray[np.float64]

PAIRS = ((0, 1), (1, 2), (0, 2))
FREE_Z = ("ibm_cz", "ibm_ecr", "ibm_cx")
ROW_BY_ROW = ("iqm", "rigetti", "rigetti_cp", "rigetti_iswap", "ionq", "aqt")
LOUD = NoiseOptions(gates=5.0, idle=20.0, readout=2.0)
"""Rows of other pulses: nothing to turn, half turns, quarter turns, either sign."""
ROWS = np.array([[0.4, -1.3, 2.2], [0.0, 0.0, 0.0], [math.pi, -math.pi / 2, 0.1], [-0.4, 1.3, 0.9]])


def free_circuit() -> QuantumCircuit:
    """Angles before, between and in two-qubit gates; a qubit that waits, one that is not read."""
    a = ParameterVector("a", 3)
    circuit = QuantumCircuit(3, 2)
    circuit.ry(a[0], 0)
    circuit.rz(a[1], 0)
    circuit.h(1)
    circuit.cx(0, 1)
    circuit.rx(a[1], 1)
    circuit.crx(a[2], 1, 2)
    circuit.rz(0.3, 2)
    circuit.ry(0.7, 2)
    circuit.measure([0, 2], [1, 0])
    return circuit


def channel_by_channel(circuit: QuantumCircuit, compiled: CompiledTemplate) -> FloatArray:
    """What the snapshot itself says of a native row, by Qiskit's density matrices."""
    assert compiled.snapshot is not None
    part = compiled.snapshot.restricted(compiled.physical_qubits)
    noise = DeviceNoise(part, LOUD)
    rho = DensityMatrix.from_label("0" * circuit.num_qubits)
    for item in schedule_alap(circuit, part).circuit.data:
        where = [circuit.find_bit(q).index for q in item.qubits]
        if item.operation.name == "delay":
            wait = noise.idle(where[0], delay_seconds(item.operation, part.dt_s))
            rho = rho.evolve(Kraus(list(wait.kraus())), where)
        elif item.operation.name != "measure":
            rho = rho.evolve(Operator(item.operation), where)
            channel = noise.gate(item.operation.name, where)
            if channel is not None:
                rho = rho.evolve(SuperOp(channel.superoperator()), where)
    wires = measured_qubits(circuit)
    seen = rho.probabilities(list(reversed(wires)))
    return apply_confusion(seen[None], [noise.confusion(q) for q in wires])[0]


FREE = free_circuit()  # made once: equal circuits share their parameters


@pytest.mark.parametrize("vendor", [*ROW_BY_ROW, *FREE_Z])
def test_simulators_run_the_pulses_that_are_sent(vendor: str) -> None:
    snapshot = device(vendor, PAIRS, 3, errors=(0.01, 0.03, 0.02))
    aer, engine = AerBackend(snapshot, noise=LOUD), EngineBackend(snapshot, noise=LOUD)
    compiled = aer.compile(FREE)
    sent = compile_template(FREE, snapshot)
    assert without_waits(compiled.circuit) == sent.circuit
    assert compiled.physical_qubits == sent.physical_qubits
    assert compiled.predicted_success == sent.predicted_success
    wanted = np.stack([channel_by_channel(row, sent) for row in native_rows(sent, ROWS)])
    np.testing.assert_allclose(aer.probabilities(compiled, ROWS), wanted, atol=1e-9)
    np.testing.assert_allclose(engine.probabilities(compiled, ROWS), wanted, atol=1e-9)
    found = engine.run(compiled, ROWS, shots=100_000, seed=3).counts / 100_000
    np.testing.assert_allclose(found, wanted, atol=0.01)


@pytest.mark.parametrize("vendor", [v for v in VENDORS if v != "aqt_rz"])
def test_every_kind_of_device_has_one_compiled_circuit(vendor: str) -> None:
    snapshot = device(vendor, PAIRS, 3, errors=(0.01, 0.03, 0.02))
    fractional = vendor == "ibm_fractional"
    counted = compile_native(FREE, snapshot, fractional=fractional)
    sent = compile_template(FREE, snapshot, fractional=fractional)
    simulated = [AerBackend(snapshot, scheduled=False, fractional=fractional).compile(FREE)]
    if not fractional:
        simulated += [EngineBackend(snapshot).compile(FREE), compile_for(FREE, snapshot)]
    if vendor.startswith("ibm"):
        simulated.append(IBMEmulator(snapshot, options=IBMOptions(fractional)).compile(FREE))
    for compiled in (sent, *simulated):
        assert without_waits(compiled.circuit) == counted.template
        assert compiled.physical_qubits == counted.qubits
        assert compiled.two_qubit_gates == counted.two_qubit_gates
        assert compiled.predicted_success == counted.prediction.layout.success
    positive = abs(ROWS[:1])
    row = counted.bound(dict(zip(sent.parameter_names, positive[0], strict=True)))
    (natively,) = native_rows(sent, positive)
    assert row.circuit == fold_rzz_angles(natively, snapshot)  # what the device would not take
    exact = ExactBackend().probabilities(ExactBackend().compile(FREE), positive)[0]
    bare = row.circuit.remove_final_measurements(inplace=False)
    wires = list(reversed(measured_qubits(row.circuit)))
    found = Statevector(bare).probabilities(wires)
    np.testing.assert_allclose(found, exact, atol=1e-9)


@pytest.mark.parametrize(("vendor", "saved"), [("ibm_ecr", 2), ("ibm_cx", 0), ("ibm_cz", 0)])
def test_free_angles_stay_free_with_fewer_pulses_than_qiskits(vendor: str, saved: int) -> None:
    snapshot = device(vendor, PAIRS, 3)
    target = to_target(snapshot)
    theirs = transpile(FREE, target=target, optimization_level=3, initial_layout=[0, 1, 2])
    ours = to_native(theirs, snapshot, (0, 1, 2))
    assert ours.parameters == theirs.parameters
    values = {p: 0.3 + 0.5 * i for i, p in enumerate(FREE.parameters)}
    read = list(reversed(measured_qubits(theirs)))
    seen = [
        Statevector(c.assign_parameters(values).remove_final_measurements(inplace=False))
        for c in (theirs, ours)
    ]
    np.testing.assert_allclose(seen[1].probabilities(read), seen[0].probabilities(read), atol=1e-9)
    theirs_count, ours_count = (
        sum(c.count_ops().get(name, 0) for name in ("sx", "x", "u2", "u3")) for c in (theirs, ours)
    )
    assert theirs_count - ours_count >= saved


def test_mixed_devices_get_no_gate_in_a_direction_that_is_not_there() -> None:
    snapshot = load_snapshot("ibm_cairo")
    there = {(g.name, g.qubits) for g in snapshot.gates if g.usable}
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for q in range(1, 5):
        circuit.cx(0, q)
    circuit.measure_all()
    native = compile_native(circuit, snapshot)
    used = {
        (i.operation.name, tuple(native.qubits[native.circuit.find_bit(q).index] for q in i.qubits))
        for i in native.circuit.data
        if len(i.qubits) == 2
    }
    assert used and used <= there


@pytest.mark.parametrize("name", ["iqm_garnet", "ionq_forte_enterprise", "ibm_fez"])
def test_depth_reports_count_the_row_that_is_sent(name: str) -> None:
    snapshot = load_snapshot(name)
    compiled = AerBackend(snapshot, scheduled=False).compile(FREE)
    native = compile_native(FREE, snapshot)
    assert native.prediction.layout.success == compiled.predicted_success
    assert native.two_qubit_gates == compiled.two_qubit_gates
    row = native.bound(dict(zip(compiled.parameter_names, ROWS[0], strict=True)))
    (sent,) = native_rows(compiled, ROWS[:1])
    assert row.qubits == compiled.physical_qubits
    assert row.circuit == sent


def test_emulators_of_ibm_get_what_aer_simulates() -> None:
    snapshot = load_snapshot("ibm_torino")
    simulated = AerBackend(snapshot).compile(FREE)
    emulated = IBMEmulator(snapshot).compile(FREE)
    assert emulated.circuit == simulated.circuit
    assert emulated.physical_qubits == simulated.physical_qubits


@pytest.mark.parametrize("vendor", ["ibm_ecr", "iqm"])
def test_level_3_is_no_worse_than_any_lower_level(vendor: str) -> None:
    ring = tuple((q, (q + 1) % 6) for q in range(6))
    snapshot = device(vendor, ring, 6, errors=(0.01, 0.05, 0.02, 0.03, 0.01, 0.04))
    circuit = QuantumCircuit(4)
    for a, b in ((0, 1), (1, 2), (2, 0), (0, 3), (3, 1)):
        circuit.crx(0.4 + a, a, b)
    circuit.measure_all()
    best = compile_native(circuit, snapshot).prediction.layout.success
    lower = [
        compile_native(circuit, snapshot, level=level, seed=seed).prediction.layout.success
        for level in (0, 1, 2)
        for seed in range(SEEDS)
    ]
    assert best > max(lower) - 1e-12


def test_which_devices_are_written_row_by_row() -> None:
    names = {*ROW_BY_ROW, "aqt_rz", "ibm_cz", "ibm_ecr", "ibm_cx"}
    found = {vendor for vendor in names if writes_rows(device(vendor, PAIRS, 3))}
    assert found == {*ROW_BY_ROW, "aqt_rz"}


def test_the_engine_refuses_gates_that_no_device_has() -> None:
    compiled = EngineBackend(device("iqm", PAIRS, 3)).compile(FREE)
    with pytest.raises(ValueError, match="must be in native gates"):
        NoisyProgram(compiled)


def test_a_device_without_x_gets_two_quarter_turns() -> None:
    plain = device("ibm_cz", PAIRS, 3)
    fields = {name: getattr(plain, name) for name in type(plain).model_fields}
    gates = tuple(g for g in plain.gates if g.name != "x")
    snapshot = DeviceSnapshot(**{**fields, "one_qubit_gates": ("rz", "sx"), "gates": gates})
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    native = compile_native(circuit, snapshot)
    assert native.circuit.count_ops()["sx"] == 2 and "x" not in native.circuit.count_ops()


def test_too_wide_a_circuit_is_refused_by_all_alike() -> None:
    snapshot = device("iqm", PAIRS, 3)
    circuit = QuantumCircuit(4)
    circuit.measure_all()
    for compile_it in (AerBackend(snapshot).compile, lambda c: compile_for(c, snapshot)):
        with pytest.raises(BackendError, match="which has 3 usable qubits"):
            compile_it(circuit)

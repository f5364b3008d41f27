"""Dynamical decoupling: what it cancels, what it does not, and what it writes."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.ibm.program import IBMOptions, encode
from backends.loopback.ibm_execute import decode
from backends.native.compile import compile_template
from backends.rewrite import two_qubit_gates
from backends.statevector import measured_probabilities
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from calibration.interaction import delay_seconds
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.base import MitigationError
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.dd import decoupled
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.program import build_program

FEZ = load_snapshot("ibm_fez")
ANGLES = np.array([[0.4], [1.9]])


def waiting(gates: int = 30) -> QuantumCircuit:
    """Wire 0 is turned onto the equator, waits for its neighbours' gates, and is turned back."""
    circuit = QuantumCircuit(4, 4)
    circuit.ry(Parameter("d[0]"), 1)
    circuit.h(0)
    circuit.cz(0, 1)
    for _ in range(gates // 2):  # on two couplings by turns: one would be written as three gates
        circuit.cz(1, 2)
        circuit.cz(2, 3)
        for wire in range(1, 4):
            circuit.rx(0.3 - 0.05 * wire, wire)
    circuit.cz(0, 1)
    circuit.h(0)
    circuit.measure(range(4), [3, 2, 1, 0])
    return circuit


def error(backend: AerBackend, compiled: CompiledTemplate) -> float:
    exact = measured_probabilities(compiled, ANGLES)
    return float(0.5 * np.abs(backend.probabilities(compiled, ANGLES) - exact).sum(axis=1).mean())


@pytest.mark.parametrize("sequence", ["xx", "xy4"])
def test_slow_detuning_of_a_waiting_qubit_cancels(sequence: str) -> None:
    compiled = AerBackend(FEZ).compile(waiting())
    waits = FEZ.labels[measured_device_qubits(compiled)[0]]
    alone = NoiseOptions(gates=0, idle=0, readout=0, t2_star_s=((waits, 3e-6),))
    backend = EngineBackend(FEZ, noise=alone, detuning_level=6)
    padded = decoupled(compiled, sequence, backend.name)  # type: ignore[arg-type]
    assert error(backend, compiled) > 0.2  # wire 0 waits about as long as T2*
    # what is left builds up during the gates on wire 0 itself
    assert error(backend, padded) < 0.005


@pytest.mark.slow
def test_wins_beside_the_devices_own_noise_and_loses_under_memoryless_noise_alone() -> None:
    detuned = EngineBackend(FEZ, noise=NoiseOptions(t2_star_s=4e-6))
    compiled = detuned.compile(waiting())
    padded = decoupled(compiled, "xx", detuned.name)
    assert error(detuned, padded) < 0.7 * error(detuned, compiled)
    # relaxation has no memory to turn round, and the pulses have errors of their own
    markovian = EngineBackend(FEZ)
    short = markovian.compile(waiting(6))
    padded = decoupled(short, "xx", markovian.name)
    assert padded.circuit.count_ops()["x"] > short.circuit.count_ops().get("x", 0)
    assert error(markovian, padded) > error(markovian, short)


@pytest.mark.parametrize("sequence", ["xx", "xy4"])
@pytest.mark.parametrize("device", ["ibm_fez", "ibm_sherbrooke"])
def test_means_the_same_takes_as_long_and_keeps_its_gates(device: str, sequence: str) -> None:
    snapshot = load_snapshot(device)
    backend = AerBackend(snapshot)
    compiled = backend.compile(waiting())
    padded = decoupled(compiled, sequence, backend.name)  # type: ignore[arg-type]
    exact = measured_probabilities(compiled, ANGLES)
    np.testing.assert_allclose(measured_probabilities(padded, ANGLES), exact, atol=1e-9)
    assert padded.duration_s == compiled.duration_s
    assert two_qubit_gates(padded) == two_qubit_gates(compiled)
    assert padded.predicted_success is not None and compiled.predicted_success is not None
    assert padded.predicted_success < compiled.predicted_success
    dt = snapshot.dt_s

    def timeline(template: CompiledTemplate) -> list[float]:
        """Seconds of gates and waits on every qubit."""
        part = backend._simulable.restricted(template.physical_qubits)
        busy = [0.0] * 4
        for item in template.circuit.data:
            qubits = tuple(template.circuit.find_bit(q).index for q in item.qubits)
            if item.operation.name == "delay":
                busy[qubits[0]] += delay_seconds(item.operation, dt)
            elif gate := part.gate(item.operation.name, qubits):
                for q in qubits:
                    busy[q] += gate.duration_s or 0.0
        return busy

    np.testing.assert_allclose(timeline(padded), timeline(compiled), atol=dt or 1e-12)


def test_an_unscheduled_circuit_for_ibm_arrives_with_its_waits_in_clock_periods() -> None:
    compiled = compile_for_ibm()
    assert not compiled.scheduled
    padded = decoupled(compiled, "xx", "ibm:ibm_fez")
    assert padded.scheduled
    payload = encode(Submission(padded, ANGLES, 1000), FEZ.n_qubits, IBMOptions(), None)
    (work,) = decode(payload, seed=0, default_rep_delay_s=0.0).works
    posted = [i.operation for i in work.circuit.data if i.operation.name == "delay"]
    ours = [i.operation for i in padded.circuit.data if i.operation.name == "delay"]
    assert posted and all(d.unit == "dt" for d in posted)
    assert sorted(d.duration for d in posted) == sorted(d.duration for d in ours)
    assert work.circuit.count_ops()["x"] == padded.circuit.count_ops()["x"]
    assert work.circuit.count_ops()["cz"] == compiled.two_qubit_gates


def compile_for_ibm() -> CompiledTemplate:
    return AerBackend(FEZ, scheduled=False).compile(waiting())


def test_comes_before_twirling_and_inside_extrapolation() -> None:
    backend = EngineBackend(FEZ, noise=NoiseOptions(readout=0))
    compiled = backend.compile(waiting())
    pipeline = Pipeline.parse("dd(xy4)+twirl(2)+zne(1,3)")
    assert str(pipeline) == "dd(xy4)+twirl(2)+zne(1,3)"
    program = build_program(pipeline, backend, compiled, ANGLES, shots=400, seed=0)
    exact = measured_probabilities(compiled, ANGLES)
    assert len(program.batches) == 4
    for batch in program.batches:
        assert batch.compiled.circuit.count_ops()["x"] > 10
        np.testing.assert_allclose(measured_probabilities(batch.compiled, ANGLES), exact, atol=1e-9)
    with pytest.raises(MitigationError, match=r"dd must come first .* follows twirl"):
        Pipeline.parse("twirl(2)+dd")


def test_short_waits_are_left_alone() -> None:
    backend = AerBackend(FEZ)
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cz(0, 1)
    circuit.x(1)
    circuit.sx(1)
    circuit.cz(0, 1)
    circuit.measure(range(2), [1, 0])
    compiled = backend.compile(circuit)
    assert "delay" in compiled.circuit.count_ops()
    padded = decoupled(compiled, "xx", backend.name)
    assert padded.circuit.count_ops() == compiled.circuit.count_ops()


def without_durations(snapshot: DeviceSnapshot) -> DeviceSnapshot:
    fields = {name: getattr(snapshot, name) for name in type(snapshot).model_fields}
    gates = tuple(g.model_copy(update={"duration_s": None}) for g in snapshot.gates)
    return DeviceSnapshot(**{**fields, "gates": gates})


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        (AerBackend(without_durations(FEZ)).compile(waiting(2)), "has none for"),
        (AerBackend(load_snapshot("iqm_garnet")).compile(waiting(2)), "row by row"),
        (ExactBackend().compile(waiting(2)), "is ideal"),
        (compile_template(waiting(2), load_snapshot("ionq_forte_enterprise")), "row by row"),
    ],
)
def test_refused_in_one_line(compiled: CompiledTemplate, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as refused:
        decoupled(compiled, "xx", "device")
    assert "\n" not in str(refused.value)


def test_unknown_sequence_is_refused() -> None:
    with pytest.raises(MitigationError, match="xx, xy4, but has 'udd'"):
        Pipeline.parse("dd(udd)")

"""A circuit's own delays are sent, priced, waited for, and never filled with pulses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate
from backends.ibm.backend import IBMBackend
from backends.ibm.emulator import IBMEmulator
from backends.ibm.program import IBMOptions
from backends.loopback import ibm_execute
from backends.vendor import Submission
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from tests.vendors.ibm.conftest import Start, Vendor

pytestmark = pytest.mark.enable_socket

SHOTS = 4000
TWIRLED = IBMOptions(twirl_gates=True, twirl_readout=True)
NOTHING = np.empty((1, 0))
SECONDS = 60e-6


def relaxation() -> QuantumCircuit:
    """Three qubits: one decays, one waits for it, one makes a fringe that does not move."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.x(1)
    circuit.h(2)
    circuit.barrier()
    circuit.delay(SECONDS * 1e6, 0, unit="us")
    circuit.barrier()
    circuit.h(2)
    circuit.measure(range(3), range(3))
    return circuit


def ran(vendor: Vendor, backend: IBMBackend, compiled: CompiledTemplate) -> np.ndarray:
    order = Submission(compiled, NOTHING, SHOTS)
    handle = backend.submit(order, "key-1")
    vendor.wait()
    return np.asarray(backend.fetch(handle, order).counts[0] / SHOTS)


def test_the_device_waits_as_long_as_asked(start: Start) -> None:
    noise = NoiseOptions()
    vendor = start("ibm_lagos", noise=noise)
    backend = vendor.connect()
    compiled = backend.compile(relaxation())
    assert not compiled.scheduled
    found = ran(vendor, backend, compiled)
    simulator = AerBackend(backend.snapshot, noise=noise)
    wanted = simulator.probabilities(simulator.compile(relaxation()), NOTHING)[0]
    ideal = np.zeros(8)
    ideal[3] = 1.0
    assert np.abs(found - wanted).sum() < 0.15 < 0.4 < np.abs(ideal - wanted).sum()
    params = json.loads(vendor.requests("POST", "/jobs")[0].body)["params"]
    program = ibm_execute.decode(params, seed=0, default_rep_delay_s=0.0)
    (sent,) = {
        (i.operation.duration, i.operation.unit)
        for work in program.works
        for i in work.circuit.get_instructions("delay")
    }
    assert backend.snapshot.dt_s
    assert sent == (round(SECONDS / backend.snapshot.dt_s), "dt")


def test_twirling_leaves_a_fringe_without_barriers_alone(start: Start) -> None:
    noise = NoiseOptions()
    vendor = start("ibm_lagos", noise=noise)
    backend = vendor.connect(options=TWIRLED)
    circuit = QuantumCircuit(2, 2)
    for q, seconds in ((0, SECONDS), (1, SECONDS / 3)):
        circuit.h(q)
        circuit.delay(seconds, q, unit="s")
        circuit.h(q)
    circuit.measure([0, 1], [0, 1])
    found = ran(vendor, backend, backend.compile(circuit))
    simulator = AerBackend(backend.snapshot, noise=noise)
    wanted = simulator.probabilities(simulator.compile(circuit), NOTHING)[0]
    assert np.abs(found - wanted).sum() < 0.1
    assert wanted[0] < 0.75


def test_delays_are_priced_and_billed(start: Start) -> None:
    backend = start("ibm_lagos").connect()
    plain = QuantumCircuit(1, 1)
    plain.x(0)
    waiting = plain.copy()
    waiting.delay(0.01, 0, unit="s")
    seconds = []
    for circuit in (plain, waiting):
        circuit.measure(0, 0)
        order = Submission(backend.compile(circuit), NOTHING, 1000)
        found = backend.estimate(order).qpu_seconds
        assert found is not None
        seconds.append(found)
    assert seconds[1] - seconds[0] == pytest.approx(10.0, rel=1e-3)


def test_what_ibm_would_make_of_delays_is_refused(start: Start) -> None:
    vendor = start("ibm_lagos")
    backend = vendor.connect(options=IBMOptions(decoupling="XX"))
    order = Submission(backend.compile(relaxation()), NOTHING, SHOTS)
    with pytest.raises(BackendError, match="no decoupling for a circuit with delays"):
        backend.validate(order)
    backend = vendor.connect(options=TWIRLED)
    with pytest.raises(BackendError, match="no twirling for a circuit with delays and barriers"):
        backend.validate(order)
    plain = vendor.connect()
    compiled = plain.compile(relaxation())
    place = next(i for i, x in enumerate(compiled.circuit.data) if x.operation.name == "delay")
    item = compiled.circuit.data[place]
    compiled.circuit.data[place] = item.replace(operation=Delay(SECONDS, "s"))
    with pytest.raises(BackendError, match=r"clock periods \(dt\)"):
        plain.payload(Submission(compiled, NOTHING, SHOTS), "key-1")
    assert not vendor.jobs


def test_the_emulator_waits_too() -> None:
    snapshot = load_snapshot("ibm_lagos")
    emulator = IBMEmulator(snapshot)
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(SECONDS, 0, unit="s")
    circuit.measure(0, 0)
    compiled = emulator.compile(circuit)
    order = Submission(compiled, NOTHING, 20_000)
    counts = emulator.fetch(emulator.submit(order, "key-1"), order).counts[0]
    qubit = snapshot.qubits[compiled.physical_qubits[0]]
    assert qubit.t1_s
    excited = math.exp(-SECONDS / qubit.t1_s)
    assert counts[1] / counts.sum() == pytest.approx(excited, abs=0.05)
    assert excited < 0.8

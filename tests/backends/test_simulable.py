"""Trapped ions in the simulators: same outcomes, the device's own noise, pulse by pulse."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Kraus, Operator, SuperOp

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.native.gates import GPi2Gate, GPiGate
from backends.native.rows import simulated
from backends.native.simulable import simulable
from calibration.catalog import load_snapshot
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, NoiseOptions, apply_confusion
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.calibrate import calibrate_readout
from tests.backends.circuits import staircase_circuit
from tests.backends.contract import ANGLES, DistributionContract
from tests.backends.native_devices import device

SIMULATORS = (AerBackend, EngineBackend)
OFF = NoiseOptions(gates=0, idle=0, readout=0)
LOUD = NoiseOptions(gates=20.0, idle=40.0, readout=3.0)
ALL_PAIRS = tuple(itertools.combinations(range(5), 2))


def forte() -> DeviceSnapshot:
    return load_snapshot("ionq_forte_enterprise")


def uneven_ions() -> DeviceSnapshot:
    """IonQ's gates; every gate differs in error and duration, so that a mix-up cannot hide."""
    plain = device("ionq", ALL_PAIRS, 5)
    gates = [
        gate.model_copy(update={"error": 1e-3 * (i + 1), "duration_s": 1e-7 * (i % 7 + 1)})
        for i, gate in enumerate(plain.gates)
    ]
    return DeviceSnapshot(
        **{**{f: getattr(plain, f) for f in type(plain).model_fields}, "gates": tuple(gates)}
    )


def dense_circuit(n: int = 5) -> QuantumCircuit:
    """Turns of every kind and, between every two qubits, a ZZ of its own angle; one X each."""
    rng = np.random.default_rng(4)
    circuit = QuantumCircuit(n, n)
    for q in range(n):
        circuit.u(*rng.uniform(-3, 3, 3), q)
    for a, b in itertools.combinations(range(n), 2):
        circuit.rzz(rng.uniform(-1.4, 1.4), a, b)
        circuit.rx(rng.uniform(-3, 3), a)
    for q in range(n):
        circuit.x(q)
        circuit.rzz(0.1 * (q + 1), q, (q + 1) % n)
    circuit.ry(1.1, range(n))
    circuit.measure(range(n), range(n))
    return circuit


def ideal(circuit: QuantumCircuit, angles: NDArray[np.float64]) -> NDArray[np.float64]:
    exact = ExactBackend()
    return exact.probabilities(exact.compile(circuit), angles)


def in_ion_pulses(circuit: QuantumCircuit) -> QuantumCircuit:
    """``sx`` and ``x`` as IonQ's gates, each rz carried along as the phase of later pulses."""
    frame = [0.0] * circuit.num_qubits
    out = circuit.copy_empty_like()
    for item in circuit.data:
        name = item.operation.name
        first = circuit.find_bit(item.qubits[0]).index
        if name == "rz":
            frame[first] += float(item.operation.params[0])
        elif name in ("sx", "x"):
            pulse = GPi2Gate if name == "sx" else GPiGate
            out.append(pulse(-frame[first]), item.qubits)
        else:
            out.append(item)
    return out


def on_ions(compiled: CompiledTemplate, options: NoiseOptions) -> NDArray[np.float64]:
    """What the snapshot says of a circuit without angles, channel by channel by Qiskit."""
    assert compiled.snapshot is not None
    noise = DeviceNoise(compiled.snapshot.restricted(compiled.physical_qubits), options)
    circuit = in_ion_pulses(compiled.circuit)
    rho = DensityMatrix.from_label("0" * circuit.num_qubits)
    for item in circuit.data:
        where = [circuit.find_bit(q).index for q in item.qubits]
        name = item.operation.name
        if name == "delay":
            wait = noise.idle(where[0], delay_seconds(item.operation, None))
            rho = rho.evolve(Kraus(list(wait.kraus())), where)
        elif name != "measure":
            channel = noise.gate(name, where)
            assert channel is not None
            rho = rho.evolve(Operator(item.operation), where)
            rho = rho.evolve(SuperOp(channel.superoperator()), where)
    bits = {
        circuit.find_bit(i.clbits[0]).index: circuit.find_bit(i.qubits[0]).index
        for i in circuit.get_instructions("measure")
    }
    measured = rho.probabilities([bits[b] for b in range(len(bits))])
    return apply_confusion(measured, [noise.confusion(bits[b]) for b in reversed(range(len(bits)))])


class TestForteByAer(DistributionContract):
    noise = 0.05

    @pytest.fixture
    def backend(self) -> AerBackend:
        return AerBackend(forte())


class TestForteByEngine(DistributionContract):
    noise = 0.05

    @pytest.fixture
    def backend(self) -> EngineBackend:
        return EngineBackend(forte())


class TestAqtByAer(DistributionContract):
    noise = 0.1

    @pytest.fixture
    def backend(self) -> AerBackend:
        return AerBackend(device("aqt", ALL_PAIRS, 5))


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("snapshot", [forte(), device("aqt", ALL_PAIRS, 5)], ids=lambda s: s.name)
def test_without_noise_the_distribution_is_the_original(
    simulator: type[AerBackend], snapshot: DeviceSnapshot
) -> None:
    backend = simulator(snapshot, noise=OFF)
    for circuit, angles in [(staircase_circuit(4), ANGLES), (dense_circuit(), np.zeros((1, 0)))]:
        found = backend.probabilities(backend.compile(circuit), angles)
        np.testing.assert_allclose(found, ideal(circuit, angles), atol=1e-10)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("make", [forte, uneven_ions])
def test_noise_is_that_of_the_snapshots_own_pulses(
    simulator: type[AerBackend], make: Callable[[], DeviceSnapshot]
) -> None:
    backend = simulator(make(), noise=LOUD)
    ((_, compiled, _),) = simulated(
        backend.compile(dense_circuit()), np.zeros((1, 0)), scheduled=True
    )
    assert {"sx", "x", "rzz", "delay"} <= set(compiled.circuit.count_ops())
    found = backend.probabilities(compiled, np.zeros((1, 0)))[0]
    np.testing.assert_allclose(found, on_ions(compiled, LOUD), atol=1e-10)
    assert np.abs(found - ideal(dense_circuit(), np.zeros((1, 0)))[0]).sum() > 0.2


def test_one_pulse_carries_the_error_of_gpi2() -> None:
    snapshot = uneven_ions()
    noise, view = DeviceNoise(snapshot), DeviceNoise(simulable(snapshot))
    for q in range(5):
        assert view.gate("sx", (q,)) == noise.gate("gpi2", (q,)) != noise.gate("gpi", (q,))
        assert view.gate("x", (q,)) == noise.gate("gpi", (q,))
        assert view.gate("rz", (q,)) is None


def test_all_to_all_needs_no_swap_and_keeps_every_zz_angle() -> None:
    circuit = dense_circuit()
    kept = AerBackend(forte()).compile(circuit)
    ((_, compiled, _),) = simulated(kept, np.zeros((1, 0)), scheduled=True)

    def angles(of: QuantumCircuit) -> Counter[tuple[frozenset[int], float]]:
        # X on both sides flips the sign: where Qiskit puts the X is its own choice
        return Counter(
            (frozenset(of.find_bit(q).index for q in i.qubits), round(abs(i.params[0]), 9))
            for i in of.get_instructions("rzz")
        )

    place = {
        compiled.circuit.find_bit(i.clbits[0]).index: compiled.circuit.find_bit(i.qubits[0]).index
        for i in compiled.circuit.get_instructions("measure")
    }
    wanted = Counter(
        {(frozenset(place[q] for q in pair), a): k for (pair, a), k in angles(circuit).items()}
    )
    assert set(compiled.circuit.count_ops()) <= {"rz", "sx", "x", "rzz", "delay", "measure"}
    assert angles(compiled.circuit) == wanted


def test_the_backend_keeps_the_snapshot_itself() -> None:
    snapshot = forte()
    backend = EngineBackend(snapshot)
    compiled = backend.compile(staircase_circuit(4))
    assert backend.snapshot is snapshot
    assert compiled.snapshot is snapshot
    assert snapshot.one_qubit_gates == ("gpi", "gpi2")
    # 3 ZZ one after another, a pulse before and two after at most, in the snapshot's own times
    assert 3 * 650e-6 + 2 * 63e-6 <= compiled.duration_s <= 3 * 650e-6 + 6 * 63e-6


def test_readout_of_ions_is_calibrated() -> None:
    snapshot = forte()
    found = calibrate_readout(AerBackend(snapshot), (3, 8), shots=200_000, seed=1)
    reported = DeviceNoise(snapshot).confusion(3)
    # one or two pulses prepare the 1, each wrong by 1e-4
    np.testing.assert_allclose(found.matrices((3, 8)), [reported, reported], atol=1e-3)


@pytest.mark.parametrize("vendor", ["ibm_cz", "iqm", "rigetti", "aqt", "aqt_rz"])
def test_other_devices_are_simulated_as_they_are(vendor: str) -> None:
    snapshot = device(vendor, ((0, 1),), 2)
    assert simulable(snapshot) is snapshot


def test_zz_that_does_not_commute_with_virtual_z_is_left_alone() -> None:
    plain = device("ionq", ((0, 1),), 2)
    odd = plain.model_copy(update={"two_qubit_gates": ("rxx",)})
    assert simulable(odd) is odd


def test_a_virtual_z_that_is_already_there_is_kept_once() -> None:
    plain = device("ionq", ((0, 1),), 2)
    once = simulable(plain)
    mixed = plain.model_copy(
        update={
            "one_qubit_gates": ("gpi", "gpi2", "rz"),
            "virtual_gates": ("rz",),
            "gates": (*plain.gates, *(g for g in once.gates if g.name == "rz")),
        }
    )
    assert sorted(simulable(mixed).one_qubit_gates) == sorted(once.one_qubit_gates)
    assert Counter(g.name for g in simulable(mixed).gates) == Counter(g.name for g in once.gates)
    assert math.isclose(sum(g.error or 0.0 for g in simulable(mixed).gates), 0.014)

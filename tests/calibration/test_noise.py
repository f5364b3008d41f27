"""Channels against closed forms, Aer, and an independent density-matrix evolution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from calibration.aer_noise import gate_error, to_aer_noise_model
from calibration.noise import (
    DeviceNoise,
    GateChannel,
    NoiseOptions,
    Relaxation,
    apply_confusion,
    average_fidelity,
)
from calibration.readers.ibm import read_ibm_fake
from tests.calibration.factory import line_device

OFF = NoiseOptions(gates=0, idle=0, readout=0)


def aer_distribution(circuit: QuantumCircuit, model: NoiseModel | None) -> np.ndarray:
    """Exact probabilities before readout, index = amplitude index of Qiskit's bitstring."""
    measured = circuit.copy()
    measured.save_probabilities()
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    return np.asarray(simulator.run(measured, shots=1).result().data(0)["probabilities"])


def evolve(circuit: QuantumCircuit, noise: DeviceNoise) -> np.ndarray:
    """Density-matrix evolution in numpy with explicit Kraus sums; nothing of Aer in it."""
    n = circuit.num_qubits
    rho = np.zeros((2**n, 2**n), dtype=complex)
    rho[0, 0] = 1
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if item.name == "delay":
            relaxations = [noise.idle(qubits[0], item.operation.duration * 1e-9)]
            depolarising = 0.0
        else:
            unitary = embed(Operator(item.operation).data, qubits, n)
            rho = unitary @ rho @ unitary.conj().T
            channel = noise.gate(item.name, qubits)
            if channel is None:
                continue
            relaxations, depolarising = list(channel.relaxations), channel.depolarising
        rho = depolarise(rho, depolarising, qubits, n)
        for qubit, relaxation in zip(qubits, relaxations, strict=True):
            rho = relax(rho, relaxation, qubit, n)
    return rho


def embed(matrix: np.ndarray, qubits: list[int], n: int) -> np.ndarray:
    """Matrix on the whole register, qubit 0 least significant."""
    full = np.zeros((2**n, 2**n), dtype=complex)
    for column in range(2**n):
        local = sum(((column >> q) & 1) << i for i, q in enumerate(qubits))
        rest = column & ~sum(1 << q for q in qubits)
        for out in range(len(matrix)):
            row = rest | sum(((out >> i) & 1) << q for i, q in enumerate(qubits))
            full[row, column] += matrix[out, local]
    return full


def depolarise(rho: np.ndarray, p: float, qubits: list[int], n: int) -> np.ndarray:
    """(1-p) rho + p (partial trace over the qubits, replaced by the maximally mixed state)."""
    mixed = rho
    for q in qubits:
        terms = [
            embed(np.outer(np.eye(2)[i], np.eye(2)[j]), [q], n) for i in (0, 1) for j in (0, 1)
        ]
        mixed = sum(t @ mixed @ t.conj().T for t in terms) / 2
    return (1 - p) * rho + p * mixed


def relax(rho: np.ndarray, relaxation: Relaxation, qubit: int, n: int) -> np.ndarray:
    """Element by element: what T1 and T2 mean."""
    low = [i for i in range(2**n) if not (i >> qubit) & 1]
    new = rho.copy()
    bit = 1 << qubit
    for i in low:
        for j in low:
            new[i, j] = rho[i, j] + relaxation.decay * rho[i | bit, j | bit]
            new[i | bit, j | bit] = (1 - relaxation.decay) * rho[i | bit, j | bit]
            new[i | bit, j] = relaxation.coherence * rho[i | bit, j]
            new[i, j | bit] = relaxation.coherence * rho[i, j | bit]
    return new


def random_circuit(seed: int, n: int, length: int = 30) -> QuantumCircuit:
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for _ in range(length):
        kind, q = rng.integers(4), int(rng.integers(n))
        if kind == 0:
            circuit.rz(float(rng.uniform(-3, 3)), q)
        elif kind == 1:
            circuit.sx(q)
        elif kind == 2:
            a = int(rng.integers(n - 1))
            circuit.cz(*((a, a + 1) if rng.integers(2) else (a + 1, a)))
        else:
            circuit.delay(int(rng.integers(1, 5000)), q, unit="dt")
    return circuit


lifetimes = st.floats(1e-6, 1e-2)


@given(
    durations=st.floats(0, 1e-5),
    qubits=st.lists(st.tuples(lifetimes, st.floats(0.01, 2.0)), min_size=1, max_size=2),
    error=st.floats(0, 0.7),
)
def test_average_fidelity_is_the_reported_one(durations, qubits, error):
    relaxations = [Relaxation.during(durations, t1, ratio * t1) for t1, ratio in qubits]
    channel = GateChannel.reported(error, relaxations)
    infidelity = 1 - average_fidelity(channel.superoperator())
    d = 2 ** len(qubits)
    if channel.excess > 0:
        assert channel.depolarising == 0
        assert infidelity == pytest.approx(error + channel.excess, abs=1e-12)
    elif channel.depolarising < d * d / (d * d - 1):
        assert infidelity == pytest.approx(error, abs=1e-12)
    choi = SuperOp(channel.superoperator())
    assert choi.is_cptp(atol=1e-9)


@given(
    decay=st.floats(0, 1),
    share=st.floats(0, 1),
    p=st.floats(0, 16 / 15),
)
@settings(max_examples=30)
def test_superoperator_kraus_and_aer_error_are_one_channel(decay, share, p):
    a = Relaxation(decay, share * math.sqrt(1 - decay))
    b = Relaxation(decay / 3, math.sqrt(1 - decay / 3) * 0.9)
    kraus = sum(np.kron(k.conj(), k) for k in a.kraus())
    np.testing.assert_allclose(kraus, a.superoperator(), atol=1e-14)
    channel = GateChannel((a, b), p)
    np.testing.assert_allclose(
        SuperOp(gate_error(channel)).data, channel.superoperator(), atol=1e-12
    )


def test_relaxation_of_missing_lifetimes():
    assert Relaxation.during(1.0, None, None) == Relaxation()
    only_t1 = Relaxation.during(1e-4, 1e-4, None)
    assert only_t1.coherence == pytest.approx(math.exp(-0.5))
    only_t2 = Relaxation.during(1e-4, None, 1e-4)
    assert (only_t2.decay, only_t2.coherence) == (0, pytest.approx(math.exp(-1)))


@pytest.mark.parametrize("unit, length", [("dt", 50_000), ("us", 50.0), ("s", 50e-6)])
def test_delay_decays_as_t1_and_t2_say(unit, length):
    device = line_device(1, gates=(), couplings=(), two_qubit_gates=())
    model = to_aer_noise_model(device, [0], NoiseOptions(readout=0))
    excited = QuantumCircuit(1)
    excited.x(0)
    excited.delay(length, 0, unit=unit)
    assert aer_distribution(excited, model)[1] == pytest.approx(math.exp(-50 / 100), abs=1e-10)
    ramsey = QuantumCircuit(1)
    ramsey.h(0)
    ramsey.delay(length, 0, unit=unit)
    ramsey.h(0)
    expected = (1 + math.exp(-50 / 80)) / 2
    assert aer_distribution(ramsey, model)[0] == pytest.approx(expected, abs=1e-10)
    half = to_aer_noise_model(device, [0], NoiseOptions(idle=0.5))
    assert aer_distribution(excited, half)[1] == pytest.approx(math.exp(-25 / 100), abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_aer_agrees_with_an_independent_evolution(seed):
    device = line_device(3)
    place = [2, 1, 0]
    circuit = random_circuit(seed, 3)
    options = NoiseOptions(gates=1.7, idle=0.6)
    rho = evolve(circuit, DeviceNoise(device.restricted(place), options))
    model = to_aer_noise_model(device, place, options)
    np.testing.assert_allclose(aer_distribution(circuit, model), np.diag(rho).real, atol=1e-10)


def test_everything_off_is_exact():
    device, circuit = line_device(3, error=0.2), random_circuit(7, 3)
    noisy = aer_distribution(circuit, to_aer_noise_model(device, [0, 1, 2], OFF))
    np.testing.assert_allclose(noisy, aer_distribution(circuit, None), atol=1e-12)


def test_readout_alone_is_the_confusion_matrix_on_exact():
    device, circuit = line_device(2), QuantumCircuit(2)
    circuit.x(0)
    circuit.ry(0.8, 1)
    options = NoiseOptions(gates=0, idle=0)
    model = to_aer_noise_model(device, [1, 0], options)
    exact = aer_distribution(circuit, None)
    np.testing.assert_allclose(aer_distribution(circuit, model), exact, atol=1e-12)
    noise = DeviceNoise(device.restricted([1, 0]), options)
    expected = apply_confusion(exact, [noise.confusion(1), noise.confusion(0)])
    full = np.kron(noise.confusion(1), noise.confusion(0)) @ exact
    np.testing.assert_allclose(expected, full, atol=1e-15)
    circuit.measure_all()
    shots = 200_000
    run = AerSimulator(noise_model=model).run(circuit, shots=shots, seed_simulator=5)
    counts = run.result().get_counts()
    sampled = np.array([counts.get(f"{i:02b}", 0) for i in range(4)]) / shots
    assert np.abs(sampled - expected).sum() / 2 < 4 / math.sqrt(shots)
    assert np.abs(sampled - exact).sum() / 2 > 10 / math.sqrt(shots)


def test_options_are_checked():
    with pytest.raises(ValueError, match="Argument `idle` must be 0 or more"):
        NoiseOptions(idle=-1)
    with pytest.raises(ValueError, match="must have 4 values"):
        apply_confusion(np.ones(3) / 3, [np.eye(2)] * 2)


def test_a_gate_long_after_all_relaxed_is_still_a_channel():
    channel = GateChannel.reported(1.0, [Relaxation.during(1.0, 1e-9, 1e-9)] * 2)
    assert channel.depolarising == pytest.approx(16 / 15)
    assert SuperOp(channel.superoperator()).is_cptp(atol=1e-9)


def test_relaxation_worse_than_reported_is_recorded():
    device = line_device(2, error=0.0)
    [(name, qubits, excess)] = DeviceNoise(device).overexplained
    channel = DeviceNoise(device).gate("cz", (0, 1))
    assert (name, qubits, excess) == ("cz", (0, 1), channel.excess)
    assert channel.depolarising == 0
    assert DeviceNoise(device).gate("rz", (0,)) is None
    assert DeviceNoise(device).gate("cz", (0,)) is None


def test_confusion_and_gate_order_mean_what_they_say():
    noise = DeviceNoise(line_device(2), NoiseOptions(readout=2))
    np.testing.assert_allclose(noise.confusion(0), [[0.98, 0.08], [0.02, 0.92]])
    one, zero = noise.gate("cz", (1, 0)).relaxations
    assert zero == Relaxation.during(200e-9, 100e-6, 80e-6)
    assert one == Relaxation.during(200e-9, 107e-6, 91e-6)


def test_agrees_with_aers_own_model_of_the_same_device():
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    backend = FakeManilaV2()
    ours = to_aer_noise_model(read_ibm_fake("manila"), range(5))
    theirs = NoiseModel.from_backend(backend)
    rng = np.random.default_rng(1)
    circuit = QuantumCircuit(5)
    for _ in range(40):
        q = int(rng.integers(4))
        circuit.sx(q)
        circuit.rz(float(rng.uniform(0, 6)), q + 1)
        circuit.cx(*((q, q + 1) if rng.integers(2) else (q + 1, q)))
        circuit.delay(int(rng.integers(1, 2000)), q, unit="dt")
    distance = np.abs(aer_distribution(circuit, ours) - aer_distribution(circuit, theirs)).sum() / 2
    assert distance < 1e-6
    assert np.abs(aer_distribution(circuit, ours) - aer_distribution(circuit, None)).sum() > 0.1

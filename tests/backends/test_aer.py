from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import DensityMatrix, Kraus, SuperOp

from backends.aer import AerBackend
from backends.base import BackendError
from backends.exact import ExactBackend
from backends.native.schedule import schedule_alap
from backends.readout import readout_matrices
from calibration.interaction import delay_seconds
from calibration.noise import DeviceNoise, NoiseOptions, apply_confusion
from calibration.readers.ibm import read_ibm_fake
from calibration.snapshot import DeviceSnapshot
from qhw.circuits.ansatz import chain_ansatz, qvae_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import CircuitTemplate, build_template, data_angles
from tests.backends.circuits import product_circuit, staircase_circuit
from tests.backends.contract import ANGLES, DistributionContract


@pytest.fixture(scope="module")
def boston() -> DeviceSnapshot:
    return read_ibm_fake("ibm_boston")


@pytest.fixture(scope="module")
def decoder() -> CircuitTemplate:
    ansatz = chain_ansatz(7, 14)
    weights = np.random.default_rng(0).uniform(-np.pi, np.pi, ansatz.n_angles)
    plan = CircuitPlan("amplitudes", (2, 3, 4, 5, 6), None, ansatz, weights, tuple(range(7)))
    return build_template(plan, "brickwork")


class TestBoston(DistributionContract):
    noise = 0.06

    @pytest.fixture
    def backend(self, boston: DeviceSnapshot) -> AerBackend:
        return AerBackend(boston)


class TestEcrDevice(DistributionContract):
    noise = 0.2

    @pytest.fixture
    def backend(self) -> AerBackend:
        return AerBackend(read_ibm_fake("ibm_sherbrooke"))


class TestSilentDevice(DistributionContract):
    noise = 1e-12

    @pytest.fixture
    def backend(self, boston: DeviceSnapshot) -> AerBackend:
        return AerBackend(boston, noise=NoiseOptions(0, 0, 0))


def evolve(circuit: QuantumCircuit, noise: DeviceNoise) -> np.ndarray:
    """Distribution over circuit qubits by Qiskit's density matrix, channel by channel."""
    rho = DensityMatrix.from_label("0" * circuit.num_qubits)
    for item in circuit.data:
        where = [circuit.find_bit(q).index for q in item.qubits]
        name = item.operation.name
        if name == "delay":
            wait = noise.idle(where[0], delay_seconds(item.operation, None))
            rho = rho.evolve(Kraus(list(wait.kraus())), where)
        elif name != "measure":
            rho = rho.evolve(item.operation, where)
            channel = noise.gate(name, where)
            if channel is not None:
                rho = rho.evolve(SuperOp(channel.superoperator()), where)
    return rho.probabilities()


def test_probabilities_equal_an_independent_density_matrix(boston: DeviceSnapshot) -> None:
    # Errors are scaled up so that a missed channel cannot hide.
    options = NoiseOptions(gates=5.0, idle=20.0, readout=3.0)
    backend = AerBackend(boston, noise=options)
    compiled = backend.compile(staircase_circuit(4, (2, 0, 3, 1)))
    p = backend.probabilities(compiled, ANGLES)
    noise = DeviceNoise(boston.restricted(compiled.physical_qubits), options)
    for row, found in zip(ANGLES, p, strict=True):
        bound = compiled.circuit.assign_parameters(
            dict(zip(compiled.circuit.parameters, row, strict=True))
        )
        bits = {
            bound.find_bit(i.clbits[0]).index: bound.find_bit(i.qubits[0]).index
            for i in bound.get_instructions("measure")
        }
        tensor = evolve(bound, noise).reshape((2,) * 4)  # axis 0 is qubit 3
        ideal = tensor.transpose([3 - bits[b] for b in (3, 2, 1, 0)]).reshape(-1)
        read = apply_confusion(ideal, [noise.confusion(bits[b]) for b in (3, 2, 1, 0)])
        np.testing.assert_allclose(found, read, atol=1e-10)


def test_chain_needs_no_swap(boston: DeviceSnapshot, decoder: CircuitTemplate) -> None:
    backend = AerBackend(boston)
    compiled = backend.compile(decoder.circuit)
    assert compiled.two_qubit_gates == 16 + 42
    assert len(set(compiled.physical_qubits)) == 7
    assert 0.8 < compiled.predicted_success < 1
    assert 1e-6 < compiled.duration_s < 10e-6
    latents = np.random.default_rng(1).normal(size=(20, 32))
    angles = data_angles(decoder, latents).angles
    noisy = backend.probabilities(compiled, angles)
    counts = backend.run(compiled, angles, shots=100_000, seed=3).counts
    exact = ExactBackend()
    ideal = exact.probabilities(exact.compile(decoder.circuit), angles)
    distance = np.abs(noisy - ideal).sum(1) / 2
    assert distance.min() > 0.005
    assert distance.max() < 1 - compiled.predicted_success
    assert (np.abs(counts / 100_000 - noisy).sum(1) / 2).max() < 0.02


def test_idle_noise_needs_a_schedule(boston: DeviceSnapshot, decoder: CircuitTemplate) -> None:
    angles = data_angles(decoder, np.random.default_rng(2).normal(size=(1, 32))).angles
    found = {}
    for scheduled in (True, False):
        for idle in (1.0, 0.0):
            backend = AerBackend(boston, scheduled=scheduled, noise=NoiseOptions(idle=idle))
            compiled = backend.compile(decoder.circuit)
            assert ("delay" in compiled.circuit.count_ops()) is scheduled
            found[scheduled, idle] = backend.probabilities(compiled, angles)[0]
    np.testing.assert_allclose(found[False, 1.0], found[False, 0.0], atol=1e-12)
    np.testing.assert_allclose(found[True, 0.0], found[False, 0.0], atol=1e-12)
    assert np.abs(found[True, 1.0] - found[False, 1.0]).sum() > 1e-3


def test_routed_circuit_stays_in_a_small_region(boston: DeviceSnapshot) -> None:
    circuit = QuantumCircuit(7, 7)
    for a in range(7):
        for b in range(a):
            circuit.ry(0.3 * a + 0.1 * b, a)
            circuit.cx(a, b)
    circuit.measure(range(7), range(7))
    backend = AerBackend(boston, noise=NoiseOptions(0, 0, 0))
    compiled = backend.compile(circuit)
    assert compiled.circuit.num_qubits == 7
    assert compiled.two_qubit_gates > 21
    exact = ExactBackend()
    none = np.zeros((1, 0))
    np.testing.assert_allclose(
        backend.probabilities(compiled, none),
        exact.probabilities(exact.compile(circuit), none),
        atol=1e-12,
    )


def test_readout_matrices_follow_the_measured_wires() -> None:
    backend = AerBackend(read_ibm_fake("ibm_torino"), noise=NoiseOptions(gates=0, idle=0))
    circuit = product_circuit(3, (2, 0))
    compiled = backend.compile(circuit)
    found = readout_matrices(compiled)
    assert "ibm_torino taken 2025" in found.source
    np.testing.assert_allclose(found.matrices.sum(axis=1), 1.0)
    # Wire 2 in |1>, wire 0 in |0>: the distribution is a product of one column of each.
    p = backend.probabilities(compiled, np.array([[0.0, 0.4, np.pi]]))[0]
    expected = np.kron(found.matrices[0][:, 1], found.matrices[1][:, 0])
    np.testing.assert_allclose(p, expected, atol=1e-12)
    # or the order of the two wires would go unproved
    assert np.abs(found.matrices[0] - found.matrices[1]).max() > 1e-3


def test_trajectories_agree_with_the_density_matrix(
    boston: DeviceSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = AerBackend(boston, noise=NoiseOptions(gates=5, idle=5, readout=5))
    compiled = backend.compile(staircase_circuit(4, (2, 0, 1)))
    exact = backend.probabilities(compiled, ANGLES)
    monkeypatch.setattr("backends.aer.MAX_EXACT_QUBITS", 3)
    with pytest.raises(BackendError, match="at most 3 qubits"):
        backend.probabilities(compiled, ANGLES)
    result = backend.run(compiled, ANGLES, shots=4_000, seed=5)
    np.testing.assert_array_equal(result.counts.sum(1), 4_000)
    sigma = np.sqrt(exact * (1 - exact) / 4_000)
    assert (np.abs(result.counts / 4_000 - exact) < 5 * sigma + 1e-4).all()
    again = backend.run(compiled, ANGLES, shots=4_000, seed=5)
    np.testing.assert_array_equal(result.counts, again.counts)


def test_device_without_live_couplings_is_refused_only_when_they_are_needed() -> None:
    backend = AerBackend(read_ibm_fake("ibm_kyoto"))
    with pytest.raises(BackendError, match=r"ibm_kyoto.* 0 usable couplings"):
        backend.compile(staircase_circuit(3))
    assert backend.compile(product_circuit(2)).two_qubit_gates == 0


def test_schedule_of_a_known_circuit(boston: DeviceSnapshot) -> None:
    a, b = boston.usable_couplings[0]
    part = boston.restricted((a, b))
    x = part.gate("x", (0,)).duration_s
    cz = part.gate("cz", (0, 1)).duration_s
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)  # then waits while qubit 1 does three more
    circuit.x(1)
    circuit.cz(0, 1)
    circuit.rz(0.3, 1)
    for _ in range(3):
        circuit.x(1)
    circuit.x(0)
    circuit.cz(0, 1)
    circuit.measure([0, 1], [0, 1])
    schedule = schedule_alap(circuit, part)
    assert schedule.duration_s == pytest.approx(4 * x + 2 * cz)
    assert schedule.idle_s == (pytest.approx(2 * x), 0.0)
    (delay,) = schedule.circuit.get_instructions("delay")
    assert delay.operation.unit == "s"
    assert schedule.circuit.find_bit(delay.qubits[0]).index == 0
    names = [i.operation.name for i in schedule.circuit.data if circuit.qubits[0] in i.qubits]
    assert names == ["x", "cz", "delay", "x", "cz", "measure"]


def test_untouched_qubits_wait_without_delay(boston: DeviceSnapshot) -> None:
    part = boston.restricted(boston.usable_couplings[0])
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.barrier()
    circuit.x(0)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    schedule = schedule_alap(circuit, part)
    assert "delay" not in schedule.circuit.count_ops()
    assert schedule.idle_s == (0.0, 0.0)


def test_missing_durations_mean_no_waiting(boston: DeviceSnapshot) -> None:
    timeless = boston.model_copy(
        update={"gates": tuple(g.model_copy(update={"duration_s": None}) for g in boston.gates)}
    )
    compiled = AerBackend(timeless).compile(staircase_circuit(4))
    assert compiled.duration_s == 0.0
    assert "delay" not in compiled.circuit.count_ops()


@pytest.mark.parametrize("ring", [False, True])
def test_fractional_gates_keep_to_the_hardware_range(boston: DeviceSnapshot, ring: bool) -> None:
    ansatz = qvae_ansatz(5, 1) if ring else chain_ansatz(5, 4)
    weights = np.random.default_rng(6).uniform(-7, 7, ansatz.n_angles)
    plan = CircuitPlan("amplitudes", (2, 3, 4), None, ansatz, weights, (4, 0, 1, 2))
    template = build_template(plan)
    angles = data_angles(template, np.random.default_rng(7).normal(size=(3, 8))).angles
    plain = AerBackend(boston).compile(template.circuit)
    backend = AerBackend(boston, fractional=True, noise=NoiseOptions(0, 0, 0))
    compiled = backend.compile(template.circuit)
    used = [float(i.operation.params[0]) for i in compiled.circuit.get_instructions("rzz")]
    assert len(used) > 3
    assert min(used) >= 0
    assert max(used) <= np.pi / 2 + 1e-12
    assert compiled.two_qubit_gates <= plain.two_qubit_gates
    exact = ExactBackend()
    ideal = exact.probabilities(exact.compile(template.circuit), angles)
    np.testing.assert_allclose(backend.probabilities(compiled, angles), ideal, atol=1e-12)


def test_free_two_qubit_angles_stay_as_they_are(boston: DeviceSnapshot) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.rzz(Parameter("t"), 0, 1)
    circuit.rzz(-0.4, 0, 1)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    backend = AerBackend(boston, fractional=True, noise=NoiseOptions(0, 0, 0))
    compiled = backend.compile(circuit)
    free, fixed = compiled.circuit.get_instructions("rzz")
    assert free.operation.is_parameterized()
    assert fixed.operation.params[0] == pytest.approx(0.4)
    t = np.array([[-1.3], [0.2]])
    # Between Hadamards rzz(a) is a rotation of |00> to |11>.
    even = np.cos((t - 0.4) / 2) ** 2
    expected = np.hstack([even, 0 * t, 0 * t, 1 - even])
    np.testing.assert_allclose(backend.probabilities(compiled, t), expected, atol=1e-12)


@pytest.mark.parametrize("exact", [True, False])
def test_rows_in_pieces_give_what_rows_at_once_do(
    boston: DeviceSnapshot, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    """Aer is called for some rows at a time, so that Ctrl-C need not wait for all."""
    n, shots = 3, 500
    monkeypatch.setattr("backends.aer.MAX_EXACT_QUBITS", n if exact else n - 1)
    compiled = AerBackend(boston).compile(product_circuit(n))
    angles = np.random.default_rng(8).uniform(0, 3, (5, n))
    counts = []
    for rows in (5, 2, 1):
        monkeypatch.setattr("backends.aer._MATRIX_WORK", rows * 4**n)
        monkeypatch.setattr("backends.aer._STATE_WORK", rows * shots * 2**n)
        fresh = AerBackend(boston)  # keeps no distribution of the time before
        counts.append(fresh.run(compiled, angles, shots=shots, seed=2**32 - 2).counts)
    np.testing.assert_array_equal(counts[1], counts[0])
    np.testing.assert_array_equal(counts[2], counts[0])

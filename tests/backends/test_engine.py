"""The engine against Aer's density matrix, the exact backend and closed forms."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter
from qiskit_aer import AerSimulator

from backends.aer import AerBackend
from backends.base import BackendError, CompiledTemplate
from backends.engine.backend import EngineBackend
from backends.engine.program import NoisyProgram
from backends.engine.steps import fuse, lower, split
from backends.exact import ExactBackend
from backends.registry import get_backend
from calibration.aer_noise import to_aer_noise_model
from calibration.catalog import load_snapshot
from calibration.noise import DeviceNoise, NoiseOptions, apply_confusion
from calibration.snapshot import DeviceSnapshot
from qhw.circuits.ansatz import chain_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import build_template
from tests.backends.contract import DistributionContract
from tests.backends.random_circuits import random_device, random_template
from tests.calibration.factory import line_device

OFF = NoiseOptions(gates=0, idle=0, readout=0)


def decoder(n: int = 4, layers: int = 3) -> QuantumCircuit:
    ansatz = chain_ansatz(n, layers)
    weights = np.random.default_rng(0).uniform(-np.pi, np.pi, ansatz.n_angles)
    plan = CircuitPlan("amplitudes", (2, 3)[: n - 2], None, ansatz, weights, tuple(range(n)))
    return build_template(plan, "brickwork").circuit


def free_rows(compiled: CompiledTemplate, rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-3, 3, (rows, len(compiled.parameter_names)))


class TestContract(DistributionContract):
    noise = 0.06

    @pytest.fixture
    def backend(self) -> EngineBackend:
        return EngineBackend(load_snapshot("ibm_boston"))


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 4),
    data_until=st.sampled_from([0.0, 0.5, 1.0]),
    rows=st.sampled_from([1, 20]),
    factors=st.tuples(*[st.sampled_from([0.0, 1.0, 1.7])] * 5),
    zz=st.sampled_from([0.0, 0.05]),
)
@settings(max_examples=60)
def test_every_probability_is_aers(seed, n, data_until, rows, factors, zz):
    rng = np.random.default_rng(seed)
    device = random_device(rng, n)
    compiled = random_template(rng, device, data_until=data_until)
    angles = rng.uniform(-3, 3, (rows, 4))
    options = NoiseOptions(*factors, zz_rad=zz)
    aer = AerBackend(device, noise=options).probabilities(compiled, angles)
    found = NoisyProgram(compiled, options).probabilities(angles)
    np.testing.assert_allclose(found, aer, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["ibm_fez", "ibm_sherbrooke", "iqm_garnet"])
def test_compiled_decoder_is_aers_on_real_devices(name):
    device = load_snapshot(name)
    aer = AerBackend(device)
    compiled = aer.compile(decoder())
    angles = free_rows(compiled, 30)
    engine = EngineBackend(device)
    few = engine.probabilities(compiled, angles[:3])
    many = engine.probabilities(compiled, angles)
    expected = aer.probabilities(compiled, angles)
    np.testing.assert_allclose(few, expected[:3], rtol=0, atol=1e-8)
    np.testing.assert_allclose(many, expected, rtol=0, atol=1e-8)
    ideal = EngineBackend(device, noise=OFF).probabilities(compiled, angles)
    assert np.abs(expected - ideal).max() > 1e-3


def test_fractional_gates_with_free_angles():
    device = load_snapshot("ibm_fez")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(Parameter("a"), 0)
    circuit.rzz(Parameter("b"), 0, 1)
    circuit.rx(0.3, 1)
    circuit.measure([0, 1], [0, 1])
    aer = AerBackend(device, fractional=True)
    compiled = aer.compile(circuit)
    assert "rzz" in compiled.circuit.count_ops()
    angles = np.random.default_rng(0).uniform(0, 1.5, (6, 2))
    found = NoisyProgram(compiled).probabilities(angles)
    np.testing.assert_allclose(found, aer.probabilities(compiled, angles), rtol=0, atol=1e-8)


def test_without_noise_it_is_exact():
    device = load_snapshot("ibm_fez")
    circuit = decoder(5, 4)
    compiled = AerBackend(device).compile(circuit)
    exact = ExactBackend()
    angles = free_rows(compiled, 70)
    expected = exact.probabilities(exact.compile(circuit), angles)
    for rows in (3, 70):
        found = NoisyProgram(compiled, OFF).probabilities(angles[:rows])
        np.testing.assert_allclose(found, expected[:rows], rtol=0, atol=1e-12)
    ideal = NoisyProgram(exact.compile(circuit)).probabilities(angles)
    np.testing.assert_allclose(ideal, expected, rtol=0, atol=1e-12)


def test_readout_alone_is_the_confusion_matrix_on_exact():
    device = load_snapshot("ibm_fez")
    engine = EngineBackend(device, noise=NoiseOptions(gates=0, idle=0))
    compiled = engine.compile(decoder())
    angles = free_rows(compiled, 40)
    exact = NoisyProgram(compiled, OFF).probabilities(angles)
    expected = apply_confusion(exact, list(engine.readout_matrices(compiled).matrices))
    found = engine.probabilities(compiled, angles)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.abs(found - exact).max() > 1e-3


def test_any_gate_with_free_angles():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3, 3)
    circuit.u(a, b, 0.3, 0)
    circuit.crx(a, 0, 2)
    circuit.r(a * 2, b - 1, 1)
    circuit.ecr(2, 1)
    circuit.rzx(b, 1, 0)
    circuit.p(a, 2)
    circuit.r(0.4, a, 2)
    circuit.h(2)
    circuit.iswap(0, 2)
    circuit.rxx(a * b, 1, 0)
    circuit.measure([0, 1, 2], [2, 0, 1])
    compiled = replace(ExactBackend().compile(circuit), circuit=circuit)
    angles = free_rows(compiled, 9)
    expected = ExactBackend().probabilities(compiled, angles)
    found = NoisyProgram(compiled).probabilities(angles)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_only_what_follows_no_data_is_shared():
    device = line_device(3)
    compiled = random_template(np.random.default_rng(0), device, gates=0)
    circuit = compiled.circuit.copy_empty_like()
    x = Parameter("x[0]")
    circuit.sx(0)
    circuit.sx(2)  # another wire: shared, though it stands before the data
    circuit.rz(x, 0)
    circuit.cz(1, 2)
    circuit.cz(0, 1)
    front, back = split(lower(replace(compiled, circuit=circuit), None))
    assert [s.qubits for s in front] == [(0,), (0,)]
    assert [s.qubits for s in back] == [(2,), (1, 2), (0, 1)]
    assert [s.qubits for s in fuse(back)] == [(1, 2), (0, 1)]


def static_template(device: DeviceSnapshot, build, n: int = 1) -> CompiledTemplate:
    circuit = QuantumCircuit(n, n)
    build(circuit)
    circuit.measure(range(n), range(n))
    base = random_template(np.random.default_rng(0), device, gates=0, free=1)
    return replace(
        base,
        circuit=circuit,
        parameter_names=(),
        n_measured=n,
        physical_qubits=tuple(range(n)),
    )


@pytest.mark.parametrize("wait_s", [5e-6, 20e-6, 40e-6])
def test_ramsey_fringe_decays_as_a_gaussian_and_an_echo_refocuses_it(wait_s):
    device = line_device(1, gates=(), couplings=(), two_qubit_gates=())
    options = NoiseOptions(idle=0, readout=0, t2_star_s=40e-6)

    def ramsey(circuit: QuantumCircuit) -> None:
        circuit.sx(0)
        circuit.append(Delay(wait_s, "s"), [0])
        circuit.sx(0)

    def echo(circuit: QuantumCircuit) -> None:
        circuit.sx(0)
        circuit.append(Delay(wait_s, "s"), [0])
        circuit.x(0)
        circuit.append(Delay(wait_s, "s"), [0])
        circuit.sx(0)

    none = np.zeros((1, 0))
    program = NoisyProgram(static_template(device, ramsey), options, detuning_level=12)
    expected = (1 + math.exp(-((wait_s / 40e-6) ** 2))) / 2
    assert program.probabilities(none)[0, 1] == pytest.approx(expected, abs=1e-9)
    half = replace(options, detuning=0.5)
    program = NoisyProgram(static_template(device, ramsey), half, detuning_level=12)
    expected = (1 + math.exp(-((wait_s / 80e-6) ** 2))) / 2
    assert program.probabilities(none)[0, 1] == pytest.approx(expected, abs=1e-9)
    program = NoisyProgram(static_template(device, echo), options)
    assert program.probabilities(none)[0, 0] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("wait_s", "fits"), [(15e-6, True), (60e-6, False), (100e-6, False)])
def test_too_few_detunings_for_a_long_wait_are_refused(wait_s, fits):
    """Three nodes give a fringe of 0.996 after 100 us with T2* = 40 us, where 0.002 is left."""
    device = line_device(1, gates=(), couplings=(), two_qubit_gates=())
    options = NoiseOptions(idle=0, readout=0, t2_star_s=40e-6)

    def ramsey(circuit: QuantumCircuit) -> None:
        circuit.sx(0)
        circuit.append(Delay(wait_s, "s"), [0])
        circuit.sx(0)

    compiled, none = static_template(device, ramsey), np.zeros((1, 0))
    expected = (1 + math.exp(-((wait_s / 40e-6) ** 2))) / 2
    if fits:
        found = NoisyProgram(compiled, options).probabilities(none)
        assert found[0, 1] == pytest.approx(expected, abs=1e-3)
    else:
        with pytest.raises(ValueError, match="or T2\\* longer"):
            NoisyProgram(compiled, options).probabilities(none)
    found = NoisyProgram(compiled, options, detuning_level=40).probabilities(none)
    assert found[0, 1] == pytest.approx(expected, abs=1e-6)


def test_average_over_detunings_is_that_of_aer_runs():
    """A full grid of offsets, each run by Aer with the matching coherent errors."""
    device = line_device(2)

    def build(circuit: QuantumCircuit) -> None:
        for first in (0, 1, 0):
            circuit.sx([0, 1])
            circuit.append(Delay(6e-6, "s"), [first])
            circuit.append(Delay(2e-6, "s"), [1 - first])
            circuit.cz(0, 1)
        circuit.sx([0, 1])

    compiled = static_template(device, build, 2)
    options = NoiseOptions(zz_rad=0.1, t2_star_s=((1, 40e-6), (2, 60e-6)))
    none = np.zeros((1, 0))
    found = NoisyProgram(compiled, options, detuning_level=10).probabilities(none)[0]
    circuit = compiled.circuit.remove_final_measurements(inplace=False)
    circuit.save_probabilities([0, 1])
    total = np.zeros(len(found))
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    weights = weights / weights.sum()
    for (x, v), (y, w) in itertools.product(zip(nodes, weights, strict=True), repeat=2):
        offsets = [x * math.sqrt(2) / 40e-6, y * math.sqrt(2) / 60e-6]
        model = to_aer_noise_model(device, [0, 1], options, offsets_rad_s=offsets)
        simulator = AerSimulator(method="density_matrix", noise_model=model)
        total += v * w * simulator.run(circuit).result().data(0)["probabilities"]
    noise = DeviceNoise(device, options)
    matrices = [noise.confusion(q) for q in (1, 0)]
    expected = apply_confusion(total[None], matrices)[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    without = NoisyProgram(compiled, replace(options, detuning=0)).probabilities(none)[0]
    assert np.abs(found - without).max() > 1e-3  # a thousand times the agreement above


def test_one_offset_is_aers_to_rounding():
    rng = np.random.default_rng(5)
    device = random_device(rng, 3)
    compiled = random_template(rng, device, gates=60, free=1, data_until=0.0)
    offsets = (3e4, -5e4, 1e5)
    noise = DeviceNoise(device, NoiseOptions(zz_rad=0.2, readout=0), offsets)
    model = to_aer_noise_model(device, range(3), noise.options, offsets_rad_s=offsets)
    circuit = compiled.circuit.remove_final_measurements(inplace=False)
    circuit.save_superop()
    simulator = AerSimulator(method="superop", noise_model=model)
    expected = np.asarray(simulator.run(circuit).result().data(0)["superop"])
    rho = np.zeros((8, 8))
    rho[0, 0] = 1
    final = (expected @ rho.flatten()).reshape(8, 8, order="F")
    joint = np.array([1.0])
    for _ in range(3):
        joint = np.kron(joint, np.array([1, 0, 0, 1]) / math.sqrt(2))
    for step in lower(compiled, noise):
        joint = _apply(joint, step.parts[0], step.qubits)
    populations = _populations(joint)
    np.testing.assert_allclose(populations, np.diag(final).real, rtol=0, atol=1e-10)


def _apply(joint: np.ndarray, matrix: np.ndarray, qubits: tuple[int, ...]) -> np.ndarray:
    k = len(qubits)
    shaped = np.moveaxis(joint.reshape(4, 4, 4), qubits, range(k)).reshape(4**k, -1)
    back = (matrix @ shaped).reshape((4,) * 3)
    return np.moveaxis(back, range(k), qubits).reshape(-1)


def _populations(joint: np.ndarray) -> np.ndarray:
    """Qubit 0 least significant, from Pauli coefficients with qubit 0 as first axis."""
    shaped = joint.reshape(4, 4, 4)
    rows = np.array([[1, 0, 0, 1], [1, 0, 0, -1]]) / math.sqrt(2)
    return np.einsum("ai,bj,ck,ijk->cba", rows, rows, rows, shaped).reshape(-1)


def test_coherent_zz_turns_by_its_angle():
    device = line_device(2)

    def build(circuit: QuantumCircuit) -> None:
        circuit.h(0)
        circuit.cz(0, 1)  # the other qubit is 0: only the ZZ angle is left on qubit 0
        circuit.h(0)

    options = replace(OFF, zz_rad=0.3, coherent_zz=2.0)
    p = NoisyProgram(static_template(device, build, 2), options).probabilities(np.zeros((1, 0)))
    np.testing.assert_allclose(p[0], [math.cos(0.3) ** 2, math.sin(0.3) ** 2, 0, 0], atol=1e-12)


def test_sparse_rule_converges_on_many_qubits():
    device = load_snapshot("ibm_fez")
    compiled = AerBackend(device).compile(decoder())
    angles = free_rows(compiled, 3)
    options = NoiseOptions(t2_star_s=2e-6)
    levels = [
        NoisyProgram(compiled, options, detuning_level=k).probabilities(angles) for k in range(4)
    ]
    steps = [np.abs(b - a).max() for a, b in itertools.pairwise(levels)]
    assert steps[0] > 1e-3
    assert steps[1] < steps[0] / 5
    assert steps[2] < steps[1] / 5


def test_what_cannot_be_simulated_is_refused():
    device = line_device(2)
    options = NoiseOptions(t2_star_s=1e-5)
    compiled = random_template(np.random.default_rng(0), device)
    with pytest.raises(ValueError, match="must have no detuning for Aer"):
        AerBackend(device, noise=options).probabilities(compiled, np.zeros((1, 4)))
    with pytest.raises(BackendError, match="Argument `angles` must have shape"):
        NoisyProgram(compiled).probabilities(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="must have double precision"):
        NoisyProgram(compiled, device="mps")
    three = static_template(line_device(3), lambda c: c.ccx(0, 1, 2), 3)
    with pytest.raises(ValueError, match="one or two qubits, but ccx acts on 3"):
        NoisyProgram(three)
    for bad in ({"t2_star_s": 0.0}, {"zz_rad": math.nan}, {"detuning": -1}):
        with pytest.raises(ValueError, match=f"Argument `{next(iter(bad))}` must be"):
            NoiseOptions(**bad)


def test_registry_knows_the_engine():
    backend = get_backend("engine:ibm_fez")
    assert isinstance(backend, EngineBackend)
    assert backend.name == "engine:ibm_fez"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_gpu_gives_the_same():
    engine = EngineBackend(load_snapshot("ibm_fez"))
    compiled = engine.compile(decoder())
    angles = free_rows(compiled, 40)
    on_gpu = NoisyProgram(compiled, device="cuda").probabilities(angles)
    expected = engine.probabilities(compiled, angles)
    np.testing.assert_allclose(on_gpu, expected, rtol=0, atol=1e-12)

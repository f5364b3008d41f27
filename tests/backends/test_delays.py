"""Delays that a circuit asks for are kept in place by everything that compiles or rewrites."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Duration, Parameter
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, RelaxationNoisePass

from backends.aer import AerBackend
from backends.base import Backend, BackendError, CircuitBatch, CompiledTemplate
from backends.braket.compile import compile_for
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.native.compile import compile_native, compile_template
from backends.native.rows import device_part, native_rows, simulated
from backends.native.schedule import schedule_alap
from backends.stored import pack, unpack
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.base import Context
from qhw.mitigation.bases import in_basis, with_free_basis
from qhw.mitigation.dd import decoupled
from qhw.mitigation.twirl import PauliTwirl
from qhw.mitigation.zne import folded
from tests.backends.delay_channels import UNITS, distribution, random_circuit, reference
from tests.backends.native_devices import VENDORS, device
from tests.calibration.factory import line_device

RING = ((0, 1), (1, 2), (2, 3), (0, 3))
SIMULATED = ("ibm_cz", "ibm_fractional", "ibm_ecr", "ibm_cx", "ionq", "rigetti", "iqm", "aqt")
NOTHING = np.empty((1, 0))
QUIET = NoiseOptions(gates=0.0, readout=0.0)


def with_clock(vendor: str, clock: bool) -> DeviceSnapshot:
    return device(vendor, RING, 4).model_copy(update={"dt_s": 1e-9 if clock else None})


@given(
    vendor=st.sampled_from(sorted(VENDORS)),
    seed=st.integers(0, 2**32),
    n=st.integers(1, 3),
    level=st.integers(0, 3),
    clock=st.booleans(),
)
@settings(max_examples=10, deadline=None)
def test_the_compiler_keeps_every_delay(
    vendor: str, seed: int, n: int, level: int, clock: bool
) -> None:
    part = with_clock(vendor, clock)
    circuit = random_circuit(np.random.default_rng(seed), n, 1e-9, UNITS if clock else UNITS[1:])
    wanted = reference(circuit, part.dt_s)
    native = compile_native(circuit, part, level=level, fractional=vendor == "ibm_fractional")
    assert np.allclose(distribution(native.circuit, part.dt_s), wanted, atol=1e-8)
    (row,) = native_rows(compile_template(circuit, part), NOTHING)
    assert np.allclose(distribution(row, part.dt_s), wanted, atol=1e-8)


@given(
    vendor=st.sampled_from(SIMULATED),
    seed=st.integers(0, 2**32),
    scheduled=st.booleans(),
    clock=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_simulated_circuits_and_their_variants_keep_every_delay(
    vendor: str, seed: int, scheduled: bool, clock: bool
) -> None:
    part = with_clock(vendor, clock)
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, 3, 1e-9, UNITS if clock else UNITS[1:])
    wanted = reference(circuit, part.dt_s)
    backend = AerBackend(part, scheduled=scheduled, fractional=vendor == "ibm_fractional")
    compiled = backend.compile(circuit)
    (again,) = unpack(*pack(compiled), part)
    found = [compiled, again, in_basis(backend.compile(with_free_basis(circuit)), "ZZZ")]
    if gates := compiled.two_qubit_gates:
        found.append(folded(compiled, np.ones(gates, dtype=np.int64)))
        batch = CircuitBatch("x", compiled, NOTHING, 100)
        context = Context(backend, 0, 1, None, None)
        found += [b.compiled for b in PauliTwirl(2).build(batch, context).batches]
    for kept in found:
        ((_, one, _),) = simulated(kept, NOTHING, scheduled=scheduled)
        assert np.allclose(distribution(one.circuit, part.dt_s), wanted, atol=1e-8)
        asked = sum(item.operation.name == "delay" for item in circuit.data)
        own = [i for i in one.circuit.get_instructions("delay") if i.operation.unit != "s"]
        assert len(own) == asked
        small = device_part(one)
        assert small is not None
        schedule = schedule_alap(one.circuit, small)
        assert schedule.duration_s == pytest.approx(one.duration_s, abs=1e-12)
        if scheduled:  # no wait is missing, and none is there twice
            assert len(schedule.circuit.data) == len(one.circuit.data)


def t1_circuit(seconds: float) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(seconds, 0, unit="s")
    circuit.measure(0, 0)
    return circuit


def fringe(seconds: float, echo: bool = False) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.delay(seconds * 5e5, 0, unit="us")
    if echo:
        circuit.x(0)
    circuit.delay(seconds * 5e8, 0, unit="ns")
    circuit.h(0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("maker", [AerBackend, EngineBackend])
@pytest.mark.parametrize("seconds", [0.0, 20e-6, 150e-6])
def test_closed_forms(maker: type[AerBackend], seconds: float) -> None:
    """Relaxation, readout errors on top, a Ramsey fringe and an echo without slow detuning."""
    snapshot = line_device(1, dt_s=4e-9)
    qubit = snapshot.qubits[0]
    assert qubit.t1_s and qubit.t2_s and qubit.p01 is not None and qubit.p10 is not None
    excited = math.exp(-seconds / qubit.t1_s)

    def ones(circuit: QuantumCircuit, noise: NoiseOptions) -> float:
        backend = maker(snapshot, noise=noise)
        return float(backend.probabilities(backend.compile(circuit), NOTHING)[0, 1])

    assert ones(t1_circuit(seconds), QUIET) == pytest.approx(excited, abs=1e-9)
    misread = NoiseOptions(gates=0.0)
    p10, p01 = qubit.p10, qubit.p01
    flips = {round(excited * (1 - a) + (1 - excited) * b, 9) for a, b in ((p10, p01), (p01, p10))}
    assert min(abs(ones(t1_circuit(seconds), misread) - f) for f in flips) < 1e-8
    decayed = (1 - math.exp(-seconds / qubit.t2_s)) / 2
    assert ones(fringe(seconds), QUIET) == pytest.approx(decayed, abs=1e-9)
    assert ones(fringe(seconds, echo=True), QUIET) == pytest.approx(decayed, abs=1e-9)


def test_a_ramsey_fringe_decays_by_slow_detuning_and_an_echo_does_not() -> None:
    snapshot = line_device(1, dt_s=4e-9)
    t2, t2_star, seconds = snapshot.qubits[0].t2_s, 30e-6, 10e-6
    assert t2
    noise = NoiseOptions(gates=0.0, readout=0.0, t2_star_s=t2_star)
    backend = EngineBackend(snapshot, noise=noise, detuning_level=6)
    slow = math.exp(-((seconds / t2_star) ** 2))
    for echo, factor in ((False, slow), (True, 1.0)):
        found = backend.probabilities(backend.compile(fringe(seconds, echo=echo)), NOTHING)[0, 1]
        # gates last 40 ns, in which offsets turn the qubit as well
        assert found == pytest.approx((1 - math.exp(-seconds / t2) * factor) / 2, abs=2e-3)


def test_agrees_with_aers_own_relaxation() -> None:
    """Qiskit Aer's pass is another implementation of what a delay does."""
    snapshot = line_device(3)
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.delay(7, 0, unit="us")
    circuit.cx(0, 1)
    circuit.delay(expr.mul(3.0, Duration.us(5.0)), 1)
    circuit.cx(1, 2)
    circuit.delay(4000, 2, unit="dt")
    circuit.h(range(3))
    circuit.measure(range(3), [1, 2, 0])
    backend = AerBackend(snapshot, noise=QUIET)
    compiled = backend.compile(circuit)
    part = device_part(compiled)
    assert part is not None
    model = NoiseModel()
    t1s, t2s = ([getattr(q, name) for q in part.qubits] for name in ("t1_s", "t2_s"))
    model._custom_noise_passes.append(RelaxationNoisePass(t1s, t2s, part.dt_s, op_types=[Delay]))
    plain = compiled.circuit.copy_empty_like()
    for item in compiled.circuit.data:  # Aer's pass reads seconds and clock periods
        plain.append(item)
    result = AerSimulator(method="density_matrix", noise_model=model, seed_simulator=3)
    counts = result.run(plain, shots=200_000).result().get_counts()
    shots = np.array([counts.get(f"{i:03b}", 0) for i in range(8)]) / 200_000
    assert np.abs(shots - backend.probabilities(compiled, NOTHING)[0]).max() < 5e-3


def test_a_delay_of_another_qubit_is_waited_for() -> None:
    snapshot = line_device(2, dt_s=4e-9)
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.barrier()
    circuit.delay(50, 1, unit="us")
    circuit.barrier()
    circuit.measure(0, 0)
    backend = AerBackend(snapshot, noise=QUIET)
    compiled = backend.compile(circuit)
    place = compiled.physical_qubits[
        compiled.circuit.find_bit(compiled.circuit.get_instructions("measure")[0].qubits[0]).index
    ]
    t1 = snapshot.qubits[place].t1_s
    assert t1
    assert compiled.duration_s == pytest.approx(50e-6, rel=1e-2)
    found = backend.probabilities(compiled, NOTHING)[0, 1]
    assert found == pytest.approx(math.exp(-50e-6 / t1), abs=1e-9)


def test_a_delay_before_the_first_gate_costs_time_and_nothing_else() -> None:
    snapshot = line_device(1, dt_s=4e-9)
    late, soon = QuantumCircuit(1, 1), QuantumCircuit(1, 1)
    late.delay(100, 0, unit="us")
    for circuit in (late, soon):
        circuit.x(0)
        circuit.measure(0, 0)
    backend = AerBackend(snapshot)
    after, now = backend.compile(late), backend.compile(soon)
    assert after.duration_s == pytest.approx(now.duration_s + 1e-4)
    assert after.predicted_success == pytest.approx(now.predicted_success, abs=1e-12)
    a, b = (backend.probabilities(one, NOTHING) for one in (after, now))
    assert np.allclose(a, b, atol=1e-12)
    assert (after.depth, after.two_qubit_gates) == (now.depth, now.two_qubit_gates)


def test_pulses_of_decoupling_stay_out_of_delays_that_are_asked_for() -> None:
    snapshot = with_clock("ibm_cz", True)
    circuit = QuantumCircuit(3, 3)
    circuit.h(range(3))
    circuit.cx(0, 1)
    circuit.delay(30, 0, unit="us")
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure(range(3), range(3))
    compiled = AerBackend(snapshot).compile(circuit)
    padded = decoupled(compiled, "xx", "aer:test_line")
    (own,) = [i for i in padded.circuit.get_instructions("delay") if i.operation.duration == 30_000]
    assert own.operation.unit == "dt"
    pulses = padded.circuit.size() - padded.circuit.count_ops()["delay"]
    assert pulses > compiled.circuit.size() - compiled.circuit.count_ops()["delay"]


def delayed(*delays: tuple[object, str | None]) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    for length, unit in delays:
        circuit.append(Delay(length, unit), [0])
    circuit.measure(0, 0)
    return circuit


def stretched() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.delay(circuit.add_stretch("s"), 0)
    circuit.measure(0, 0)
    return circuit


BACKENDS = (
    ExactBackend().compile,
    AerBackend(line_device(2)).compile,
    lambda circuit: compile_template(circuit, line_device(2)),
    lambda circuit: compile_for(circuit, None),
)


@pytest.mark.parametrize("compiler", BACKENDS)
@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (delayed((Parameter("t"), "us")), "free parameter t"),
        (stretched(), "holds a stretch"),
        (delayed((float("nan"), "s")), "from 0 to 3600 s"),
        (delayed((float("inf"), "s")), "from 0 to 3600 s"),
        (delayed((1e9, "s")), "from 0 to 3600 s"),
        (delayed((expr.sub(Duration.ns(1.0), Duration.us(1.0)), None)), "from 0 to 3600 s"),
        (delayed((expr.div(Duration.ns(1.0), 0.0), None)), "from 0 to 3600 s"),
    ],
)
def test_delays_without_a_length_are_one_line(
    compiler: object, circuit: QuantumCircuit, words: str
) -> None:
    with pytest.raises(BackendError, match=words) as caught:
        compiler(circuit)  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_clock_periods_need_a_clock() -> None:
    circuit = delayed((1000, "dt"))
    for compiler in (AerBackend(line_device(2, dt_s=None)).compile, compile_with(None)):
        with pytest.raises(BackendError, match="test_line, which names no clock period"):
            compiler(circuit)
    for compiler in (
        AerBackend(line_device(2)).compile,
        ExactBackend().compile,
        compile_with(1e-9),
    ):
        compiler(circuit)


def compile_with(dt_s: float | None):  # type: ignore[no-untyped-def]
    return lambda circuit: compile_native(circuit, line_device(2, dt_s=dt_s))


def test_every_unit_and_expressions_give_the_same_circuit() -> None:
    clock = AerBackend(line_device(1, dt_s=4e-9))
    microsecond = [
        (250, "dt"),
        (1e6, "ps"),
        (1000.0, "ns"),
        (1.0, "us"),
        (1e-3, "ms"),
        (1e-6, "s"),
        (expr.lift(Duration.dt(250)), None),
        (expr.add(Duration.ns(600.0), Duration.dt(100)), None),
        (expr.mul(2.0, Duration.ns(500.0)), None),
    ]
    for delay in microsecond:
        compiled = clock.compile(delayed(delay))
        (found,) = compiled.circuit.get_instructions("delay")
        assert (found.operation.duration, found.operation.unit) == (250, "dt")


def test_delays_inside_of_composite_instructions_count() -> None:
    block = QuantumCircuit(1, name="block")
    block.x(0)
    block.delay(50, 0, unit="us")
    outer = QuantumCircuit(1, name="outer")
    outer.append(block.to_instruction(), [0])
    circuit = QuantumCircuit(1, 1)
    circuit.append(outer.to_instruction(), [0])
    circuit.measure(0, 0)
    compiled = AerBackend(line_device(1)).compile(circuit)
    assert compiled.duration_s > 50e-6


def ideal(compiled: CompiledTemplate, backend: Backend) -> float:
    assert isinstance(backend, ExactBackend)
    return float(backend.probabilities(compiled, NOTHING)[0, 1])


def test_on_an_ideal_device_a_delay_does_nothing() -> None:
    exact = ExactBackend()
    assert ideal(exact.compile(t1_circuit(1e-3)), exact) == pytest.approx(1.0)
    assert ideal(exact.compile(fringe(1e-3)), exact) == pytest.approx(0.0, abs=1e-12)
    assert not compile_for(t1_circuit(1e-3), None).circuit.get_instructions("delay")


def test_braket_devices_refuse_delays_in_one_line() -> None:
    with pytest.raises(BackendError, match=r"no delays on test_line, .* cannot wait, but has some"):
        compile_for(t1_circuit(1e-6), line_device(2))

"""Circuits as people write them: the same outcomes as written, or one line that says why not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import DensityMatrix, Statevector

from backends.base import BackendError
from backends.exact import ExactBackend
from backends.native.compile import compile_native
from backends.plain import on_qubits, plain, plain_measured, qubits_to_measure
from calibration.catalog import load_snapshot
from qhw.mitigation.bases import as_measured


def state_of(circuit: QuantumCircuit) -> Statevector:
    return Statevector(circuit.remove_final_measurements(inplace=False))


def starts() -> dict[str, tuple[QuantumCircuit, list[complex]]]:
    """Circuits that begin with a reset, and their amplitudes, qubit 0 least significant."""
    half = math.sqrt(0.5)
    bell = [half, 0, 0, half]
    after_barrier = QuantumCircuit(2)
    after_barrier.barrier()
    after_barrier.reset([0, 1])
    after_barrier.h(0)
    after_barrier.cx(0, 1)
    in_box = QuantumCircuit(2)
    with in_box.box():
        in_box.reset(0)
        with in_box.box():
            in_box.reset(1)
            in_box.h(0)
        in_box.cx(0, 1)
    by_vector = QuantumCircuit(2)
    by_vector.initialize(bell, [0, 1])
    by_label = QuantumCircuit(2)
    by_label.initialize("+1", [0, 1])
    by_number = QuantumCircuit(2)
    by_number.initialize(2, [0, 1])
    on_a_part = QuantumCircuit(2)
    on_a_part.h(0)
    on_a_part.initialize([0.6, 0.8j], 1)
    body = QuantumCircuit(2, name="start")
    body.reset([0, 1])
    body.x(1)
    folded = QuantumCircuit(2)
    folded.append(body.to_instruction(), [1, 0])
    late = QuantumCircuit(2)
    late.x(0)
    late.reset(1)
    late.cx(0, 1)
    gate = Gate("fresh", 1, [])
    gate.definition = QuantumCircuit(1)
    gate.definition.reset(0)
    gate.definition.x(0)
    in_a_gate = QuantumCircuit(2)
    in_a_gate.append(gate, [1])
    return {
        "reset after a barrier": (after_barrier, bell),
        "reset in a box": (in_box, bell),
        "vector": (by_vector, bell),
        "label": (by_label, [0, half, 0, half]),
        "number": (by_number, [0, 0, 1, 0]),
        "a part": (on_a_part, [0.6 * half, 0.6 * half, 0.8j * half, 0.8j * half]),
        "instruction": (folded, [0, 1, 0, 0]),
        "reset of another qubit": (late, [0, 0, 0, 1]),
        "gate": (in_a_gate, [0, 0, 1, 0]),
    }


@pytest.mark.parametrize("name", starts())
def test_starts_are_state_preparations(name: str) -> None:
    circuit, amplitudes = starts()[name]
    found = plain(circuit)
    assert not {"reset", "initialize", "box"} & found.count_ops().keys()
    assert state_of(found).equiv(Statevector(np.array(amplitudes, dtype=complex)))
    measured = as_measured(circuit)
    exact = ExactBackend()
    p = exact.probabilities(exact.compile(measured), np.empty((1, 0)))
    np.testing.assert_allclose(p[0], np.abs(amplitudes) ** 2, atol=1e-12)
    native = compile_native(measured, load_snapshot("ibm_lima"))
    np.testing.assert_allclose(
        state_of(native.circuit).probabilities(list(native.end)), np.abs(amplitudes) ** 2, atol=1e-9
    )


def refused() -> dict[str, tuple[QuantumCircuit, str]]:
    middle = QuantumCircuit(3)
    middle.h(2)
    middle.reset(2)
    again = QuantumCircuit(2)
    again.x(1)
    again.initialize([0, 1], 1)
    boxed = QuantumCircuit(2)
    boxed.h(1)
    with boxed.box():
        boxed.reset(1)
    read_out = QuantumCircuit(1, 1)
    read_out.measure(0, 0)
    read_out.reset(0)
    loop = QuantumCircuit(2)
    with loop.for_loop(range(10**12)):
        loop.h(1)
    infinite = QuantumCircuit(2)
    infinite.h(0)
    infinite.ry(math.inf, 1)
    nan = QuantumCircuit(2)
    nan.cp(math.nan, 1, 0)
    inner = QuantumCircuit(1, name="mine")
    inner.rz(-math.inf, 0)
    folded = QuantumCircuit(2)
    folded.append(inner.to_gate(), [1])
    in_box = QuantumCircuit(2)
    with in_box.box():
        in_box.rx(math.inf, 1)
    whole = QuantumCircuit(1)
    whole.rx(10**400, 0)
    phase = QuantumCircuit(1, global_phase=math.nan)
    phase.x(0)
    return {
        "reset": (middle, "instruction 1 resets qubit 2"),
        "initialize": (again, "instruction 1 resets qubit 1"),
        "reset in a box": (boxed, "instruction 1 resets qubit 1"),
        "reset of a measured qubit": (read_out, "instruction 1 resets qubit 0"),
        "loop": (
            loop,
            "instruction 0 is for_loop on qubit 1|at most 1000000 operations",
        ),
        "infinity": (infinite, "instruction 1, ry on qubit 1, has inf"),
        "nan": (nan, "instruction 0, cp on qubits 1, 0, has nan"),
        "definition": (folded, "instruction 0, rz on qubit 1, has -inf"),
        "box": (in_box, "instruction 0, rx on qubit 1, has inf"),
        "whole number": (whole, "instruction 0, rx on qubit 0, has 1000"),
        "phase": (phase, "global phase is nan"),
    }


DYNAMIC = ("reset", "initialize", "reset in a box", "reset of a measured qubit")
"""What exact and devices that run dynamic circuits take."""


@pytest.mark.parametrize("name", refused())
@pytest.mark.parametrize("where", ["exact", "native", "measured"])
def test_what_is_no_sequence_of_gates_is_one_line(name: str, where: str) -> None:
    circuit, said = refused()[name]
    if not circuit.num_clbits:
        circuit.measure_all()
    ways = {
        "exact": ExactBackend().compile,
        "native": lambda c: compile_native(c, load_snapshot("ibm_lima")),
        "measured": as_measured,
    }
    if where != "measured" and name in DYNAMIC:
        ways[where](circuit)
        return
    with pytest.raises(BackendError, match=said) as caught:
        ways[where](circuit)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_angles_that_are_large_but_finite_and_free_ones_stay() -> None:
    circuit = QuantumCircuit(2, global_phase=1e200)
    circuit.rx(1e300, 0)
    circuit.ry(Parameter("a"), 1)
    circuit.append(UnitaryGate(np.eye(2)), [0])
    assert plain(circuit) == circuit


def test_bits_that_nothing_writes_are_left_out() -> None:
    circuit = QuantumCircuit(QuantumRegister(3, "c"), ClassicalRegister(5, "d"))
    circuit.x(2)
    circuit.measure([2, 0], [3, 1])
    found = plain_measured(circuit)
    assert [(r.name, r.size) for r in found.cregs] == [("c1", 2)]
    exact = ExactBackend()
    p = exact.probabilities(exact.compile(circuit), np.empty((1, 0)))
    np.testing.assert_allclose(p, [[0, 0, 1, 0]], atol=1e-12)  # bit 3 is the higher one: 1
    unread = QuantumCircuit(QuantumRegister(2, "c"), ClassicalRegister(3, "d"))
    assert [item.operation.name for item in as_measured(unread).data] == ["measure"] * 2


def test_idle_qubits_matter_only_where_all_are_measured() -> None:
    wide = QuantumCircuit(156, 2)
    wide.h(7)
    wide.cx(7, 90)
    wide.barrier()
    bare = wide.copy()
    wide.measure([7, 90], [0, 1])
    for circuit in (wide, bare):
        assert qubits_to_measure(plain(circuit), placed=False) == (7, 90)
    small = on_qubits(plain(wide), (7, 90))
    assert (small.num_qubits, small.num_clbits, small.num_nonlocal_gates()) == (2, 2, 1)
    few = QuantumCircuit(3)
    few.h(1)
    assert qubits_to_measure(few, placed=False) == (0, 1, 2)
    assert qubits_to_measure(few, placed=True) == (1,)
    assert qubits_to_measure(QuantumCircuit(30), placed=True) == tuple(range(30))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["h", "t", "cx", "reset", "start", "box", "barrier", "measure"]),
        st.permutations([0, 1, 2]),
    ),
    max_size=9,
)


def built(steps: list[tuple[str, list[int]]]) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    for name, (a, b, _) in steps:
        if name == "start":
            circuit.initialize([0.6, 0.8], a)
        elif name == "box":
            with circuit.box():
                circuit.reset(a)
                circuit.ry(0.3, a)
                circuit.cx(a, b)
        elif name == "barrier":
            circuit.barrier()
        elif name == "measure":
            circuit.measure(a, a)
        else:
            getattr(circuit, name)(*(a, b)[: 2 if name == "cx" else 1])
    return circuit


def distribution(circuit: QuantumCircuit) -> np.ndarray:
    """Outcomes of the measured bits by Qiskit's own density matrix, which knows how to reset."""
    state = DensityMatrix.from_label("000")
    wrote: dict[int, int] = {}
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if item.operation.name == "measure":
            wrote[circuit.find_bit(item.clbits[0]).index] = qubits[0]
        elif item.operation.name == "box":
            state = state.evolve(item.operation.blocks[0], qubits)
        elif item.operation.name != "barrier":
            state = state.evolve(item.operation, qubits)
    return np.asarray(state.probabilities([wrote[bit] for bit in sorted(wrote)] or [0, 1, 2]))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_mixture_gives_what_it_says_or_one_line(steps: list[tuple[str, list[int]]]) -> None:
    circuit = built(steps)
    exact = ExactBackend()
    try:
        measured = as_measured(circuit)
    except BackendError as error:
        assert "\n" not in str(error)
        return
    p = exact.probabilities(exact.compile(measured), np.empty((1, 0)))
    np.testing.assert_allclose(p[0], distribution(circuit), atol=1e-9)

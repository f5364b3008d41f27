"""Expectation values against Qiskit's own, whatever the basis, the device and the wires."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector

from backends.base import Backend, BackendError
from backends.braket.backend import BraketBackend
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.native.compile import compile_template
from backends.native.rows import native_rows
from backends.rewrite import fixed
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.base import MitigationError
from qhw.mitigation.bases import in_basis, with_free_basis
from qhw.mitigation.expectation import (
    ExpectationProgram,
    build_expectation,
    estimate_observables,
)
from qhw.mitigation.observables import Observable, group_terms, parity

ANGLES = np.array([[0.9, -0.4], [2.1, 1.3], [-1.2, 0.2]])
ENERGY = SparsePauliOp.from_list(
    [("XXII", 1.0), ("IYYI", 0.5), ("IIZZ", 0.7), ("XYZI", -0.3), ("ZIIX", 0.4), ("IIII", 2.0)]
)
FIELD = SparsePauliOp.from_list([("ZIII", 0.6), ("IXII", -0.8)])


def chain() -> QuantumCircuit:
    """Four qubits, complex amplitudes, no two wires alike, gates last that z cannot see."""
    circuit = QuantumCircuit(4)
    for w in range(4):
        circuit.ry(Parameter(f"d[{w}]") if w < 2 else 0.4 + 0.3 * w, w)
    for layer in range(2):
        for w in range(3):
            circuit.cz(w, w + 1)
        for w in range(4):
            circuit.ry(0.7 - 0.2 * w + 0.1 * layer, w)
            circuit.rz(0.3 * w, w)
    circuit.cz(0, 1)
    circuit.cz(2, 3)
    return circuit


def exact(*operators: SparsePauliOp) -> np.ndarray:
    states = [Statevector(chain().assign_parameters(row.tolist())) for row in ANGLES]
    return np.array([[s.expectation_value(o).real for o in operators] for s in states])


def noiseless_values(program: ExpectationProgram) -> np.ndarray:
    constant = [o.constant for o in program.observables]
    return constant + sum(
        measured_probabilities(p.compiled, ANGLES) @ g.features.T
        for p, g in zip(program.programs, program.groups, strict=True)
    )


@pytest.mark.parametrize(
    "device", ["exact", "ibm_fez", "ibm_sherbrooke", "iqm_garnet", "ionq_forte_enterprise"]
)
def test_every_basis_keeps_place_and_gates_and_drops_nothing(device: str) -> None:
    backend: Backend = ExactBackend() if device == "exact" else EngineBackend(load_snapshot(device))
    program = build_expectation(backend, chain(), ANGLES, [ENERGY, FIELD], shots=900, seed=0)
    assert np.allclose(noiseless_values(program), exact(ENERGY, FIELD), atol=1e-9)
    compiled = [p.compiled for p in program.programs]
    assert len({c.physical_qubits for c in compiled}) == 1
    assert len({c.two_qubit_gates for c in compiled}) == 1
    assert compiled[0].parameter_names == ("d[0]", "d[1]")
    # the two gates before the measurements are still there
    assert compiled[0].two_qubit_gates >= 8
    assert program.total_shots == 900 * len(ANGLES)


def test_canonical_templates_of_real_devices_turn_too() -> None:
    snapshot = load_snapshot("iqm_garnet")
    compiled = in_basis(compile_template(with_free_basis(chain()), snapshot), "XYZX")
    p = measured_probabilities(compiled, ANGLES)
    for row, native in enumerate(native_rows(compiled, ANGLES)):
        bound = compiled.circuit.assign_parameters({})
        assert bound.num_clbits == native.num_clbits
        state = Statevector(native.remove_final_measurements(inplace=False))
        order = [native.find_bit(i.qubits[0]).index for i in native.get_instructions("measure")]
        assert np.allclose(state.probabilities(order), p[row], atol=1e-9)
    for string in ("XYZX", "IYII", "XIIX"):
        assert np.allclose(p @ parity(string), exact(SparsePauliOp(string))[:, 0])


def test_rotations_merge_into_the_gates_before_them() -> None:
    backend = EngineBackend(load_snapshot("ibm_fez"))
    turned = backend.compile(with_free_basis(chain()))
    z, x = in_basis(turned, "ZZZZ"), in_basis(turned, "XXXX")
    assert z.circuit.count_ops()["sx"] < turned.circuit.count_ops()["sx"]
    assert x.circuit.count_ops()["sx"] <= z.circuit.count_ops()["sx"] + 8
    assert z.duration_s < turned.duration_s


letters = st.sampled_from("IXYZ")


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.tuples(*[letters] * 3).map("".join), st.floats(-2, 2).filter(bool)),
        min_size=1,
        max_size=8,
        unique_by=lambda term: term[0],
    ),
    st.integers(0, 10_000),
)
def test_groups_give_the_operator_of_any_state(terms: list[tuple[str, float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for _ in range(2):
        for q in range(3):
            circuit.u(*rng.uniform(-3, 3, 3), q)
        circuit.cx(0, 2)
        circuit.cz(2, 1)
    operator = SparsePauliOp.from_list(terms)
    backend = ExactBackend()
    observable = Observable.of(operator)
    compiled = backend.compile(with_free_basis(circuit))
    total = observable.constant
    for group in group_terms([observable]):
        p = measured_probabilities(in_basis(compiled, group.basis), np.empty((1, 0)))
        total += float((p @ group.features.T)[0, 0])
        for string in group.strings:
            assert all(s in ("I", b) for s, b in zip(string, group.basis, strict=True))
    assert total == pytest.approx(Statevector(circuit).expectation_value(operator).real, abs=1e-9)


def test_wires_are_counted_from_the_left() -> None:
    one = QuantumCircuit(3)
    one.x(2)  # wire 0 of three
    for observable in ("ZII", {"ZII": 1.0}, SparsePauliOp("ZII"), Observable((("ZII", 1.0),))):
        found = estimate_observables(
            ExactBackend(), one, np.empty((1, 0)), observable, shots=5, seed=0
        )
        assert found.values.tolist() == [[-1.0]]
    op = SparsePauliOp.from_sparse_list([("X", [0], 2.0), ("Y", [2], 3.0)], num_qubits=3)
    assert Observable.of(op).terms == (("IIX", 2.0), ("YII", 3.0))
    # only two bits measured, crossed: bit 1 is wire 0
    crossed = QuantumCircuit(3, 2)
    crossed.x(2)
    crossed.h(1)
    crossed.measure(2, 0)
    crossed.measure(1, 1)
    found = estimate_observables(
        ExactBackend(), crossed, np.empty((1, 0)), ["XZ", "IZ"], shots=50, seed=0
    )
    assert found.values.tolist() == [[-1.0, -1.0]]


def test_shots_follow_the_noise_of_a_group() -> None:
    heisenberg = {s: 1.0 for p in "XYZ" for s in (f"{p}{p}II", f"I{p}{p}I", f"II{p}{p}")}
    groups = group_terms([Observable.of(heisenberg)])
    assert sorted(g.basis for g in groups) == ["XXXX", "YYYY", "ZZZZ"]
    assert [g.spread for g in groups] == pytest.approx([np.sqrt(3)] * 3)
    program = build_expectation(
        ExactBackend(), chain(), ANGLES, {"XIII": 3.0, "ZIII": 1.0}, shots=4000, seed=0
    )
    assert [b.shots for b in program.batches] == [3000, 1000]
    assert [p.programs[0].total_shots for p in (program,)] == [9000]


def test_one_calibration_serves_all_groups() -> None:
    backend = EngineBackend(
        load_snapshot("ibm_fez"), noise=NoiseOptions(gates=0, idle=0, depolarising=0)
    )
    pipeline = "readout(share=0.2)"
    program = build_expectation(
        backend, chain(), ANGLES, ENERGY, pipeline=pipeline, shots=400_000, seed=0
    )
    labels = [b.label for b in program.batches]
    assert sum("calibration" in label for label in labels) == 1
    assert 0.99 * 400_000 * 3 < program.total_shots <= 400_000 * 3
    found = estimate_observables(
        backend, chain(), ANGLES, ENERGY, pipeline=pipeline, shots=400_000, seed=0
    )
    raw = estimate_observables(backend, chain(), ANGLES, ENERGY, shots=400_000, seed=0)
    assert (np.abs(found.values - exact(ENERGY)) < 4 * found.standard_error).all()
    assert (np.abs(raw.values - exact(ENERGY)) > 5 * raw.standard_error).any()
    assert {g.mitigated.calibration for g in found.groups} != {None}
    assert found.vendor is None and found.pipeline == pipeline


def test_error_bars_hold_without_noise() -> None:
    backend, inside = ExactBackend(), []
    compiled_exact = exact(ENERGY, FIELD)
    program = build_expectation(
        backend, chain(), ANGLES, [ENERGY, FIELD], pipeline="readout+zne(1,3)", shots=2000, seed=0
    )
    p = {b.label: backend.probabilities(b.compiled, b.angles) for b in program.batches}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        counts = {b.label: rng.multinomial(b.shots, p[b.label]) for b in program.batches}
        found = program.combine(counts)
        inside.append(np.abs(found.values - compiled_exact) < 1.96 * found.standard_error)
    assert 0.93 < np.mean(inside) < 0.97


def test_error_bars_hold_near_eigenstates_of_many_wires() -> None:
    backend, inside, m = ExactBackend(), [], 8
    circuit = QuantumCircuit(m)
    circuit.ry(0.2, range(m))
    observables = ["ZZ" + "I" * (m - 2), {"Z" * m: 1.0, "I" * (m - 1) + "Z": -2.0}]
    truth = np.array([np.cos(0.2) ** 2, np.cos(0.2) ** m - 2 * np.cos(0.2)])
    program = build_expectation(
        backend, circuit, np.empty((1, 0)), observables, pipeline="readout", shots=1000, seed=0
    )
    (batch,) = program.batches
    p = backend.probabilities(batch.compiled, batch.angles)
    for seed in range(200):
        counts = np.random.default_rng(seed).multinomial(batch.shots, p)
        found = program.combine({batch.label: counts})
        inside.append(np.abs(found.values[0] - truth) < 1.96 * found.standard_error[0])
    assert 0.91 < np.mean(inside) < 0.98


def test_identity_costs_no_shot() -> None:
    found = estimate_observables(
        ExactBackend(), chain(), ANGLES, [{"IIII": 1.5}], pipeline="zne(1,3)", shots=10, seed=0
    )
    assert found.values.tolist() == [[1.5]] * 3 and found.total_shots == 0
    assert found.standard_error.tolist() == [[0.0]] * 3
    both = estimate_observables(
        ExactBackend(), chain(), ANGLES, [{"IIII": 1.5}, "ZIII"], shots=10, seed=0
    )
    assert both.values[:, 0].tolist() == [1.5] * 3 and (both.standard_error[:, 0] == 0).all()


def test_the_same_seed_gives_the_same() -> None:
    backend = EngineBackend(load_snapshot("ibm_fez"))
    a, b, c = (
        estimate_observables(
            backend, chain(), ANGLES, ENERGY, pipeline="twirl(2)+readout", shots=800, seed=seed
        )
        for seed in (3, 3, 4)
    )
    assert np.array_equal(a.values, b.values) and not np.array_equal(a.values, c.values)


def test_the_vendor_s_own_mitigation_of_counts_is_named() -> None:
    class Debiased(ExactBackend):
        vendor_mitigation = "IonQ debiasing"

    assert BraketBackend("ionq_forte_enterprise", debias=True).vendor_mitigation == (
        "IonQ debiasing"
    )
    assert BraketBackend("ionq_forte_enterprise").vendor_mitigation is None
    found, plain = (
        estimate_observables(b, chain(), ANGLES, ENERGY, shots=100, seed=0)
        for b in (Debiased(), ExactBackend())
    )
    assert found.vendor == "IonQ debiasing" and plain.vendor is None


@pytest.mark.parametrize(
    ("observables", "said"),
    [
        (SparsePauliOp(["XXII"], [1j]), "Hermitian"),
        (SparsePauliOp("XXX"), "4 measured wires"),
        (SparsePauliOp(["XXII"], [0.0]), "none"),
        (SparsePauliOp(["XXII"], [Parameter("a")]), "numbers"),
        ({"XXII": float("nan")}, "finite"),
        ({"XXQI": 1.0}, "I, X, Y and Z"),
        ({"XXII": 1.0, "X": 1.0}, "one length"),
        ("", "must be like ZZI"),
        ("Z4", "name bits below 4, each once"),
        ("Z0 Z1 X0", "name bits below 4, each once"),
        ("Z0 + XXII", "numbers of bits in all"),
        ([], "at least one"),
        ({}, "none"),
        ([3], "SparsePauliOp"),
    ],
)
def test_bad_observables_are_one_clear_line(observables: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        estimate_observables(
            ExactBackend(),
            chain(),
            ANGLES,
            observables,
            shots=100,
            seed=0,  # type: ignore[arg-type]
        )
    assert "\n" not in str(error.value) and str(error.value).startswith("Argument `observables`")


def test_bad_circuits_angles_and_shots() -> None:
    backend = ExactBackend()
    with pytest.raises(MitigationError, match="at least one"):
        estimate_observables(backend, chain(), ANGLES, ENERGY, shots=2, seed=0)
    with pytest.raises(BackendError, match=r"shape \(B, 2\)"):
        estimate_observables(backend, chain(), ANGLES[:, :1], ENERGY, shots=100, seed=0)
    with pytest.raises(ValueError, match="at least one row"):
        estimate_observables(backend, chain(), np.empty((0, 2)), ENERGY, shots=100, seed=0)
    taken = QuantumCircuit(1)
    taken.rx(Parameter("measurement basis[0]"), 0)
    with pytest.raises(MitigationError, match="named"):
        estimate_observables(backend, taken, [[0.1]], "Z", shots=100, seed=0)
    middle = QuantumCircuit(1, 1)
    middle.measure(0, 0)
    middle.x(0)
    with pytest.raises(BackendError, match="Z and I for a dynamic circuit"):
        estimate_observables(backend, middle, np.empty((1, 0)), "X", shots=100, seed=0)
    with pytest.raises(ValueError, match="name parameters"):
        fixed(backend.compile(with_free_basis(chain())), {"nothing": 0.0})

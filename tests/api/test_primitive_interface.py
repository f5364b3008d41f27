"""What any V2 primitive must do, as Qiskit's own tests of its primitives ask it.

Every check of Qiskit 2's `test_statevector_*` and `test_backend_*_v2` that a given primitive can be
put to, on a device without noise and on one with it. Left out: circuits with classical control or
resets (refused, see `test_primitives.py`), raw pulses, and how many calls a backend gets.
"""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import UnitaryGate, real_amplitudes
from qiskit.primitives import (
    BitArray,
    DataBin,
    PrimitiveResult,
    PubResult,
    SamplerPubResult,
    StatevectorEstimator,
)
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparsePauliOp, Statevector

import qhw

DEVICES = ["exact", "engine:ibm_fez"]
SHOTS = 4000
NOISE = 0.04
"""More than a few gates and a readout on `ibm_fez` move a frequency, and 4,000 shots five times."""


@pytest.fixture(scope="module", params=DEVICES)
def sampler(request: pytest.FixtureRequest) -> qhw.Sampler:
    return qhw.Sampler(request.param, seed=123, default_shots=SHOTS)


@pytest.fixture(scope="module", params=DEVICES)
def estimator(request: pytest.FixtureRequest) -> qhw.Estimator:
    return qhw.Estimator(request.param, seed=12, default_precision=0.02)


def is_near(found: BitArray, known: object) -> None:
    """Frequencies at every place of an array: mappings of outcome and probability."""
    targets = np.array(known, dtype=object)
    assert found.shape == targets.shape
    for place in np.ndindex(found.shape):
        target, counts = targets[place], found.get_int_counts(place)
        shots = sum(counts.values())
        assert shots == found.num_shots
        for outcome in set(target) | set(counts):
            assert abs(counts.get(outcome, 0) / shots - target.get(outcome, 0)) < NOISE


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    return circuit.measure_all(inplace=False)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="Bell")
    circuit.h(0)
    circuit.cx(0, 1)
    return measured(circuit)


TWO, THREE = real_amplitudes(2, reps=2), real_amplitudes(2, reps=3)
HALVES = {0: 0.5, 3: 0.5}


def known(ansatz: QuantumCircuit, angles: object) -> dict[int, float]:
    return dict(enumerate(Statevector(ansatz.assign_parameters(angles)).probabilities()))


@pytest.mark.parametrize(
    ("values", "shape"),
    [(None, ()), ((), ()), ({}, ()), ([()], (1,)), ([(), (), ()], (3,)), ([[[]]], (1, 1))],
)
def test_sampler_result_is_qiskits_containers(
    sampler: qhw.Sampler, values: object, shape: tuple[int, ...]
) -> None:
    job = sampler.run([(bell(), values)])
    result = job.result()
    assert isinstance(result, PrimitiveResult) and isinstance(result.metadata, dict)
    assert len(result) == 1 and job.status() is JobStatus.DONE
    assert isinstance(result[0], SamplerPubResult) and isinstance(result[0], PubResult)
    assert isinstance(result[0].data, DataBin) and isinstance(result[0].data.meas, BitArray)
    assert result[0].data.shape == shape == result[0].data.meas.shape
    is_near(result[0].data.meas, np.full(shape, HALVES))
    assert result[0].join_data() == result[0].data.meas


def test_sampler_gives_each_pub_its_own_circuit_and_values(sampler: qhw.Sampler) -> None:
    asked = [(TWO, [0, 1, 1, 2, 3, 5]), (TWO, [1, 2, 3, 4, 5, 6]), (THREE, list(range(8)))]
    result = sampler.run([(measured(c), x) for c, x in asked])
    for pub, (circuit, angles) in zip(result.result(), asked, strict=True):
        is_near(pub.data.meas, known(circuit, angles))
    flips = [QuantumCircuit(2) for _ in range(4)]
    for number, circuit in enumerate(flips):
        for qubit in range(2):
            if number >> qubit & 1:
                circuit.x(qubit)
        circuit.measure_all()
    for number, pub in enumerate(sampler.run(flips).result()):
        is_near(pub.data.meas, {number: 1.0})


def test_sampler_takes_parameter_values_in_every_form(sampler: qhw.Sampler) -> None:
    x = Parameter("x")
    circuit = QuantumCircuit(1, 1)
    circuit.ry(x, 0)
    circuit.measure(0, 0)
    one = {1: 1.0}
    forms = [
        ([np.pi], one),
        (np.array([np.pi]), one),
        ({"x": np.pi}, one),
        ({x: np.array(np.pi)}, one),
        ({"x": [np.pi]}, one),
        (BindingsArray({x: np.pi}), one),
        ([[np.pi]], [one]),
        (((np.pi,),), [one]),
        ({("x",): [[np.pi], [0.0]]}, [one, {0: 1.0}]),
    ]
    for values, target in forms:
        (pub,) = sampler.run([(circuit, values)]).result()
        is_near(pub.data.c, target)


def test_sampler_arrays_lists_and_single_pubs_agree(sampler: qhw.Sampler) -> None:
    table = np.linspace(0, 1, 5 * TWO.num_parameters).reshape(5, -1)
    target = [known(TWO, row) for row in table]
    circuit = measured(TWO)
    for values in (table, table.tolist(), list(table)):
        (pub,) = sampler.run([(circuit, values)]).result()
        is_near(pub.data.meas, target)
    for pub, row in zip(
        sampler.run([(circuit, row) for row in table]).result(), target, strict=True
    ):
        is_near(pub.data.meas, row)


def test_sampler_writes_bits_where_the_circuit_says(sampler: qhw.Sampler) -> None:
    x, y = Parameter("x"), Parameter("y")
    circuit = QuantumCircuit(3, 3)
    circuit.rx(x, 0)
    circuit.rx(y, 1)
    circuit.x(2)
    circuit.measure([0, 1, 2], [2, 1, 0])
    still, half = sampler.run([(circuit, [0, 0]), (circuit, [np.pi / 2, 0])]).result()
    is_near(still.data.c, {1: 1.0})
    is_near(half.data.c, {1: 0.5, 5: 0.5})


@pytest.mark.parametrize(
    ("qubits", "bits", "target"),
    [
        (
            [0, 1, 2, 2],
            [0, 2, 4, 5],
            {"a": {0: 0.5, 1: 0.5}, "b": {0: 0.5, 2: 0.5}, "c": {0: 0.5, 6: 0.5}},
        ),
        ([1], [5], {"a": {0: 1.0}, "b": {0: 1.0}, "c": {0: 0.5, 4: 0.5}}),
        ([0, 1, 2], [5, 5, 5], {"a": {0: 1.0}, "b": {0: 1.0}, "c": {0: 0.5, 4: 0.5}}),
        ([], [], {"a": {0: 1.0}, "b": {0: 1.0}, "c": {0: 1.0}}),
    ],
    ids=["all", "one bit", "several qubits in one bit", "no measurement"],
)
def test_sampler_has_an_array_for_every_register(
    sampler: qhw.Sampler, qubits: list[int], bits: list[int], target: dict[str, dict[int, float]]
) -> None:
    registers = [ClassicalRegister(1, "a"), ClassicalRegister(2, "b"), ClassicalRegister(3, "c")]
    circuit = QuantumCircuit(QuantumRegister(3), *registers)
    circuit.h(range(3))
    circuit.measure(qubits, bits)
    (pub,) = sampler.run([circuit]).result()
    assert list(pub.data) == ["a", "b", "c"]
    for name, counts in target.items():
        is_near(pub.data[name], counts)
    assert pub.join_data().num_bits == 6


def test_sampler_fills_registers_that_share_bits_and_empty_ones(sampler: qhw.Sampler) -> None:
    whole = ClassicalRegister(5, "whole")
    circuit = QuantumCircuit(QuantumRegister(5), whole)
    circuit.add_register(ClassicalRegister(name="first", bits=[whole[2]]))
    circuit.add_register(ClassicalRegister(name="second", bits=[whole[4], whole[0]]))
    circuit.ry(np.pi / 4, 3)
    circuit.cx(3, 2)
    circuit.x(0)
    circuit.measure([0, 2], [2, 4])
    (pub,) = sampler.run([circuit]).result()
    assert list(pub.data) == ["whole", "first", "second"]
    low, high = np.cos(np.pi / 8) ** 2, np.sin(np.pi / 8) ** 2
    is_near(pub.data.whole, {4: low, 20: high})
    is_near(pub.data.first, {1: 1.0})
    is_near(pub.data.second, {0: low, 1: high})
    empty = QuantumCircuit(
        QuantumRegister(1), ClassicalRegister(0, "nothing"), ClassicalRegister(1, "one")
    )
    empty.h(0)
    empty.measure(0, 0)
    (pub,) = sampler.run([empty]).result()
    assert pub.data.nothing.array.shape == (SHOTS, 0)
    is_near(pub.data.one, {0: 0.5, 1: 0.5})


def test_sampler_with_no_register_warns_and_has_no_data(sampler: qhw.Sampler) -> None:
    with pytest.warns(UserWarning, match="no classical register"):
        result = sampler.run([QuantumCircuit(2), bell()]).result()
    assert len(result[0].data) == 0 and result[0].metadata["shots"] == SHOTS
    is_near(result[1].data.meas, HALVES)


def test_sampler_shots_by_pub_run_and_default(sampler: qhw.Sampler) -> None:
    circuit = bell()
    for pub, asked, shots in [
        (circuit, 100, 100),
        (circuit, None, SHOTS),
        ((circuit, None, 70), None, 70),
        ((circuit, None, 70), 100, 70),
        (SamplerPub(circuit, shots=60), 100, 60),
    ]:
        (found,) = sampler.run([pub], shots=asked).result()
        assert found.data.meas.num_shots == shots == found.metadata["shots"]
        assert sum(found.data.meas.get_counts().values()) == shots
    both = sampler.run([SamplerPub(circuit, shots=100), SamplerPub(circuit, shots=200)]).result()
    assert [pub.data.meas.num_shots for pub in both] == [100, 200]


def test_sampler_unitary_gates_and_unused_qubits(sampler: qhw.Sampler) -> None:
    for matrix, outcome in ((np.eye(2), 0), ([[0, 1], [1, 0]], 1)):
        circuit = QuantumCircuit(1)
        circuit.append(UnitaryGate(matrix), [0])
        (pub,) = sampler.run([measured(circuit)]).result()
        is_near(pub.data.meas, {outcome: 1.0})
    part = QuantumCircuit(5, 4)
    part.measure(range(4), range(4))
    first, second = sampler.run([part, part]).result()
    for pub in (first, second):
        assert pub.data.c.num_bits == 4
        assert pub.data.c.get_int_counts().get(0, 0) > (1 - NOISE) ** 4 * SHOTS


def test_sampler_one_seed_one_result_for_equal_calls(sampler: qhw.Sampler) -> None:
    pubs = [bell(), (measured(TWO), [1] * 6)]
    first, second = (sampler.run(iter(pubs)).result() for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.data.meas == other.data.meas


def test_metadata_are_those_of_the_circuit_and_the_call(
    sampler: qhw.Sampler, estimator: qhw.Estimator
) -> None:
    plain, named = QuantumCircuit(1), QuantumCircuit(1, metadata={"a": 1})
    shots = sampler.run([(measured(plain), None, 10), (measured(named), None, 20)]).result()
    values = estimator.run([(plain, "Z"), (named, "Z", None, 0.1)], precision=0.2).result()
    for result in (shots, values):
        assert result.metadata["version"] == 2
        assert [pub.metadata["circuit_metadata"] for pub in result] == [{}, {"a": 1}]
    assert [pub.metadata["shots"] for pub in shots] == [10, 20]
    assert [pub.metadata["target_precision"] for pub in values] == [0.2, 0.1]


ONE = real_amplitudes(1, reps=1)


@pytest.mark.parametrize(
    "pubs",
    [
        [(measured(QuantumCircuit(1)), [1e2])],
        [measured(ONE)],
        [(measured(ONE), [])],
        [(measured(ONE), None)],
        [(measured(ONE), [1e2])],
        [(measured(ONE), [1e2] * 100)],
        [(measured(QuantumCircuit(1)), None, -1)],
        [(measured(QuantumCircuit(1)), None, 0)],
        [(measured(QuantumCircuit(1)), None, 1.5)],
        measured(QuantumCircuit(1)),
        (measured(ONE), [0, 1]),
    ],
)
def test_sampler_refuses_what_is_no_list_of_pubs(sampler: qhw.Sampler, pubs: object) -> None:
    with pytest.raises((ValueError, TypeError), match=r"(?i)parameter|shots|pub|inconsistent"):
        sampler.run(pubs).result()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shots"):
        sampler.run([bell()], shots=-1)


H1 = SparsePauliOp(["II", "IZ", "XI"], [1, 2, 3])
H2 = SparsePauliOp("IZ")
H3 = SparsePauliOp(["ZI", "ZZ"])
FIRST, SECOND = [0, 1, 1, 2, 3, 5], [1, 2, 3, 4, 5, 6]


def expects(estimator: qhw.Estimator, pubs: list[object], shapes: list[tuple[int, ...]]) -> None:
    """Values are those of Qiskit's exact estimator, within five error bars and the device's noise.

    The noise of `ibm_fez` shrinks the values of these circuits by less than a tenth.
    """
    result = estimator.run(iter(pubs)).result()  # type: ignore[arg-type]
    exact = StatevectorEstimator().run(pubs).result()  # type: ignore[arg-type]
    noise = 0.0 if result.metadata["device"] == "exact" else 0.6  # a tenth of the largest operator
    assert isinstance(result, PrimitiveResult) and len(result) == len(pubs) == len(shapes)
    for pub, target, shape in zip(result, exact, shapes, strict=True):
        assert isinstance(pub, PubResult) and isinstance(pub.data, DataBin)
        evs, stds = pub.data.evs, pub.data.stds
        assert evs.shape == stds.shape == shape == target.data.evs.shape == pub.data.shape
        assert (stds <= pub.metadata["target_precision"]).all()
        assert (np.abs(evs - target.data.evs) <= 5 * stds + noise + 1e-12).all()


def test_estimator_broadcasts_as_qiskit_does(estimator: qhw.Estimator) -> None:
    rows = np.random.default_rng(12).uniform(-2, 2, (4, 6))
    pub = EstimatorPub(
        TWO,
        ObservablesArray.coerce([H1, H3]),
        BindingsArray.coerce({tuple(TWO.parameters): [FIRST, SECOND]}),
    )
    pubs = [
        (TWO, H1, [FIRST]),
        (THREE, H1, list(range(8))),
        (TWO, [H2, H3], FIRST),
        (TWO, [H1, H3], [FIRST, SECOND]),
        pub,
        (TWO, [[H1], [H2], [H3]], rows),
        (TWO, H2, rows.reshape(2, 2, 6)),
        (TWO, [H1, H2], rows.reshape(2, 2, 6).tolist()),
        (TWO, "IZ", list(rows)),
    ]
    shapes = [(1,), (), (2,), (2,), (2,), (3, 4), (2, 2), (2, 2), (4,)]
    expects(estimator, pubs, shapes)


def test_estimator_knows_which_qubit_is_which(estimator: qhw.Estimator) -> None:
    flipped = QuantumCircuit(2)
    flipped.x(0)
    pubs = [
        (circuit, operator) for circuit in (QuantumCircuit(2), flipped) for operator in ("II", "ZI")
    ]
    found = estimator.run([*pubs, (flipped, "IZ"), (flipped, [["IZ", "ZI"]])]).result()
    assert [round(float(pub.data.evs)) for pub in found[:5]] == [1, 1, 1, 1, -1]
    assert found[5].data.evs.shape == (1, 2) and found[5].data.evs.round().tolist() == [[-1, 1]]
    assert found[0].data.evs == 1 and found[0].data.stds == 0  # the identity needs no device


@pytest.mark.parametrize("values", [None, [], {}, [[]], np.array([]), np.zeros((1, 0))])
def test_estimator_takes_every_form_of_no_parameters(
    estimator: qhw.Estimator, values: object
) -> None:
    flip = QuantumCircuit(1)
    flip.x(0)
    expects(
        estimator,
        [(flip, SparsePauliOp("Z"), values)],
        [np.shape(values)[:-1] if values is not None else ()],
    )
    (pub,) = estimator.run([(flip, "Z", values)]).result()
    assert pub.metadata["target_precision"] == 0.02 == estimator.default_precision


def test_estimator_precision_by_pub_run_and_default(estimator: qhw.Estimator) -> None:
    pubs = [(TWO, H1, [FIRST]), (TWO, H1, [FIRST], 0.05), (TWO, H2, [FIRST])]
    for asked, wanted in [(None, [0.02, 0.05, 0.02]), (0.1, [0.1, 0.05, 0.1])]:
        found = estimator.run(pubs, precision=asked).result()
        assert [pub.metadata["target_precision"] for pub in found] == wanted
        assert all((p.data.stds < p.metadata["target_precision"]).all() for p in found)
    first, second = (estimator.run([pubs[0]] * 2).result() for _ in range(2))
    for one, other in zip(first, second, strict=True):  # one seed, one result
        assert np.array_equal(one.data.evs, other.data.evs)


def test_estimator_terms_that_repeat_or_vanish(estimator: qhw.Estimator) -> None:
    twice, some = SparsePauliOp(["ZZ", "ZZ"]), SparsePauliOp(["ZZ", "XX"], [1, 0])
    expects(estimator, [(TWO, [H1, "ZZ", twice], [FIRST])], [(3,)])
    one, two, same = estimator.run([(TWO, ["ZZ", twice, some], FIRST)]).result()[0].data.evs
    assert np.isclose(two, 2 * one) and one == same
    with pytest.raises(ValueError, match="Empty observable"):  # Qiskit's word for 0
        estimator.run([(TWO, SparsePauliOp(["II", "IZ"], [0, 0]), FIRST)])


@pytest.mark.parametrize(
    ("pubs", "precision"),
    [
        ([(QuantumCircuit(1), "II")], None),
        ([(QuantumCircuit(1), "I", [[1e4]])], None),
        ([(QuantumCircuit(2), "II", [[1, 2]])], None),
        ([(QuantumCircuit(1), ["I", "II"], [[1]])], None),
        ([(TWO, "ZZ")], None),
        ([(TWO, ["ZZ"] * 2, [FIRST] * 3)], None),
        ([(QuantumCircuit(1), "I", None, -1)], None),
        ([(QuantumCircuit(1), "I")], -1),
        ([(QuantumCircuit(1), 1j * SparsePauliOp("I"))], 0.1),
        ((QuantumCircuit(1), "I"), None),
    ],
)
def test_estimator_refuses_what_cannot_be_estimated(
    estimator: qhw.Estimator, pubs: object, precision: float | None
) -> None:
    with pytest.raises(ValueError, match=r"."):
        estimator.run(pubs, precision=precision).result()  # type: ignore[arg-type]


@pytest.mark.parametrize(("pub", "precision"), [(("I", None, 0), None), (("I",), 0)])
def test_only_exact_has_infinitely_many_shots(
    estimator: qhw.Estimator, pub: tuple[object, ...], precision: float | None
) -> None:
    asked = [(QuantumCircuit(1), *pub)]
    if estimator.run([(QuantumCircuit(1), "Z")]).result().metadata["device"] == "exact":
        assert estimator.run(asked, precision=precision).result()[0].data.evs == 1
        return
    with pytest.raises(ValueError, match="`precision` must be above 0"):
        estimator.run(asked, precision=precision)

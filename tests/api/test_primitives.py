"""Sampler and Estimator as Qiskit's V2 interface says, on every kind of device."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import UnitaryGate, real_amplitudes
from qiskit.primitives import BaseSamplerV2, BitArray, StatevectorEstimator
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparsePauliOp, Statevector
from scipy.stats import chi2

import qhw
from backends.base import BackendError
from backends.loopback.braket import BraketService
from backends.loopback.ibm import IBMPlatform
from backends.loopback.server import LoopbackServer
from qhw.api.primitives.registers import resampled
from qhw.jobs.errors import BudgetError
from qhw.mitigation.base import MitigationError

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]

SHOTS = 4000
ANSATZ = real_amplitudes(2, reps=2)
ROWS = np.random.default_rng(7).uniform(-2, 2, (2, 3, 6))


def measured(circuit: QuantumCircuit) -> QuantumCircuit:
    return circuit.measure_all(inplace=False)


def fits(counts: dict[int, int], p: np.ndarray) -> bool:
    """Whether counts may come from a distribution: chi squared at one in 100,000."""
    seen = np.array([counts.get(k, 0) for k in range(len(p))])
    possible = p > 1e-9
    if seen[~possible].any():
        return False
    expected = p[possible] * seen.sum()
    statistic = ((seen[possible] - expected) ** 2 / expected).sum()
    return bool(statistic <= chi2.ppf(1 - 1e-5, max(possible.sum() - 1, 1)))


def test_shots_of_every_row_have_the_distribution_of_the_statevector() -> None:
    sampler = qhw.Sampler("exact", seed=3)
    assert isinstance(sampler, BaseSamplerV2) and sampler.seed == 3
    job = sampler.run([(measured(ANSATZ), ROWS)], shots=SHOTS)
    (pub,) = job.result()
    assert job.done() and job.in_final_state() and job.status() is JobStatus.DONE and job.job_id()
    assert not job.running() and not job.cancelled()
    assert pub.data.meas.shape == (2, 3) and pub.data.meas.num_shots == SHOTS
    for place in np.ndindex(2, 3):
        p = Statevector(ANSATZ.assign_parameters(ROWS[place])).probabilities()
        assert fits(pub.data.meas.get_int_counts(place), p)
    bits = pub.data.meas.get_bitstrings((0, 0))
    assert bits != sorted(bits)  # in no order


def test_registers_are_arrays_of_their_own_and_bits_belong_together() -> None:
    a, b, c = ClassicalRegister(1, "a"), ClassicalRegister(10, "b"), ClassicalRegister(3, "c")
    circuit = QuantumCircuit(QuantumRegister(3), a, b, c)
    circuit.h([0, 2])
    circuit.x(1)
    circuit.measure([0, 1, 2, 2, 0], [a[0], b[1], b[9], b[4], c[2]])  # one qubit into two bits
    (pub,) = qhw.Sampler("exact", seed=1).run([circuit], shots=SHOTS).result()
    assert pub.data.a.num_bits == 1 and pub.data.b.num_bits == 10 and pub.data.c.num_bits == 3
    assert fits(pub.data.a.get_int_counts(), np.array([0.5, 0.5]))
    assert set(pub.data.b.get_int_counts()) == {2, 2 + 2**4 + 2**9}
    assert set(pub.data.c.get_int_counts()) == {0, 4}
    joined = [
        x + y for x, y in zip(pub.data.a.get_bitstrings(), pub.data.c.get_bitstrings(), strict=True)
    ]
    assert set(joined) == {"0000", "1100"}  # shot by shot
    circuit.measure(1, a[0])  # what is written last counts
    (pub,) = qhw.Sampler("exact", seed=1).run([circuit], shots=100).result()
    assert pub.data.a.get_int_counts() == {1: 100}


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (None, ()),
        ((), ()),
        ([], ()),
        ([[]], (1,)),
        (np.zeros((3, 0)), (3,)),
        (np.zeros((2, 0, 0)), (2, 0)),
    ],
)
def test_circuits_without_parameters_take_every_form_of_none(given: object, shape: tuple) -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.append(UnitaryGate([[0, 1], [1, 0]]), [0])
    circuit.measure(0, 1)
    (pub,) = qhw.Sampler("exact").run([(circuit, given)], shots=20).result()
    assert pub.data.c.shape == shape and pub.data.c.num_shots == 20
    assert all(pub.data.c.get_int_counts(i) == {2: 20} for i in np.ndindex(shape))


def test_what_measures_nothing_is_all_zero() -> None:
    circuit = QuantumCircuit(2, 3)
    circuit.h(0)
    (pub,) = qhw.Sampler("exact").run([circuit], shots=9).result()
    assert pub.data.c.get_counts() == {"000": 9}
    with pytest.warns(UserWarning, match="no classical register"):
        (pub,) = qhw.Sampler("exact").run([QuantumCircuit(1)]).result()
    assert list(pub.data) == []
    assert len(qhw.Sampler("exact").run([]).result()) == 0


def test_shots_come_from_the_pub_the_call_or_the_default() -> None:
    bell = QuantumCircuit(2, metadata={"mine": 1})
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    sampler = qhw.Sampler("exact", default_shots=30, seed=5)
    pubs = iter([bell, (bell, None, 10), SamplerPub(bell, shots=20), bell.copy()])
    result = sampler.run(pubs, shots=15).result()
    assert [pub.data.meas.num_shots for pub in result] == [15, 10, 20, 15]
    assert [pub.metadata["shots"] for pub in result] == [15, 10, 20, 15]
    assert result[0].metadata["circuit_metadata"] == {"mine": 1}
    assert result[0].metadata["counts"] == "measured"
    assert sampler.run([bell]).result()[0].data.meas.num_shots == 30 == sampler.default_shots
    assert result[0].data.meas != result[3].data.meas  # one batch, but shots of their own


def test_one_seed_one_result_and_generators_go_on() -> None:
    pub = (measured(ANSATZ), ROWS)
    fixed = qhw.Sampler("engine:ibm_fez", seed=4)
    assert fixed.run([pub]).result()[0].data.meas == fixed.run([pub]).result()[0].data.meas
    moving = qhw.Sampler("engine:ibm_fez", seed=np.random.default_rng(4))
    assert moving.run([pub]).result()[0].data.meas != moving.run([pub]).result()[0].data.meas
    free = qhw.Sampler("exact")
    assert free.run([pub]).result()[0].data.meas != free.run([pub]).result()[0].data.meas


def test_mitigated_shots_say_that_they_are_no_counts() -> None:
    pub = (measured(ANSATZ), ROWS[0])
    asked = {"seed": 2, "default_shots": 20_000}
    raw, better = (
        qhw.Sampler("engine:rigetti_cepheus_1_108q", mitigation=m, **asked).run([pub, pub]).result()
        for m in ("none", "readout+zne(1,3)")
    )
    exact = np.array([Statevector(ANSATZ.assign_parameters(x)).probabilities() for x in ROWS[0]])

    def distance(data: BitArray) -> float:
        found = [[data.get_int_counts(i).get(k, 0) / 20_000 for k in range(4)] for i in range(3)]
        return float(np.abs(np.array(found) - exact).sum())

    assert distance(better[0].data.meas) < distance(raw[0].data.meas)
    said = better[1].metadata
    assert said["counts"] == "resampled" and said["mitigation"] == "readout+zne(1,3)"
    assert 100 < said["effective_shots"] < 20_000 and said["negative_mass"].shape == (3,)
    assert better[0].data.meas.num_shots == 20_000


def test_resampling_rounds_up_or_down_and_is_right_on_average() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(5), 2000)
    counts = resampled(np.tile(p[:1], (2000, 1)), 7, np.random.default_rng(1))
    assert (counts.sum(axis=1) == 7).all() and (np.abs(counts - 7 * p[0]) < 1).all()
    np.testing.assert_allclose(counts.mean(axis=0), 7 * p[0], atol=0.06)
    assert (resampled(p, 1000, np.random.default_rng(2)).sum(axis=1) == 1000).all()


PSI = [(ANSATZ, [0, 1, 1, 2, 3, 5]), (real_amplitudes(2, reps=3), [0, 1, 1, 2, 3, 5, 8, 13])]
OPERATORS = [
    SparsePauliOp(["II", "IZ", "XI"], [1, 2, 3]),
    SparsePauliOp("IZ"),
    SparsePauliOp(["ZI", "ZZ"]),
    {"0I": 1.0, "+l": -2.0},
]


def test_values_and_shapes_are_those_of_qiskits_own_estimator() -> None:
    t = np.random.default_rng(1).uniform(-2, 2, (4, 6))
    pubs = [
        (PSI[0][0], OPERATORS[0], [PSI[0][1]]),
        (PSI[1][0], OPERATORS[:3], PSI[1][1]),
        (ANSATZ, [[o] for o in OPERATORS[:3]], t),  # (3, 1) with (4,)
        (ANSATZ, [OPERATORS[i % 3] for i in range(4)], t),  # pairs
        (ANSATZ, OPERATORS[1], t.reshape(2, 2, 6)),
        EstimatorPub(
            ANSATZ,
            ObservablesArray.coerce([OPERATORS[0], OPERATORS[2]]),
            BindingsArray.coerce({tuple(ANSATZ.parameters): t[:2]}),
        ),
    ]
    ours = qhw.Estimator("exact").run(iter(pubs), precision=0).result()
    theirs = StatevectorEstimator().run(pubs).result()
    for found, known in zip(ours, theirs, strict=True):
        assert found.data.evs.shape == known.data.evs.shape == found.data.stds.shape
        np.testing.assert_allclose(found.data.evs, known.data.evs, atol=1e-12)
        assert not found.data.stds.any() and found.metadata["target_precision"] == 0


def test_projectors_and_identities() -> None:
    state = Statevector(ANSATZ.assign_parameters(ROWS[0, 0]))
    zero, plus = np.diag([1, 0]), np.full((2, 2), 0.5)
    left = np.array([[1, 1j], [-1j, 1]]) / 2
    wanted = np.kron(zero, np.eye(2)) - 2 * np.kron(plus, left)
    pub = (ANSATZ, [OPERATORS[3], "II"], ROWS[0, 0])
    exact = qhw.Estimator("exact").run([pub], precision=0).result()[0].data.evs
    value = (state.data.conj() @ wanted @ state.data).real
    np.testing.assert_allclose(exact, [value, 1], atol=1e-12)
    shots = qhw.Estimator("engine:ibm_fez", seed=1).run([pub]).result()[0].data
    assert shots.evs[1] == 1 and shots.stds[1] == 0


def test_no_error_is_above_the_precision_and_errors_are_true() -> None:
    table = [[o] for o in OPERATORS[:3]]
    theirs = StatevectorEstimator().run([(ANSATZ, table, ROWS[0])]).result()[0].data.evs
    errors = []
    for seed in range(12):
        estimator = qhw.Estimator("exact", default_precision=0.05, seed=seed)
        (pub,) = estimator.run([(ANSATZ, table, ROWS[0])]).result()
        assert pub.data.stds.max() <= 0.05 and pub.metadata["shots"] > 400
        errors.append((pub.data.evs - theirs) / pub.data.stds)
    # 108 of them; the bounds hold all but once in 1,000
    assert 0.7 < np.std(errors) < 1.35
    single = qhw.Estimator("exact", seed=0).run([(ANSATZ, "ZZ", ROWS[0, 0])], precision=0.1)
    assert 100 <= single.result()[0].metadata["shots"] <= 102  # one over precision squared


def test_measurements_at_the_end_do_not_count_for_an_estimator() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.x(2)
    circuit.measure(0, 0)
    (pub,) = qhw.Estimator("exact").run([(circuit, ["ZII", "IIZ"])], precision=0).result()
    assert pub.data.evs.tolist() == [-1, 1]


@pytest.mark.parametrize("name", ["ibm:ibm_lagos", "braket:iqm_garnet"])
def test_primitives_pay_once_through_the_ledger(
    ibm: tuple[IBMPlatform, LoopbackServer], braket: BraketService, name: str
) -> None:
    queue = ibm[0].queue if name.startswith("ibm") else braket.queue
    place = qhw.device(name, budget="90usd")
    sampler, estimator = qhw.Sampler(place), qhw.Estimator(place)
    pubs = [(measured(ANSATZ), ROWS[0]), (measured(ANSATZ.copy()), ROWS[1, 0], 600)]
    job = sampler.run(pubs, shots=500)
    first, sent = job.result(), queue.accepted
    assert sent and job.done() and job.job_id() == "+".join(run.id for run in job.runs)
    assert first[0].data.meas.shape == (3,) and first[1].data.meas.num_shots == 600
    again = qhw.Sampler(place).run(pubs, shots=500)
    assert again.job_id() == job.job_id() and queue.accepted == sent
    assert again.result()[0].data.meas == first[0].data.meas
    asked = [(ANSATZ, ["ZZ", "XX"], ROWS[0, 0]), (ANSATZ, ["ZZ", "XX"], ROWS[0, 1])]
    values = estimator.run(asked, precision=0.05)
    assert len(values.runs) == 1  # one circuit, one batch
    exact = StatevectorEstimator().run(asked).result()
    for found, known in zip(values.result(), exact, strict=True):
        assert (np.abs(found.data.evs - known.data.evs) < 0.15 + 5 * found.data.stds).all()
        assert found.metadata["runs"] == (values.runs[0].id,)


def test_the_budget_is_that_of_all_pubs_of_a_call(braket: BraketService) -> None:
    pubs = [(measured(ANSATZ), ROWS[0, i], 1000 + i) for i in range(3)]
    price = sum(
        qhw.estimate(c, x, "braket:iqm_garnet", shots=n, mitigation="none").micro
        for c, x, n in pubs
    )
    place = qhw.device("braket:iqm_garnet", budget=f"{price * 0.9 / 1e6:.2f}usd")
    with pytest.raises(BudgetError, match=r"3 runs would pass the budget.*nothing was sent"):
        qhw.Sampler(place).run(pubs)
    assert not braket.queue.accepted


def test_circuits_that_fail_are_named_and_no_array_has_holes(braket: BraketService) -> None:
    braket.queue.behaviour.failing_rows = frozenset({1})
    place = qhw.device("braket:iqm_garnet", budget="90usd")
    job = qhw.Sampler(place).run([(measured(ANSATZ), ROWS[0])], shots=500)
    with pytest.raises(BackendError, match=r"1 failed, row 1 first: .*jobs counts"):
        job.result()


BELL = QuantumCircuit(2)
BELL.h(0)
LOOP = QuantumCircuit(1, 1)
with LOOP.for_loop(range(2)):
    LOOP.h(0)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: qhw.Sampler("nowhere"), BackendError, "nowhere"),
        (lambda: qhw.Sampler("exact", mitigation="zme"), MitigationError, "zme"),
        (lambda: qhw.Estimator("exact", mitigation="structure"), MitigationError, "structure"),
        (lambda: qhw.Sampler("exact", seed=-1), ValueError, "`seed`"),
        (lambda: qhw.Sampler("exact", default_shots=0), BackendError, "`shots`"),
        (lambda: qhw.Sampler("exact").run([measured(ANSATZ)]), ValueError, "parameter"),
        (lambda: qhw.Sampler("exact").run([(measured(BELL), [1.0])]), ValueError, "inconsistent"),
        (lambda: qhw.Sampler("exact").run([measured(BELL)], shots=-1), ValueError, "shots"),
        (lambda: qhw.Sampler("exact").run([measured(BELL)], shots=0), ValueError, "positive"),
        (lambda: qhw.Sampler("exact").run([LOOP]), BackendError, "classical control"),
        (
            lambda: qhw.Sampler("exact").run([(measured(ANSATZ), [np.nan] * 6)]),
            ValueError,
            "finite",
        ),
        (lambda: qhw.Estimator("exact").run([(BELL, "ZZZ")]), ValueError, "qubits"),
        (lambda: qhw.Estimator("exact").run((BELL, "ZZ")), ValueError, "pub"),
        (lambda: qhw.Estimator("exact").run([(BELL, "ZZ")], precision=-1), ValueError, "precision"),
        (
            lambda: qhw.Estimator("engine:ibm_fez").run([(BELL, "ZZ")], precision=0),
            ValueError,
            "only `exact`",
        ),
        (
            lambda: qhw.Estimator("exact").run([(BELL, "ZZ")], precision=1e-9),
            BackendError,
            "`shots`",
        ),
        (
            lambda: qhw.Estimator("exact").run([(BELL, SparsePauliOp("ZZ", 1j))]),
            ValueError,
            "(?i)hermitian|real",
        ),
        (
            lambda: qhw.Estimator("exact").run([(ANSATZ, "ZZ", [np.inf] * 6)]),
            ValueError,
            "finite",
        ),
    ],
)
def test_bad_input_is_one_line(make: object, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        make().result()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_parameters_by_name_in_any_order() -> None:
    x, v = Parameter("x"), ParameterVector("v", 2)
    circuit = QuantumCircuit(3)
    for q, p in enumerate((x, *v)):
        circuit.ry(p, q)
    given = {v: [[0.1, 0.2], [0.3, 0.4]], x: [0.5, 0.6]}
    (pub,) = (
        qhw.Estimator("exact")
        .run([(circuit, [["IIZ"], ["IZI"], ["ZII"]], given)], precision=0)
        .result()
    )
    np.testing.assert_allclose(pub.data.evs, np.cos([[0.5, 0.6], [0.1, 0.3], [0.2, 0.4]]))

"""mitiq's techniques in our pipelines, and our devices as mitiq's executors."""

from __future__ import annotations

import mitiq
import numpy as np
import pytest
from mitiq import cdr, ddd, lre, pec, zne
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

import qhw
from backends.engine.backend import EngineBackend
from backends.native.rows import native_rows
from backends.registry import get_backend
from backends.rewrite import apart, replaced, two_qubit_gates
from backends.statevector import measured_probabilities
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.mitigation.base import MitigationError
from qhw.mitigation.pipeline import Pipeline

NOISY = EngineBackend(load_snapshot("ibm_sherbrooke"), noise=NoiseOptions(gates=4.0))
"""Noisy enough that mitigation shows."""
BY_ROWS = EngineBackend(load_snapshot("iqm_garnet"), noise=NoiseOptions(gates=2.0))
"""A device whose gates are written when a row of angles is known."""


def circuit() -> QuantumCircuit:
    """Three qubits, no two alike; of ZII large and of ZZZ a value."""
    out = QuantumCircuit(3)
    out.rx(0.3, 0)
    for k in range(3):
        out.cx(0, 1)
        out.rz(0.3 + 0.1 * k, 1)
        out.rx(0.4, 1)
        out.cz(1, 2)
        out.rx(0.2, 2)
        out.cx(0, 1)
    return out


def value(label: str) -> float:
    return float(Statevector(circuit()).expectation_value(SparsePauliOp(label)).real)


@pytest.mark.parametrize("device", ["ibm_fez", "iqm_garnet", "ionq_forte_enterprise"])
def test_an_executor_runs_what_mitiq_wrote_in_one_place(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    run = EngineBackend.run

    def spied(self, compiled, *given, **options):  # type: ignore[no-untyped-def]
        ran.append(compiled)
        return run(self, compiled, *given, **options)

    monkeypatch.setattr(EngineBackend, "run", spied)
    execute = qhw.mitiq_executor(f"engine:{device}", "ZZZ", shots=1000)
    folded = [zne.scaling.fold_gates_at_random(circuit(), s) for s in (1, 3, 5)]
    execute(folded)
    gates = [compiled.two_qubit_gates for compiled in ran]
    assert gates == [9, 27, 45]  # nothing cancelled
    assert len({compiled.physical_qubits for compiled in ran}) == 1


@pytest.mark.parametrize("label", ["ZIZ", "XYI"])
def test_values_and_shots_of_an_executor_are_right(label: str) -> None:
    bare = qhw.mitiq_executor("exact", label, shots=100_000)
    assert bare([circuit()])[0] == pytest.approx(value(label), abs=0.02)
    shots = qhw.mitiq_executor("exact", shots=100_000)
    observable = mitiq.Observable(mitiq.PauliString(label[::-1]))  # mitiq names qubit 0 first
    found = mitiq.Executor(shots).evaluate(circuit(), observable)
    assert float(np.real(found[0])) == pytest.approx(value(label), abs=0.02)


def test_every_technique_of_mitiq_takes_an_executor_unchanged() -> None:
    run, exact = (qhw.mitiq_executor(d, "ZZZ", shots=20_000) for d in (NOISY, "exact"))
    work, truth = circuit(), value("ZZZ")
    (raw,) = run([work])
    assert abs(raw - truth) > 0.05
    noise = pec.represent_operations_in_circuit_with_local_depolarizing_noise(work, 0.004)
    found = {
        "zne": zne.execute_with_zne(work, run, factory=zne.LinearFactory([1, 3])),
        "lre": lre.execute_with_lre(work, run, 1, 2, num_chunks=3),
        "cdr": cdr.execute_with_cdr(
            work, run, simulator=exact, fraction_non_clifford=0.5, random_state=1
        ),
        "pec": pec.execute_with_pec(
            work, run, representations=noise, num_samples=30, random_state=2
        ),
        "ddd": ddd.execute_with_ddd(work, run, rule=ddd.rules.xx),
    }
    for name in ("zne", "lre", "cdr"):
        assert abs(found[name] - truth) < abs(raw - truth), name
    assert abs(found["ddd"] - raw) < 0.1 and abs(found["pec"] - truth) < 0.4
    again = qhw.mitiq_executor(NOISY, "ZZZ", shots=20_000)
    assert again([work]) == [raw] and again([work]) != [raw]


T = ParameterVector("t", 2)


def free() -> QuantumCircuit:
    out = QuantumCircuit(3)
    out.ry(T[0], 0)
    out.cx(0, 1)
    out.ry(T[1], 2)
    for _ in range(2):
        out.cz(1, 2)
        out.rx(0.4, 2)
        out.cx(0, 1)
        out.rz(0.2, 0)
        out.rx(0.4, 0)
    return out


ROWS = [[0.3, 0.6], [0.8, 0.2]]
BOTH = ("ZIZ", "XXI + 0.5*III")


@pytest.mark.parametrize(
    ("text", "observables"),
    [
        ("mitiq.zne(1,3,linear)", BOTH),
        ("readout+mitiq.zne(1,2,3,exp,method=global)", BOTH),
        ("readout+mitiq.zne(1,2,3,poly2,method=all)", BOTH),
        ("readout+mitiq.lre(1,2,chunks=2)", BOTH),
        ("readout(share=0.2)+mitiq.ddd(xyxy,2)", BOTH),
        ("readout+mitiq.cdr(6,fraction=0.6)", BOTH[:1]),  # of XXI the training values are all 0
        ("mitiq.pt(3)", BOTH),
        ("mitiq.pec(6,noise=1e-06)", BOTH),
    ],
)
def test_without_noise_a_technique_gives_the_value_within_its_error(
    text: str, observables: tuple[str, ...]
) -> None:
    found = qhw.expect(
        free(), ROWS[:1], observables, "exact", shots=40_000, mitigation=text, seed=3
    )
    assert found.exact is not None and (found.standard_error > 0).all()
    deviation = np.abs(found.values - found.exact)
    assert (deviation < 4.5 * found.standard_error).all()
    assert found.result.mitigation.startswith(text.rstrip(")"))
    assert str(Pipeline.parse(found.result.mitigation)) == found.result.mitigation


def test_one_seed_one_result() -> None:
    asked = (free(), ROWS, "ZIZ", "engine:ibm_fez")
    first, again, other = (
        qhw.expect(*asked, shots=4000, mitigation="mitiq.zne(1,2)", seed=s).values
        for s in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).all()


@pytest.mark.parametrize("device", [NOISY, BY_ROWS], ids=["templates", "row by row"])
def test_mitiqs_line_is_our_line(device: EngineBackend) -> None:
    asked = (free(), ROWS, ["ZIZ", "XXI"], device)
    ours, theirs, raw = (
        qhw.expect(*asked, shots=200_000, mitigation=m, seed=1)
        for m in ("readout+zne(1,3)", "readout+mitiq.zne(1,3,linear)", "readout")
    )
    assert ours.exact is not None
    better, worse = (np.abs(f.values - ours.exact).sum() for f in (theirs, raw))
    assert better < 0.5 * worse
    apart = np.abs(ours.values - theirs.values)
    assert (apart < 0.05 + 4 * np.hypot(ours.standard_error, theirs.standard_error)).all()


@pytest.mark.slow
def test_errors_of_formulas_and_of_samples_are_true() -> None:
    asked = (free(), ROWS[:1], ["ZIZ"], "engine:ibm_fez")
    fitted = "readout(share=0.2)+mitiq.zne(1,3,linear,method=global)"
    for text in (fitted, "mitiq.pec(8,noise=0.01)"):
        found = [qhw.expect(*asked, shots=600, mitigation=text, seed=s) for s in range(12)]
        values = np.array([one.values[0, 0] for one in found])
        errors = np.array([one.standard_error[0, 0] for one in found])
        # of 12 values the spread is right within a factor of two, all but once in 1,000
        assert 0.45 < values.std(ddof=1) / np.sqrt((errors**2).mean()) < 1.75, text


@pytest.mark.parametrize(
    ("device", "pulses"),
    [
        ("ibm_fez", {"rz", "sx", "x", "cz", "delay"}),
        ("iqm_garnet", {"r", "cz"}),
        ("rigetti_cepheus_1_108q", {"rx", "rz", "cz"}),
        ("ionq_forte_enterprise", {"gpi", "gpi2", "rzz"}),
    ],
)
def test_gates_are_written_one_by_one_and_mean_the_same(device: str, pulses: set[str]) -> None:
    backend = get_backend(f"engine:{device}")
    twice = QuantumCircuit(2, 2)
    for _ in range(2):
        twice.h(0)
        twice.cx(0, 1)
        twice.swap(0, 1)
        twice.swap(0, 1)
        twice.cx(0, 1)
        twice.h(0)
    twice.ry(0.4, 1)
    twice.measure([0, 1], [1, 0])
    assert not two_qubit_gates(backend.compile(twice))  # all of it cancels
    written = replaced(backend.compile(apart(twice)), twice)
    assert written.two_qubit_gates == 2 * (1 + 3 + 3 + 1)
    (row,) = native_rows(written, np.empty((1, 0)))  # what a vendor is sent
    assert set(row.count_ops()) <= {*pulses, "measure", "barrier"}
    assert row.num_nonlocal_gates() == written.two_qubit_gates
    turns = [item for item in row if item.operation.name in ("sx", "r", "rx", "gpi2")]
    assert len(turns) >= 2 * 16 + 4 + 1  # Hadamards about every CZ, the four written, the rotation
    exact = measured_probabilities(written, np.empty((1, 0)))
    np.testing.assert_allclose(exact[0, :2], [np.cos(0.2) ** 2, np.sin(0.2) ** 2], atol=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mitiq.zne(1)", "2 or more different scales"),
        ("mitiq.zne(0.5,1)", "from 1"),
        ("mitiq.zne(1,3,cubic)", "model must be one of"),
        ("mitiq.zne(1,3,method=fold)", "method must be one of"),
        ("mitiq.lre(0)", "from 1"),
        ("mitiq.lre(30,30,chunks=30)", "at most 2000"),
        ("mitiq.ddd(zz)", "rule must be one of"),
        ("mitiq.pec(10)", "must be told the depolarising noise"),
        ("mitiq.pec(0,noise=0.1)", "from 1 to 2000"),
        ("mitiq.cdr(1)", "training circuits"),
        ("mitiq.cdr(4,fraction=2)", "fraction"),
        ("mitiq.vd", "closest|mitiq"),
        ("mitiq.zne+readout", "from the circuit outwards"),
    ],
)
def test_bad_arguments_are_one_line(text: str, said: str) -> None:
    with pytest.raises(MitigationError, match=said) as caught:
        Pipeline.parse(text)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_done_is_one_line() -> None:
    with pytest.raises(MitigationError, match="expectation"):
        qhw.measure(free(), ROWS, "exact", shots=100, mitigation="mitiq.zne")
    clifford = QuantumCircuit(1)
    clifford.h(0)
    with pytest.raises(MitigationError, match=r"mitiq\.cdr\(10,fraction=0\.1\)"):
        qhw.expect(clifford, None, "X", "exact", shots=1000, mitigation="mitiq.cdr")
    with pytest.raises(MitigationError, match="none without an observable"):
        qhw.mitiq_executor("exact", shots=10, mitigation="readout")
    with pytest.raises(TypeError, match="list of Qiskit circuits"):
        qhw.mitiq_executor("exact", "Z", shots=10)("h q[0]")  # type: ignore[arg-type]

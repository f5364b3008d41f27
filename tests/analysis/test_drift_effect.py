"""What drift does to a circuit: kept, moved, or broken."""

import pytest
from qiskit import QuantumCircuit

from backends.native.compile import compile_native
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.subjects import Subject, circuit_subject
from qhw.analysis.drift.effect import carried, drift_effect
from tests.backends.native_devices import device

LINE = ((0, 1), (1, 2), (2, 3))


def chain():
    circuit = QuantumCircuit(2, name="pair")
    circuit.h(0)
    for _ in range(3):
        circuit.cx(0, 1)
        circuit.ry(0.3, 1)
    circuit.measure_all()
    return circuit_subject(circuit, "pair.qasm")


def test_best_place_follows_the_better_coupling():
    before = device("ibm_cz", LINE, 4, errors=(0.001, 0.03, 0.03))
    after = device("ibm_cz", LINE, 4, errors=(0.05, 0.03, 0.001))
    effect = drift_effect(chain(), before, after)
    assert (effect.qubits_before, effect.qubits_after) == ((0, 1), (2, 3))
    assert effect.moved
    # equal at the best place; kept, every two-qubit gate has the worse error
    gates = compile_native(chain().circuit, before).two_qubit_gates
    assert effect.after == pytest.approx(effect.before, rel=1e-12)
    assert effect.kept == pytest.approx(effect.before * (0.95 / 0.999) ** gates, rel=1e-12)


def test_unchanged_device_keeps_everything():
    day = device("iqm", LINE, 4, errors=(0.001, 0.03, 0.03))
    effect = drift_effect(chain(), day, day)
    assert effect.before == effect.kept == effect.after
    assert not effect.moved


def test_circuit_on_a_coupling_that_died_is_not_carried():
    before = device("ibm_cz", LINE, 4, errors=(0.001, 0.03, 0.03))
    gates = tuple(
        g.model_copy(update={"usable": False}) if g.qubits == (0, 1) else g for g in before.gates
    )
    kept = {name: getattr(before, name) for name in DeviceSnapshot.model_fields}
    after = DeviceSnapshot(**(kept | {"gates": gates}))
    effect = drift_effect(chain(), before, after)
    assert effect.kept is None
    assert effect.reason == "a gate of the first day's circuit is gone"
    assert effect.after is not None


def test_circuit_on_a_qubit_that_vanished_is_not_carried():
    before = device("ibm_cz", LINE, 4, errors=(0.001, 0.03, 0.03))
    assert carried(compile_native(chain().circuit, before), before.restricted([2, 3])) is None


def test_labels_not_positions_are_followed():
    before = device("ibm_cz", LINE, 4, errors=(0.001, 0.03, 0.03))
    native = compile_native(chain().circuit, before)
    turned = before.restricted([3, 2, 1, 0])
    assert carried(native, turned) == pytest.approx(native.prediction.layout.success, rel=1e-12)


def test_what_does_not_compile_says_why():
    day = device("iqm", ((0, 1),), 2)
    wide = circuit_subject(QuantumCircuit(3, name="wide"), "wide.qasm")
    assert "has 3" in drift_effect(wide, day, day).reason
    assert drift_effect(Subject("x", "x", None, "unreadable"), day, day).reason == "unreadable"

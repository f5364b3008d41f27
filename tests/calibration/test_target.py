"""Qiskit backends without IBM's properties, by their target."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import CXGate, CZGate, Measure, RGate, RXXGate, RZGate, SXGate
from qiskit.providers import BackendV2, QubitProperties
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer import AerSimulator

import qhw
from calibration.readers.target import read_target
from calibration.snapshot import SnapshotError


class Given(BackendV2):
    """A backend that is nothing but its target."""

    def __init__(self, target: Target, name: str = "given") -> None:
        super().__init__(name=name)
        self._target = target

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return None

    def _default_options(self) -> None:  # type: ignore[override]
        return None

    def run(self, *_: object, **__: object) -> None:
        raise NotImplementedError


def asymmetric() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 0)
    circuit.ry(1.1, 1)
    circuit.ry(2.5, 2)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


def test_figures_are_those_of_the_target() -> None:
    backend = GenericBackendV2(5, coupling_map=[(0, 1), (1, 0), (1, 2), (2, 3), (3, 4)], seed=3)
    snapshot, target = read_target(backend), backend.target
    assert snapshot.n_qubits == 5 and snapshot.dt_s == target.dt
    assert snapshot.couplings == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert snapshot.virtual_gates == ("rz",) and snapshot.two_qubit_gates == ("cx",)
    gate = snapshot.gate("cx", (1, 2))
    told = target["cx"][(1, 2)]
    assert gate is not None and (gate.error, gate.duration_s) == (told.error, told.duration)
    for q, (qubit, about) in enumerate(zip(snapshot.qubits, target.qubit_properties, strict=True)):
        assert qubit.t1_s == about.t1 and qubit.t2_s == pytest.approx(min(about.t2, 2 * about.t1))
        assert qubit.p10 == qubit.p01 == target["measure"][(q,)].error


def test_a_generic_backend_measures_as_aer_says() -> None:
    backend = GenericBackendV2(3, coupling_map=[(0, 1), (1, 0), (1, 2), (2, 1)], seed=11)
    found = qhw.measure(asymmetric(), None, backend, shots=200_000, seed=5)
    simulator = AerSimulator.from_backend(backend, seed_simulator=7)
    compiled = transpile(asymmetric(), backend, optimization_level=3, seed_transpiler=1)
    counts = simulator.run(compiled, shots=200_000).result().get_counts()
    aer = np.array([counts.get(format(k, "03b"), 0) for k in range(8)]) / 200_000
    ours = np.asarray(found.raw)[0]
    assert np.abs(ours - aer).sum() / 2 < 0.01


@pytest.mark.parametrize(("one", "two"), [("r", RXXGate), ("sx", CZGate), ("sx", CXGate)])
def test_targets_of_other_vendors(one: str, two: type) -> None:
    from qiskit.circuit import Parameter

    target = Target(num_qubits=3, qubit_properties=[QubitProperties(t1=1e-3, t2=1e-3)] * 3)
    every = {(q,): InstructionProperties(error=1e-4, duration=1e-7) for q in range(3)}
    free = {(q,): InstructionProperties(error=0.0, duration=0.0) for q in range(3)}
    if one == "r":
        target.add_instruction(RGate(Parameter("a"), Parameter("b")), every)
    else:
        target.add_instruction(SXGate(), every)
    target.add_instruction(RZGate(Parameter("c")), free)
    gate = two(Parameter("d")) if two is RXXGate else two()
    pairs = {p: InstructionProperties(error=1e-3, duration=3e-7) for p in [(0, 1), (1, 2)]}
    target.add_instruction(gate, pairs)
    target.add_instruction(Measure(), every)
    found = qhw.measure(asymmetric(), None, Given(target), shots=20_000, seed=1)
    exact = np.asarray(found.exact)[0]
    assert np.abs(np.asarray(found.raw)[0] - exact).sum() / 2 < 0.03


def test_a_backend_without_a_device_is_refused() -> None:
    for backend in (AerSimulator(), Given(Target(num_qubits=3))):
        with pytest.raises(SnapshotError, match="which gates there are on which qubits"):
            qhw.device(backend)

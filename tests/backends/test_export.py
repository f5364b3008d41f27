from __future__ import annotations

import io

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm3, qpy
from qiskit.circuit import Clbit
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.exact import ExactBackend
from backends.export import qpy_file, to_openqasm3, to_qpy_bytes
from backends.native.compile import compile_native, compile_template
from backends.statevector import measured_probabilities
from calibration.readers.ibm import read_ibm_fake
from qhw.circuits.ansatz import chain_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import build_template
from tests.backends.native_devices import VENDORS, device


@pytest.fixture(scope="module")
def compiled() -> CompiledTemplate:
    ansatz = chain_ansatz(3, 2)
    weights = np.random.default_rng(3).uniform(-3, 3, ansatz.n_angles)
    plan = CircuitPlan("amplitudes", (0, 1, 2), None, ansatz, weights, (2, 0))
    return AerBackend(read_ibm_fake("ibm_boston")).compile(
        build_template(plan, "brickwork").circuit
    )


def same(first: QuantumCircuit, second: QuantumCircuit, names: dict[str, str]) -> None:
    """Equal unitaries for random angles, measurements on the same qubits and bits."""
    values = dict(
        zip(names, np.random.default_rng(1).uniform(-3, 3, len(names)).tolist(), strict=True)
    )
    bound = [
        first.assign_parameters({p: values[p.name] for p in first.parameters}),
        second.assign_parameters(
            {
                p: values[n]
                for n, renamed in names.items()
                for p in second.parameters
                if p.name == renamed
            }
        ),
    ]
    assert not bound[1].parameters
    for c in bound:
        assert c.count_ops()["delay"] == first.count_ops()["delay"]
    places = [
        [
            (c.find_bit(i.qubits[0]).index, c.find_bit(i.clbits[0]).index)
            for i in c.get_instructions("measure")
        ]
        for c in bound
    ]
    assert sorted(places[0]) == sorted(places[1])
    unitaries = [Operator(c.remove_final_measurements(inplace=False)) for c in bound]
    assert unitaries[0].equiv(unitaries[1])


def test_qpy_round_trip(compiled: CompiledTemplate) -> None:
    (loaded,) = qpy.load(io.BytesIO(to_qpy_bytes(compiled)))
    names = {p.name: p.name for p in compiled.circuit.parameters}
    assert set(names) <= set(compiled.parameter_names)
    same(compiled.circuit, loaded, names)


def test_openqasm3_round_trip(compiled: CompiledTemplate) -> None:
    text = to_openqasm3(compiled)
    assert text.startswith("OPENQASM 3.0;")
    assert "input float[64] _d_3_;" in text
    renamed = {
        p.name: p.name.replace("[", "_").replace("]", "_") for p in compiled.circuit.parameters
    }
    same(compiled.circuit, qasm3.loads(text), {k: f"_{v}" for k, v in renamed.items()})


def counts(circuit: QuantumCircuit) -> dict[str, int]:
    found: dict[str, int] = AerSimulator(seed_simulator=5).run(circuit, shots=4000).result()
    return found.get_counts()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("vendor", sorted(VENDORS))
@pytest.mark.parametrize("dt_s", [None, 4e-9])
def test_files_run_on_plain_aer_as_they_are(vendor: str, dt_s: float | None) -> None:
    """Waits, delays, gates that Aer lacks, and bits outside of registers: the same distribution."""
    snapshot = device(vendor, ((0, 1), (1, 2)), 3).model_copy(update={"dt_s": dt_s})
    circuit = QuantumCircuit(QuantumRegister(3, "q"), [Clbit()], ClassicalRegister(2, "b"))
    circuit.x(0)
    circuit.ry(1.0, 1)
    circuit.cx(1, 2)
    circuit.delay(20, 2, unit="us")
    circuit.rzz(0.7, 0, 1)
    circuit.measure([0, 1, 2], [0, 1, 2])
    exact = ExactBackend().compile(circuit)
    wanted = measured_probabilities(exact, np.empty((1, 0)))[0]
    files = [qpy_file(compile_native(circuit, snapshot).circuit, snapshot)]
    files.append(to_qpy_bytes(compile_template(circuit, snapshot)))
    if vendor in ("ibm_cz", "ibm_ecr", "ionq", "iqm"):
        files.append(to_qpy_bytes(AerBackend(snapshot).compile(circuit)))
    for data in files:
        (loaded,) = qpy.load(io.BytesIO(data))
        found = np.zeros(8)
        for bits, count in counts(loaded).items():
            found[int(bits, 2)] = count / 4000
        assert np.abs(found - wanted).max() < 0.05
        period = dt_s or 1e-12
        assert loaded.metadata["dt_s"] == period
        lengths = [i.operation.duration * period for i in loaded.get_instructions("delay")]
        assert any(abs(length - 20e-6) < 1e-10 for length in lengths)


def test_bits_keep_their_order_in_files() -> None:
    """A loose bit ahead of a register is bit 0, as it is in the circuit."""
    text = """OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit a; bit[2] b;
    x q[0]; a = measure q[0]; b[0] = measure q[1]; b[1] = measure q[2];"""
    snapshot = device("iqm", ((0, 1), (1, 2)), 3)
    for compiled in (
        ExactBackend().compile(qasm3.loads(text)),
        AerBackend(snapshot).compile(qasm3.loads(text)),
        compile_template(qasm3.loads(text), snapshot),
    ):
        assert measured_probabilities(compiled, np.empty((1, 0)))[0, 1] == pytest.approx(1.0)
        (loaded,) = qpy.load(io.BytesIO(to_qpy_bytes(compiled)))
        assert counts(loaded) == {"001": 4000}
        assert counts(qasm3.loads(to_openqasm3(compiled))) == {"001": 4000}

from __future__ import annotations

import io

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.quantum_info import Operator

from backends.aer import AerBackend
from backends.base import CompiledTemplate
from backends.export import to_openqasm3, to_qpy_bytes
from calibration.readers.ibm import read_ibm_fake
from qhw.circuits.ansatz import chain_ansatz
from qhw.circuits.plan import CircuitPlan
from qhw.circuits.templates import build_template


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

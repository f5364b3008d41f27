"""The sum of two-qubit errors counts every gate: optional, canonical and renamed ones too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.figures import expected_errors
from backends.native.compile import compile_native, compile_template
from calibration.snapshot import DeviceSnapshot
from tests.backends.native_devices import VENDORS, device

LINE = ((0, 1), (2, 1), (2, 3))
ERRORS = (0.01, 0.02, 0.04)


def of_pairs(vendor: str) -> DeviceSnapshot:
    """A line whose optional two-qubit gates have twice the error of the others."""
    found = device(vendor, LINE, 4, errors=ERRORS)
    gates = [
        g.model_copy(update={"error": 2 * g.error})
        if g.name in found.optional_gates and len(g.qubits) == 2 and g.error
        else g
        for g in found.gates
    ]
    return DeviceSnapshot(
        **{
            **{name: getattr(found, name) for name in type(found).model_fields},
            "gates": tuple(gates),
        }
    )


def chain() -> QuantumCircuit:
    circuit = QuantumCircuit(4, 4)
    for q in range(4):
        circuit.ry(0.3 + q, q)
    for i, q in enumerate((0, 1, 2, 1, 0)):
        circuit.rzz(0.4 + i / 10, q, q + 1)
        circuit.ry(0.2 * (i + 1), q)
        circuit.ry(0.3 * (i + 1), q + 1)
    circuit.cx(2, 3)
    circuit.measure(range(4), range(4))
    return circuit


def by_hand(
    circuit: QuantumCircuit, places: tuple[int, ...], optional: tuple[str, ...] = ()
) -> float:
    table = {frozenset(pair): error for pair, error in zip(LINE, ERRORS, strict=True)}
    total = 0.0
    for item in circuit.data:
        if len(item.qubits) == 2 and item.operation.name != "barrier":
            pair = frozenset(places[circuit.find_bit(q).index] for q in item.qubits)
            total += table[pair] * (2 if item.operation.name in optional else 1)
    return total


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_every_vendors_gates_count(vendor: str) -> None:
    snapshot = of_pairs(vendor)
    optional = snapshot.optional_gates
    template = compile_template(chain(), snapshot)
    wanted = by_hand(template.circuit, template.physical_qubits)
    assert wanted > 0.1
    assert expected_errors(template) == pytest.approx(wanted)
    native = compile_native(chain(), snapshot, fractional=bool(optional))
    wanted = by_hand(native.circuit, native.qubits, optional)
    assert native.prediction.two_qubit_errors == pytest.approx(wanted)
    if vendor in ("ibm_cz", "ibm_fractional", "ibm_ecr", "ionq", "rigetti", "iqm"):
        compiled = AerBackend(snapshot, fractional=bool(optional)).compile(chain())
        if optional:
            assert "rzz" in compiled.circuit.count_ops()
        wanted = by_hand(compiled.circuit, compiled.physical_qubits, optional)
        assert expected_errors(compiled) == pytest.approx(wanted)


def test_an_ideal_device_has_none() -> None:
    compiled = compile_template(chain(), of_pairs("iqm"))
    assert expected_errors(replace(compiled, snapshot=None)) is None

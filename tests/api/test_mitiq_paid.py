"""mitiq on devices that take jobs and write gates row by row: what it folded is what is sent."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qhw
from backends.loopback.braket import BraketService

pytest.importorskip("mitiq", reason="extra mitiq is not installed")
pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.usefixtures("own_home")]


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("t"), 0)
    circuit.cx(0, 1)
    return circuit


@pytest.mark.slow
@pytest.mark.parametrize("device", ["iqm_garnet", "ionq_forte_enterprise"])
def test_folds_reach_the_vendor(braket: BraketService, device: str) -> None:
    rows = np.array([[0.4], [1.1]])
    place = qhw.device(f"braket:{device}", budget="300usd")
    found = qhw.expect(
        turned(), rows, "ZI", place, shots=400, mitigation="mitiq.zne(1,3,linear,method=all)"
    )
    assert braket.queue.accepted
    assert (
        np.abs(found.values[:, 0] - np.cos(rows[:, 0])) < 0.2 + 5 * found.standard_error[:, 0]
    ).all()

"""Our verbatim programs beside those of Amazon's own Qiskit provider, which shares no code.

Both are run on the SDK's simulator as exact state vectors; the circuit is asymmetric in every
wire, so an order of bits that is wrong on one side alone cannot pass.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from backends.braket.compile import labels_of, rows_of
from backends.braket.devices import arn_of, region_of_arn
from backends.braket.program import openqasm
from backends.exact import ExactBackend
from backends.native.compile import compile_template
from calibration.catalog import load_snapshot
from tests.vendors.braket.conftest import Start

pytest.importorskip("braket.circuits", reason="needs the extra `braket`")
provider = pytest.importorskip("qiskit_braket_provider", reason="needs the extra `crosscheck`")
import boto3  # noqa: E402
from braket.aws import AwsDevice, AwsSession  # noqa: E402
from braket.circuits import Circuit  # noqa: E402
from braket.circuits.measure import Measure  # noqa: E402
from braket.devices import LocalSimulator  # noqa: E402

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

MEASURED = (2, 0, 3, 1)


def asymmetric_circuit() -> QuantumCircuit:
    """RY, RZ and a ring of CRX on four wires, angles free, wires measured out of order."""
    angles = ParameterVector("t", 12)
    circuit = QuantumCircuit(4, 4)
    for q in range(4):
        circuit.ry(angles[q], q)
        circuit.rz(angles[4 + q], q)
    for q in range(4):
        circuit.crx(angles[8 + q], q, (q + 1) % 4)
    for bit, wire in enumerate(reversed(MEASURED)):
        circuit.measure(3 - wire, bit)
    return circuit


def distribution(circuit: Circuit) -> NDArray[np.float64]:
    """Outcomes of the measured qubits, first measured most significant, without shots."""
    bare, measured = Circuit(), []
    for instruction in circuit.instructions:
        if isinstance(instruction.operator, Measure):
            measured += [int(q) for q in instruction.target]
        else:
            bare.add_instruction(instruction)
    bare.state_vector()
    state = LocalSimulator().run(bare, shots=0).result().values[0]
    order = sorted(int(q) for q in bare.qubits)
    p = (np.abs(state) ** 2).reshape((2,) * len(order))
    axes = [order.index(q) for q in measured]
    summed = p.sum(axis=tuple(a for a in range(len(order)) if a not in axes))
    left = [a for a in range(len(order)) if a in axes]
    return np.transpose(summed, [left.index(a) for a in axes]).reshape(-1)


@pytest.mark.parametrize(
    "device", ["iqm_garnet", "iqm_emerald", "rigetti_cepheus_1_108q", "ionq_forte_enterprise"]
)
def test_our_verbatim_program_and_the_providers(start: Start, device: str) -> None:
    start(device)
    x = np.random.default_rng(11).uniform(-np.pi, np.pi, (1, 12))
    circuit = asymmetric_circuit()
    ideal = ExactBackend()
    exact = ideal.probabilities(ideal.compile(circuit), x)[0]
    assert np.abs(exact - exact[::-1]).max() > 0.05  # another order would show

    compiled = compile_template(circuit, load_snapshot(device))
    source = openqasm(next(iter(rows_of(compiled, x))), labels_of(compiled))
    ours = distribution(Circuit.from_ir(source))

    arn = arn_of(device)
    session = AwsSession(boto3.Session(region_name=region_of_arn(arn)))
    there = provider.BraketAwsBackend(device=AwsDevice(arn, session))
    bound = circuit.assign_parameters(x[0])
    translated = provider.to_braket(
        bound,
        target=there.target,
        qubit_labels=there.qubit_labels,
        optimization_level=1,
        seed_transpiler=3,
    )
    # the provider measures classical bits from the first on; ours begins with the last
    theirs = distribution(translated).reshape((2,) * 4).transpose().reshape(-1)

    assert "verbatim" in source and "verbatim" in translated.to_ir().source
    assert np.abs(ours - exact).max() < 1e-9
    assert np.abs(ours - theirs).max() < 1e-9

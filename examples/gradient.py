"""Derivatives from a noisy device by parameter-shift rules, beside the exact ones."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qhw

theta = ParameterVector("theta", 2)
circuit = QuantumCircuit(2)
circuit.ry(theta[0], 0)
circuit.ry(theta[1], 1)
circuit.cx(0, 1)
found = qhw.expect(
    circuit, np.array([[0.4, 1.2]]), "Z1", "engine:ibm_fez", shots=2_000, gradient="shift"
)
print(found)

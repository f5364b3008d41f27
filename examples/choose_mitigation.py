"""Pipelines at equal total shots, measured on a device model."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qhw

theta = ParameterVector("theta", 3)
circuit = QuantumCircuit(3)
for qubit in range(3):
    circuit.ry(theta[qubit], qubit)
circuit.cx(0, 1)
circuit.cx(1, 2)
angles = np.random.default_rng(0).uniform(0, np.pi, (3, 3))
print(qhw.bench(circuit, angles, "engine:ibm_fez", shots=5_000, pipelines=["zne(1,3)"], repeats=2))

"""Minimise an exact expectation value in torch."""

import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qhw

theta = ParameterVector("theta", 2)
circuit = QuantumCircuit(2)
circuit.ry(theta[0], 0)
circuit.ry(theta[1], 1)
circuit.cx(0, 1)
energy = qhw.expectation_function(circuit, "1.0*ZZ + 0.5*XI")
angles = torch.tensor([0.4, 0.2], dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([angles], lr=0.1)
for _ in range(200):
    optimizer.zero_grad()
    value = energy(angles)[0]
    value.backward()
    optimizer.step()
print(f"lowest value found: {value.item():.4f}")

"""One circuit, many angles: compiled once, a row of angles for each circuit that runs."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qhw

theta = Parameter("theta")
circuit = QuantumCircuit(2)
circuit.ry(theta, 0)
circuit.cx(0, 1)
angles = np.linspace(0, np.pi, 5)[:, None]
found = qhw.measure(circuit, angles, "engine:iqm_garnet", shots=1_000, mitigation="none")
print(found.to_dataframe().query("outcome == '11'")[["row", "raw", "exact"]])

"""Two entangled qubits on a device model: counts beside the exact reference."""

from qiskit import QuantumCircuit

import qhw

bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
found = qhw.measure(bell, device="engine:ibm_fez", shots=2_000, mitigation="readout")
print(found)
print(found.get_counts())

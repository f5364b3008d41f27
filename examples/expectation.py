"""An energy of a small Hamiltonian with an error bar, readout errors and gate noise mitigated."""

from qiskit import QuantumCircuit

import qhw

circuit = QuantumCircuit(2)
circuit.ry(0.6, 0)
circuit.cx(0, 1)
energy = "-1.05*II + 0.4*ZI - 0.4*IZ + 0.18*XX - 0.01*ZZ"
found = qhw.expect(
    circuit, None, energy, "engine:ibm_fez", shots=4_000, mitigation="readout+zne(1,3)"
)
print(found)
print(f"off by {float((found.values - found.exact).item()):+.4f}")

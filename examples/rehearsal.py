"""Price a run, send it through the ledger and take it up again; a stand-in for the device."""

from qiskit import QuantumCircuit

import qhw

bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
device = qhw.device("emulator:ibm_fez")
print(qhw.estimate(bell, None, device, shots=500, mitigation="none").micro / 1e6, "usd")
run = qhw.submit(bell, None, device, shots=500, mitigation="none")
print(qhw.run(run.id).wait())

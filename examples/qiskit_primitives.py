"""Qiskit's primitives on a device model; what takes primitives takes these."""

from qiskit import QuantumCircuit

import qhw

bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
value = qhw.Estimator("engine:ibm_fez").run([(bell, ["ZZ", "XX"])], precision=0.05).result()[0]
print(value.data.evs, value.data.stds)
bell.measure_all()
print(qhw.Sampler("engine:ibm_fez").run([bell], shots=500).result()[0].data.meas.get_counts())

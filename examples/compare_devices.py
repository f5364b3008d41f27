"""The same circuit on three device models."""

from qiskit import QuantumCircuit

import qhw

ghz = QuantumCircuit(4)
ghz.h(0)
for qubit in range(3):
    ghz.cx(qubit, qubit + 1)
for name in ("ibm_fez", "iqm_garnet", "ionq_forte_enterprise"):
    found = qhw.measure(ghz, device=f"engine:{name}", shots=2_000, mitigation="none")
    verdict = found.result.verdict
    print(f"{name:24} skill {verdict.skill.estimate.value:.2f}, {verdict.level}")

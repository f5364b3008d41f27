"""Held-out molecules end to end through a noisy device model."""

import qhw

found = qhw.compare(
    "nisq-chain5", "engine:ibm_boston", task="reconstruct", molecules=5, shots=10_000
)
print(found)
print(found.to_dataframe()[["exact_smiles", "device_smiles", "rmsd"]])
print(found.save("runs/molecules") / "report.html")

"""Ansätze and their Qiskit templates; state preparation; bit order."""

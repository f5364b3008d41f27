"""Optimisation levels."""

LEVELS = (0, 1, 2, 3)
"""As Qiskit counts them."""

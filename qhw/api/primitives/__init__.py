"""Qiskit's primitives over any device: circuits of other people's libraries run here."""

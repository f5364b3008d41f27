"""Dynamic circuits: measurements in the middle, resets of qubits in use, and what they decide."""

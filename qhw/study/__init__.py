"""Noise studies: sweeps over devices, noise, shots, mitigation, models, layouts and seeds."""

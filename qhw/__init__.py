"""Run trained molecular quantum circuits on noisy quantum computers and compare them with exact."""

"""Expectation values and their derivatives on any device."""

"""Batched noisy simulation of compiled circuits: one shared part computed once, rows in torch."""

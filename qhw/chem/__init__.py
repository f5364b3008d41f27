"""Molecules: reading, frames, amplitude encodings, geometry metrics."""

"""Exact references of wide circuits: what can be known of a distribution without its vector."""

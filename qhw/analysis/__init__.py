"""Comparison of what a device gave with what is exact."""

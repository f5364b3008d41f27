"""Vendors on this machine: real HTTP servers that speak the wire protocols of the real ones."""

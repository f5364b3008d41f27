"""Everything that runs a circuit: one protocol, one module a vendor or simulator."""

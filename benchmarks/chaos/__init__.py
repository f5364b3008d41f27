"""Chaos: seeded schedules of vendor faults and killed clients, and what must hold after each."""

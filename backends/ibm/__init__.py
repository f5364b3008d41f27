"""IBM Quantum Platform: the device that takes jobs, its client, programs, answers, emulator."""

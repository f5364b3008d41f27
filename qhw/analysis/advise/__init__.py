"""Which pipeline will win on a device, found without running the circuit itself?"""

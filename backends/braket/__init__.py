"""Amazon Braket: devices that take tasks, the client, programs, prices, results, emulator."""

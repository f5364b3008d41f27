"""What a device is like and how we know it."""

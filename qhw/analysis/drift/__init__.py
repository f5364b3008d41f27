"""What does a device's drift do to a circuit?"""

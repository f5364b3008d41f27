"""What does a circuit become on each device, and will it survive?"""

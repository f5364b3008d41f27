"""What device models predicted, beside what real quantum computers gave."""

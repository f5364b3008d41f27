"""Other people's compilers, scored by the house's own prediction: a module each."""

"""What does a device make of a force field's energies and forces?"""

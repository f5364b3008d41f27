"""Force fields: energies and forces of molecules from shallow circuits, with classical controls."""

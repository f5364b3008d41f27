"""Measurements of speed; not part of the installed packages."""

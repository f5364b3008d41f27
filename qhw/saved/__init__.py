"""Finished runs as their folders hold them: found, listed, laid side by side."""

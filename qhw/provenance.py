"""With what a result was made."""

from __future__ import annotations

import importlib.metadata
import platform

_PACKAGES = (
    "qhw",
    "torch",
    "numpy",
    "scipy",
    "qiskit",
    "qiskit-aer",
    "qiskit-ibm-runtime",
    "rdkit",
)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers; packages not installed are left out."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

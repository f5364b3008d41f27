"""What must hold of a ledger's files and words, whatever a vendor did."""

from __future__ import annotations

import re
import stat
from pathlib import Path

MARKED = re.compile(
    r"(?i)contradict|does not fit|not believ|implausib|unknown|not known|reserve|never told"
)
"""How a cost says that it is not the vendor's plain word."""


def files_problems(folder: Path, secrets: tuple[str, ...]) -> list[str]:
    """Ledger files that others may read, and files that hold a secret in their raw bytes."""
    problems = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if any(secret.encode() in data for secret in secrets):
            problems.append(f"secret in {path.name}")
        if path.name.startswith("ledger.db") and stat.S_IMODE(path.stat().st_mode) & 0o077:
            problems.append(f"{path.name} is open to others")
    return problems

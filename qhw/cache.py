"""Where results that can be computed again are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$QHW_CACHE``, else ``$XDG_CACHE_HOME/qhw``, else ``~/.cache/qhw``; not made here."""
    named = os.environ.get("QHW_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "qhw"

"""Where results that can be computed again are kept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """``$QHW_CACHE``, else ``$XDG_CACHE_HOME/qhw``, else ``~/.cache/qhw``; not made here."""
    named = os.environ.get("QHW_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "qhw"


def made_cache_folder() -> Path:
    """:func:`cache_folder`, made and known to be writable before anything is computed for it.

    Raises:
        ValueError: it cannot be written; the line says how to name another.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(
            f"The cache folder {folder} must be one that can be written, but: {error.strerror}; "
            "QHW_CACHE names another, and `qhw depth-report --no-cache` needs none"
        ) from error

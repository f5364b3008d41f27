"""Where results that can be computed again are kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backends.places import named_path, xdg_folder


def cache_folder() -> Path:
    """``$QHW_CACHE``, else ``$XDG_CACHE_HOME/qhw``, else ``~/.cache/qhw``; not made here."""
    return named_path("QHW_CACHE") or xdg_folder("XDG_CACHE_HOME", ".cache")


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

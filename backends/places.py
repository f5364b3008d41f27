"""Folders and files that the environment names: the same place from whatever folder is current.

A relative path would be another place after ``cd``, and a ledger with its caps would vanish.
"""

from __future__ import annotations

import os
from pathlib import Path


class PlaceError(ValueError):
    """A variable names no place that can be used; the line says which."""


def named_path(variable: str) -> Path | None:
    """The absolute path that a variable names, ``~`` expanded; ``None`` where it is not set.

    Raises:
        PlaceError: it is relative.
    """
    value = os.environ.get(variable)
    return absolute(value, variable) if value else None


def xdg_folder(base: str, default: str) -> Path:
    """This house's folder in one of the XDG base directories: ``$base/qhw``; not made here.

    Args:
        base: the variable that names the directory.
        default: the directory below the home folder where it is not set.

    Raises:
        PlaceError: the path would be relative.
    """
    return (named_path(base) or absolute(f"~/{default}", "HOME")) / "qhw"


def absolute(value: str, what: str) -> Path:
    """A path that depends on no current folder, ``~`` expanded.

    Args:
        value: as given.
        what: whose value it is, for the message.

    Raises:
        PlaceError: it is relative.
    """
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # no such user
        path = Path(value)
    if not path.is_absolute():
        raise PlaceError(
            f"{what} must be an absolute path or begin with ~/, but is {value!r}: it would be "
            "another place in every folder"
        )
    return path

"""Docstrings as the site's builder reads them: roles become code, an example a section."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`~?([\w.]+)`")


_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Roles(griffe.Extension):
    """Changes docstrings when they are read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of every module, class, function and attribute."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub("Examples:", text)

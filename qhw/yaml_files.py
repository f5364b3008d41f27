"""YAML files of users, bounded: a few lines of aliases stand for more than a machine holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from calibration.documents import read_bounded

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
"""Values of a file, what aliases stand for counted every time."""
MAX_NESTING = 32


def read_yaml(path: Path) -> Any:
    """The value of a YAML file, plain data only.

    Raises:
        OSError: it cannot be read, is no regular file, or is too large.
        ValueError: not UTF-8, not YAML, nested too deeply, or too many values; one line, without
            the file's name.
    """
    text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    try:
        _check_size(text)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _check_size(text: str) -> None:
    """Add up the values from the parser's events, before any of them is made."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor and values so far
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        anchor, size = getattr(event, "anchor", None), 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((anchor, 1))
            if len(open_nodes) > MAX_NESTING:
                raise ValueError(f"it must nest at most {MAX_NESTING} deep, but nests deeper")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(anchor or "", 1)
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if anchor is not None and not isinstance(event, yaml.AliasEvent):
            sizes[anchor] = size
        outer, total = open_nodes[-1]
        if total + size > MAX_NODES:
            raise ValueError(f"it must have at most {MAX_NODES} values, but has more")
        open_nodes[-1] = (outer, total + size)

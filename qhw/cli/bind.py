"""``--bind``: values of a circuit file's parameters and inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bind = Annotated[
    list[str] | None,
    typer.Option(
        "--bind",
        metavar="NAME=VALUE|FILE",
        help="A value of a free parameter or input of the circuits, or a .json or .yaml file of "
        "names and values; may be repeated.",
    ),
]


def bound_values(given: list[str] | None) -> dict[str, object]:
    """Values by name; later ones win.

    Raises:
        ValueError: neither a name with a number nor a file of them.
    """
    found: dict[str, object] = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if sign:
            found[name.strip()] = _value(name.strip(), value.strip())
        else:
            found |= _from_file(Path(text))
    return found


def _value(name: str, text: str) -> object:
    if not name:
        raise ValueError(f"Argument `bind` must be NAME=VALUE, but names nothing before {text!r}.")
    if text in ("true", "false"):
        return text == "true"
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ValueError(
        f'Argument `bind` must give {name!r} a number, true, false or "bits", but gives {text!r}.'
    )


def _from_file(path: Path) -> dict[str, object]:
    from qhw.yaml_files import read_yaml

    try:
        found = read_yaml(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Argument `bind` must be NAME=VALUE or a file of them, but {path}: {error}."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"Argument `bind` must be a file of names and values, but {path} is not.")
    return dict(found)

"""Kinds of models: one line each, imported when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from pydantic import ValidationError

from qhw.models.base import MoleculeVAE

KINDS: dict[str, str] = {
    "qvae": "qhw.models.qvae.QVAE",
    "nisq": "qhw.models.nisq.NISQVAE",
}
"""Kind -> class. A class takes ``(config, generator)``, has a pydantic ``Config`` and keeps the
config it was made from as ``config``."""


def model_class(kind: str) -> Any:
    """The class of a kind.

    Raises:
        ValueError: unknown kind; the message lists those that exist.
    """
    if kind not in KINDS:
        raise ValueError(f"Argument `kind` must be one of {', '.join(KINDS)}, but is {kind!r}.")
    module, name = KINDS[kind].rsplit(".", 1)
    return getattr(import_module(module), name)


def build(kind: str, config: Mapping[str, Any], generator: torch.Generator) -> MoleculeVAE:
    """A fresh model.

    Args:
        kind: key of :data:`KINDS`.
        config: fields of the class's ``Config``; missing ones take their defaults.
        generator: draws the initial weights.

    Raises:
        ValueError: unknown kind, or unknown, missing or out-of-range fields, by name.
    """
    cls = model_class(kind)
    try:
        parsed = cls.Config.model_validate(dict(config))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})"
            for e in error.errors()
        )
        raise ValueError(
            f"Argument `config` must fit model kind {kind!r}, but {faults}."
        ) from error
    model: MoleculeVAE = cls(parsed, generator)
    return model

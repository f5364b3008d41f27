"""Kinds of models: one line each, imported when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from calibration.closest import quoted
from calibration.plugins import Table

if TYPE_CHECKING:
    import torch

    from qhw.models.base import Model

KINDS = Table(
    "models",
    "model kind",
    {
        "qvae": "qhw.models.qvae:QVAE",
        "qcvae": "qhw.models.qcvae:QCVAE",
        "nisq": "qhw.models.nisq:NISQVAE",
        "force-field": "qhw.forces.model:ForceField",
        "lmdm": "qhw.lmdm.model:LMDM",
        "properties": "qhw.lmdm.properties:PropertyNetwork",
        "nisq-control": "qhw.models.nisq_control:NISQControl",
        "nisq-joint": "qhw.models.nisq_joint:NISQJoint",
        "siqnn": "qhw.forces.spin_model:SymmetricField",
        "environment-qnn": "qhw.forces.spin_model:RevisedField",
        "environment-qnn-baseline": "qhw.forces.spin_model:BaselineField",
    },
)
"""Class of every kind: a :class:`qhw.models.base.Model`. A class takes ``(config, generator)``, has
a pydantic ``Config`` and keeps the config it was made from as ``config``."""


def model_class(kind: str) -> type[Model]:
    """The class of a kind.

    Raises:
        ValueError: unknown kind; the line has the closest.
        PluginError: a package's kind that cannot be used.
    """
    from pydantic import BaseModel

    from qhw.models.base import Model

    if kind not in KINDS:
        raise ValueError(
            f"Argument `kind` must be one of those there are, but is {quoted(kind)} "
            f"({KINDS.near(kind)})."
        )
    found = KINDS.get(kind)
    if not (isinstance(found, type) and issubclass(found, Model)):
        KINDS.refuse(kind, "it must be a class of qhw.models.base.Model, but is not")
    config, own = getattr(found, "Config", None), getattr(found, "kind", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        KINDS.refuse(kind, "its class must have a pydantic `Config`, but has none")
    if own != kind:
        KINDS.refuse(kind, f"its class must have `kind` {kind!r}, but has {own!r}")
    checked: type[Model] = found
    return checked


def build(kind: str, config: Mapping[str, Any], generator: torch.Generator) -> Model:
    """A fresh model.

    Args:
        kind: key of :data:`KINDS`.
        config: fields of the class's ``Config``; missing ones take their defaults.
        generator: draws the initial weights.

    Raises:
        ValueError: unknown kind, or unknown, missing or out-of-range fields, by name.
        PluginError: a package's kind that cannot be used.
    """
    from pydantic import ValidationError

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
    model: Model = KINDS.call(kind, cls, parsed, generator)
    if getattr(model, "config", None) is not parsed:  # else it could not be stored once trained
        KINDS.refuse(kind, "it must keep the config it is made from as `config`, but does not")
    return model

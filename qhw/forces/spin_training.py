"""Training of models A and B, in the way of :mod:`qhw.forces.training`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from qhw.chem.geometries import Geometries
from qhw.forces.config import ForceTrainConfig, LoopConfig
from qhw.forces.prepared import LabelledInputs, errors
from qhw.forces.projected import kinds_of, slopes_in_chunks
from qhw.forces.ridge import reference_energies
from qhw.forces.spin_model import SpinField
from qhw.forces.training import (
    ForceData,
    LabelledSets,
    Weights,
    controls_of,
    dtype_of,
    measured,
    prepare,
    read_data,
    trained,
)
from qhw.forces.vectors import Vectors
from qhw.models import checkpoint
from qhw.models.registry import build
from qhw.models.training_run import make_folder, torch_threads

SpinKind = Literal["siqnn", "environment-qnn", "environment-qnn-baseline"]
_UNITLESS = 1.0
"""Å over which the root mean square force makes the unit of the heads' energies."""


class SpinModelSpec(BaseModel):
    """Which model: fields of its config, but for the reference energies, which the data give.

    Model B's species are the data's unless they are given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: SpinKind
    config: dict[str, dict[str, JsonValue]] = {}


class SpinTrainConfig(LoopConfig):
    """A training run of model A or B.

    Attributes:
        model: which.
    """

    model: SpinModelSpec
    learning_rate: float = Field(default=1e-2, gt=0)
    clip_norm: float = Field(default=1.0, gt=0)
    precision: Literal["float32", "float64"] = "float64"


def train_spin_field(
    config: SpinTrainConfig,
    out: Path,
    *,
    data: ForceData | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train model A or B and write ``model.safetensors`` and ``model.json`` into a folder.

    As :func:`qhw.forces.training.train_force_field`; the card has the errors of the mean and of a
    ridge regression on smooth invariants of the same frames beside its own.

    Args:
        config: the run.
        out: folder, made if missing.
        data: read from the config's files by default.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.

    Returns:
        Path of ``model.safetensors``.

    Raises:
        ValueError: a bad config, data that cannot be used, or a state of another config.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    data = data or read_data(config.data)
    make_folder(out)
    config.check_batch(len(data.train))
    with torch_threads(config.threads):
        model = _fresh(config, data)
        sets = LabelledSets(
            *(_labelled(config, model, part) for part in (data.train, data.validation))
        )
        weights = Weights(lambda: _started(config, data, sets.train))
        head = trained(config, weights, sets, data, out, resume=resume, progress=progress)
        model.head = head.eval()
        found = _errors(config, model, data, sets)
        found |= _controls(config, data)
    checkpoint.save(
        model.double().eval(),
        out / "model.safetensors",
        name=config.name,
        seed=config.seed,
        training=config.model_dump(mode="json"),
        data=data.source,
        metrics=found,
    )
    return out / "model.safetensors"


def _fresh(config: SpinTrainConfig, data: ForceData) -> SpinField:
    """The model before training, for the data's species.

    Raises:
        ValueError: a bad config.
        GeometryError: frames that the model is not made for.
    """
    given: dict[str, Any] = dict(config.model.config)
    if config.model.kind != "siqnn":
        given["vectors"] = {"species": data.train.species, **given.get("vectors", {})}
        species = tuple(given["vectors"]["species"])
    else:
        species = data.train.species
    given["reference"] = tuple(reference_energies(data.train, species).tolist())
    generator = torch.Generator().manual_seed(config.seed)
    model = build(config.model.kind, given, generator)
    assert isinstance(model, SpinField)
    vectors: Vectors = model.config.vectors
    for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        if part is not None:
            vectors.check(part, f"`{name}`")
    return model.to(dtype_of(config))


def _started(config: SpinTrainConfig, data: ForceData, train: LabelledInputs) -> Any:
    """The head as training starts from it, the same every time."""
    head = _fresh(config, data).head
    assert data.train.forces is not None
    there = train.kinds >= 0
    size = float(np.sqrt(np.square(data.train.forces[there.numpy()]).mean()))
    head.start(train.inputs[there], train.kinds[there], size * _UNITLESS)
    head.judges_shots = config.shot_weight > 0
    return head


def _labelled(config: SpinTrainConfig, model: SpinField, frames: Geometries) -> LabelledInputs:
    """Frames as the head sees them."""
    assert frames.energies is not None
    assert frames.forces is not None
    dtype = dtype_of(config)
    vectors: Vectors = model.config.vectors
    numbers = torch.from_numpy(frames.numbers)
    counts = torch.stack([(numbers == z).sum(1) for z in vectors.species], 1).double()
    reference = torch.tensor(model.config.reference, dtype=torch.float64)
    found = list(slopes_in_chunks(vectors, frames, dtype))
    slopes = [part.flatten(1, 2) for _, _, part in found]
    return LabelledInputs(
        kinds_of(numbers, vectors.species),
        torch.cat([values for _, values, _ in found]),
        torch.cat(slopes).contiguous(),
        (torch.from_numpy(frames.energies) - counts @ reference).to(dtype),
        -torch.from_numpy(frames.forces).flatten(1).to(dtype),
    )


def _errors(
    config: SpinTrainConfig, model: SpinField, data: ForceData, sets: LabelledSets
) -> dict[str, float | None]:
    parts = {"validation": sets.validation}
    if data.test is not None:
        parts["test"] = _labelled(config, model, data.test)
    return {
        f"{name}/{key}": value
        for name, part in parts.items()
        for key, value in errors({"": model.head}, _pieces(part))[""].items()
    }


def _pieces(part: LabelledInputs) -> Any:
    return (part[first : first + 32] for first in range(0, len(part), 32))


def _controls(config: SpinTrainConfig, data: ForceData) -> dict[str, float | None]:
    """Errors of the mean and of the ridge on the same frames."""
    ridge = ForceTrainConfig.model_validate(
        {
            "name": config.name,
            "model": {"kind": "force-field", "config": {"head": {"kind": "ridge"}}},
            "data": config.data.model_dump(),
            "energy_weight": config.energy_weight,
            "inputs": 1,
            "precision": "float64",
        }
    )
    prepared = prepare(ridge, data)
    return measured(controls_of(ridge, prepared), data, prepared, test=True)

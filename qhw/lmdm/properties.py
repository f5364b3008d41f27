"""Properties of molecules with hydrogens, from their geometry: EDM's property classifier.

It judges what a conditional generator was asked for (Hoogeboom et al., arXiv 2203.17003, section
5.2), so it must not have seen the molecules that the generator learnt from: it is trained on the
other half of the training split.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import one_hot, silu

from qhw.chem.geometries import Geometries
from qhw.chem.molecule import MoleculeBatch
from qhw.lmdm.autoencoder import plain_scales
from qhw.lmdm.data import (
    Asked,
    Batch,
    SizedBatches,
    WholeMolecules,
    asked_of,
    edm_split,
    known_once,
    load_whole_qm9,
)
from qhw.lmdm.loop import AtomRun, AtomTrainConfig
from qhw.lmdm.network import EquivariantNetwork, NetworkConfig, draw_weight
from qhw.models.base import AbilityError, Model
from qhw.models.training_run import make_folder, torch_threads

_PER_BATCH = 250
_MANY = 10.0
"""Divides sums over atoms."""


class PropertyShape(BaseModel):
    """What of a model's config a training config gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkConfig = NetworkConfig()


class PropertyConfig(PropertyShape):
    """What a model is made from.

    Attributes:
        network: of the atoms.
        elements: atomic numbers.
        properties: predicted.
    """

    elements: tuple[int, ...] = (1, 6, 7, 8, 9)
    properties: tuple[Asked, ...] = Field(min_length=1)


class PropertyNetwork(Model):
    """Predicts properties of molecules with hydrogens.

    Args:
        config: what it is made from.
        generator: draws the initial weights.
    """

    kind: ClassVar[str] = "properties"
    Config: ClassVar[type[BaseModel]] = PropertyConfig
    config: PropertyConfig

    def __init__(self, config: PropertyConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        width = config.network.width
        self.network = EquivariantNetwork(config.network, len(config.elements), width, 1, generator)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, len(config.properties))
        )
        for name, weight in self.head.named_parameters():
            draw_weight(name, weight, generator)

    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Not of heavy atoms.

        Raises:
            AbilityError: always; :func:`train_properties` trains it.
        """
        del molecules, generator
        raise AbilityError("A model of properties must be trained on molecules with hydrogens")

    def forward(self, x: Tensor, types: Tensor) -> Tensor:
        """Standardised values ``(B, c)`` of molecules of one size.

        Args:
            x: positions ``(B, n, 3)``, Å.
            types: of atoms, places in ``elements``, ``(B, n)``.
        """
        kinds = one_hot(types, len(self.config.elements)).float()
        atoms = silu(self.network(x, kinds, *plain_scales(x))[1]).sum(dim=1) / _MANY
        with torch.autocast(x.device.type, enabled=False):
            return self.head(atoms.float())  # type: ignore[no-any-return]

    @torch.no_grad()
    def predict(self, molecules: Geometries) -> NDArray[np.float64]:
        """Values ``(B, c)`` in :data:`qhw.lmdm.data.PROPERTIES`' units.

        Raises:
            ValueError: an element that the model does not know, or no molecules.
        """
        bare = np.empty((len(molecules), 0), dtype=np.float32)
        batches = SizedBatches(WholeMolecules(molecules), self.config.elements, bare, 1, 0)
        found = np.zeros((len(molecules), len(self.config.properties)))
        for atoms in np.unique(batches.counts):
            rows = np.flatnonzero(batches.counts == atoms)
            for part in np.split(rows, range(_PER_BATCH, len(rows), _PER_BATCH)):
                batch = batches.batch(int(atoms), part)
                found[part] = self(batch.positions, batch.types).numpy()
        scales = [(c.mean, c.spread) for c in self.config.properties]
        means, spreads = np.array(scales).T
        return np.asarray(means + spreads * found)


class PropertySpec(BaseModel):
    """Which model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["properties"]
    config: PropertyShape = PropertyShape()


class PropertyTrainConfig(AtomTrainConfig):
    """A training run; what every training on molecules with hydrogens is told stands in
    :class:`qhw.lmdm.loop.AtomTrainConfig`.

    Attributes:
        model: which.
        properties: predicted, of :data:`qhw.lmdm.data.PROPERTIES`.
        evaluate: molecules of EDM's test split that errors are measured on.
    """

    model: PropertySpec
    properties: tuple[str, ...] = Field(min_length=1)

    _known_once = field_validator("properties")(known_once)


class PropertyRun(AtomRun[PropertyNetwork]):
    """A model in training: mean absolute error of standardised values, as EDM's classifier."""

    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Of each property, and their mean."""
        del step
        off = (self.model(batch.positions, batch.types) - batch.conditions).abs().mean(dim=0)
        names = [c.name for c in self.model.config.properties]
        return {"total": off.mean(), **dict(zip(names, off, strict=True))}


def train_properties(
    config: PropertyTrainConfig,
    out: Path,
    *,
    data: WholeMolecules | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train a model and write ``model.safetensors`` and ``model.json`` into a folder.

    A run that was stopped goes on as :func:`qhw.lmdm.training.train_lmdm`'s.

    Args:
        config: the run.
        out: folder, made if missing.
        data: molecules to train on; by default QM9's training split, and errors are measured on its
            test split.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.

    Returns:
        Path of ``model.safetensors``.

    Raises:
        ModuleNotFoundError: QM9 is not installed.
        ValueError: a property the data do not have, a state of another config, no such device.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    make_folder(out)
    config.check_device()
    tested, source = None, "given"
    if data is None:
        everything = load_whole_qm9()
        train, _, test = edm_split(len(everything))
        data, tested = everything.take(train), everything.take(test[: config.evaluate])
        source = "QM9 with hydrogens (qm9pack), EDM's training split"
    molecules = config.part(data)
    asked = asked_of(molecules, config.properties)
    shape = PropertyConfig(
        network=config.model.config.network,
        elements=molecules.geometries.species,
        properties=asked,
    )
    with torch_threads(config.threads):
        generator = torch.Generator().manual_seed(config.seed)
        model = PropertyNetwork(shape, generator)
        run = PropertyRun(config, model, molecules, shape.elements, asked, generator)
        if config.compiled:
            model.network.compile(dynamic=True)
        seconds = run.train(out, resume=resume, progress=progress)
        kept = run.average.eval().cpu()
        errors = {} if tested is None else property_errors(kept, tested)
    metrics = {f"mae/{name}": value for name, value in errors.items()}
    return run.save(out, source=source, seconds=seconds, metrics=metrics)


def property_errors(model: PropertyNetwork, molecules: WholeMolecules) -> dict[str, float | None]:
    """Mean absolute errors by name, in :data:`qhw.lmdm.data.PROPERTIES`' units."""
    found = model.predict(molecules.geometries)
    return {
        c.name: float(np.abs(found[:, i] - molecules.properties[c.name]).mean())
        for i, c in enumerate(model.config.properties)
    }

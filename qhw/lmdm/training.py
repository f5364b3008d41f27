"""Training of LMDM: the autoencoder first, then the score network on its latents; exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from qhw.lmdm.autoencoder import AutoencoderConfig
from qhw.lmdm.data import (
    Batch,
    WholeMolecules,
    asked_of,
    edm_split,
    known_once,
    load_whole_qm9,
)
from qhw.lmdm.evaluate import drawn_metrics
from qhw.lmdm.geom import GeomSpec, load_geom_drugs
from qhw.lmdm.loop import AtomRun, AtomTrainConfig
from qhw.lmdm.model import LMDM, LMDMConfig
from qhw.lmdm.network import NetworkConfig
from qhw.models.training_run import make_folder, torch_threads


class LMDMShape(BaseModel):
    """What of a model's config a training config gives; the rest is the data's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig | None = AutoencoderConfig()
    score: NetworkConfig = NetworkConfig()
    variational: int = 0
    variational_weight: float = 1e-3


class LMDMSpec(BaseModel):
    """Which model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lmdm"]
    config: LMDMShape = LMDMShape()


class LMDMTrainConfig(AtomTrainConfig):
    """A training run; what every training on molecules with hydrogens is told stands in
    :class:`qhw.lmdm.loop.AtomTrainConfig`.

    Attributes:
        model: which.
        conditions: properties that may be asked for, of :data:`qhw.lmdm.data.PROPERTIES`.
        autoencoder_steps: of the optimiser, first; ``steps`` are of the score network.
        leave_open: share of the molecules that each condition is hidden of.
        geom: train on GEOM-Drugs, from its published file, in place of QM9.
        evaluate: molecules drawn and judged at the end.
    """

    model: LMDMSpec
    conditions: tuple[str, ...] = ()
    autoencoder_steps: int = Field(default=4000, ge=1)
    leave_open: float = Field(default=0.1, ge=0, le=1)
    geom: GeomSpec | None = None

    _known_once = field_validator("conditions")(known_once)


def train_lmdm(
    config: LMDMTrainConfig,
    out: Path,
    *,
    data: WholeMolecules | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train a model and write ``model.safetensors`` and ``model.json`` into a folder.

    A run that was stopped goes on from its last state and ends with the same weights, bit for bit
    (with the same numbers of threads and not ``compiled``). ``log.jsonl`` has a line every
    ``report_every`` steps.

    Args:
        config: the run.
        out: folder, made if missing.
        data: molecules to train on; by default the training split of what the config names.
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
    molecules, source = _chosen(config, data)
    asked = asked_of(molecules, config.conditions)
    sizes, numbers = np.unique(molecules.counts, return_counts=True)
    shape = LMDMConfig(
        elements=molecules.geometries.species,
        conditions=asked,
        sizes=tuple(map(int, sizes)),
        shares=tuple(float(n) / len(molecules) for n in numbers),
        **{k: getattr(config.model.config, k) for k in LMDMShape.model_fields},
    )
    with torch_threads(config.threads):
        run = LMDMRun(config, shape, molecules)
        seconds = run.train(out, resume=resume, progress=progress)
        metrics = drawn_metrics(run.average.eval().cpu(), config.evaluate, (0,))
    return run.save(out, source=source, seconds=seconds, metrics=metrics)


def _chosen(config: LMDMTrainConfig, data: WholeMolecules | None) -> tuple[WholeMolecules, str]:
    """What is trained on, and words on where it is from."""
    source = "given"
    if data is None and config.geom is not None:
        geom = load_geom_drugs(config.geom)
        data, source = geom.conformers.take(geom.split()[0]), "GEOM-Drugs, training split"
    elif data is None:
        everything = load_whole_qm9()
        data = everything.take(edm_split(len(everything))[0])
        source = "QM9 with hydrogens (qm9pack), EDM's training split"
    return config.part(data), source


class LMDMRun(AtomRun[LMDM]):
    """A model in training.

    Args:
        config: of the run.
        shape: of the model.
        molecules: what it is trained on.
    """

    config: LMDMTrainConfig

    def __init__(
        self, config: LMDMTrainConfig, shape: LMDMConfig, molecules: WholeMolecules
    ) -> None:
        generator = torch.Generator().manual_seed(config.seed)
        model = LMDM(shape, generator)
        super().__init__(config, model, molecules, shape.elements, shape.conditions, generator)
        self.first = config.autoencoder_steps if shape.autoencoder is not None else 0
        self.total = self.first + config.steps
        if config.compiled:
            model.score.compile(dynamic=True)
            if model.autoencoder is not None:
                model.autoencoder.encoder.compile(dynamic=True)
                model.autoencoder.decoder.compile(dynamic=True)

    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """The autoencoder's at first, then the score network's."""
        if step < self.first:
            assert self.model.autoencoder is not None
            return self.model.autoencoder.loss(batch.positions, batch.types, self.generator)
        with torch.no_grad():  # the autoencoder is finished: its mean is what is sampled with
            x, h = self.average.latent(batch)
        hidden = torch.rand(batch.conditions.shape, generator=self.generator).to(x.device)
        asked = batch.conditions.masked_fill(hidden < self.config.leave_open, torch.nan)
        return self.model.score_loss(x, h, asked, self.generator)

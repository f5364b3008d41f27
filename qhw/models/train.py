"""One training loop for every kind of model: Adam, a log of JSON lines, exact resume."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from torch import Tensor

from qhw.chem.labels import with_properties
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import load_qm9, split
from qhw.models import checkpoint
from qhw.models.base import Model
from qhw.models.conditions import Conditional
from qhw.models.registry import build
from qhw.models.training_run import (
    TrainingConfig,
    TrainingError,
    cut_log,
    make_folder,
    shown,
    torch_threads,
)
from qhw.models.training_state import TrainingState
from qhw.yaml_files import read_yaml


class ModelSpec(BaseModel):
    """Which model: its kind and the fields of that kind's config that differ from the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    config: dict[str, JsonValue] = {}


class TrainConfig(TrainingConfig):
    """A training run.

    Attributes:
        name: of the checkpoint it makes.
        model: which model.
        epochs: passes over the training molecules.
        batch_size: molecules a step; a last, smaller batch is left out.
        learning_rate: Adam's.
        weight_decay: Adam's L2 term.
        schedule: ``"constant"``, or ``"cosine"``: from the learning rate to zero over the run.
        clip_norm: largest gradient norm, ``None`` for no limit.
        seed: of weights, order of molecules and latent noise.
        molecules: train on the first so many of the training split; all by default.
        evaluate: molecules of the validation split measured at the end.
        checkpoint_every: epochs between states on disk.
        threads: that a step may use. A model that spreads its batches itself gets the same
            weights from any number; for others, which leave it to torch, one is the usual choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: ModelSpec
    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    clip_norm: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0, lt=2**63)
    molecules: int | None = Field(default=None, ge=1)
    evaluate: int = Field(default=2000, ge=1)
    checkpoint_every: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)


def is_of_prior(path: Path) -> bool:
    """Whether a training config is one of a prior; what cannot be read is told of later."""
    try:
        found = read_yaml(path)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "prior" in found


@runtime_checkable
class Precomputes(Protocol):
    """A model that turns its training set into tensors once (rows picked by a tensor)."""

    def precompute(self, molecules: MoleculeBatch) -> Any:
        """Tensors of a training set, with ``len`` and ``[rows]``."""

    def loss_of(self, data: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """As :meth:`qhw.models.base.Model.loss`, of picked rows."""


@dataclass(frozen=True)
class TrainingSet:
    """Molecules to train on and to measure with, and a word on where they are from."""

    train: MoleculeBatch
    validation: MoleculeBatch
    source: str


def qm9_training_set(properties: Sequence[str] = ()) -> TrainingSet:
    """QM9's training and validation split.

    Args:
        properties: that its molecules are labelled with.

    Raises:
        ModuleNotFoundError: the extra ``train`` is not installed.
    """
    data = load_qm9()
    rows = split(len(data))
    if properties:
        data = with_properties(data, properties)
    return TrainingSet(
        data.molecules[rows.train], data.molecules[rows.validation], "QM9 (qm9pack), seed-0 split"
    )


def train(
    config: TrainConfig,
    out: Path,
    *,
    data: TrainingSet | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train a model and write ``model.safetensors`` and ``model.json`` into a folder.

    A run that was stopped goes on from its last state (``state.safetensors``) and ends with the
    same weights, bit for bit, as one that was not. ``log.jsonl`` has one line an epoch.

    Args:
        config: the run.
        out: folder, made if missing.
        data: QM9 by default.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.

    Returns:
        Path of ``model.safetensors``.

    Raises:
        ValueError: unknown kind or bad model config, fewer molecules than a batch, or a state in
            ``out`` that is of another config.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    generator = torch.Generator().manual_seed(config.seed)
    model = build(config.model.kind, config.model.config, generator)
    make_folder(out)
    wanted = [one.property for one in model.conditions] if isinstance(model, Conditional) else []
    data = data or qm9_training_set(wanted)
    molecules = data.train[: config.molecules]
    if len(molecules) < config.batch_size:
        raise ValueError(
            f"Argument `batch_size` must be at most the number of molecules ({len(molecules)}), "
            f"but is {config.batch_size}."
        )
    run = _Run(config, model, molecules, generator)
    state = TrainingState(out / "state.safetensors", _digest(config, molecules))
    log = out / "log.jsonl"
    first = state.restore(model, run.optimizer, generator) if resume else 0
    cut_log(log, first)
    model.threads = config.threads
    with torch_threads(1 if model.spreads else config.threads):
        for epoch in shown(range(first, config.epochs), config.name, config.epochs, progress):
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(run.epoch(epoch)) + "\n")
            if (epoch + 1) % config.checkpoint_every == 0 or epoch + 1 == config.epochs:
                state.write(model, run.optimizer, generator, epoch + 1)
    measured = model.eval().metrics(
        data.validation[: config.evaluate], torch.Generator().manual_seed(config.seed)
    )
    # a card holds no NaN; what was not measured is none, and the weights are kept
    metrics = {k: v if v is not None and math.isfinite(v) else None for k, v in measured.items()}
    checkpoint.save(
        model,
        out / "model.safetensors",
        name=config.name,
        seed=config.seed,
        training=config.model_dump(mode="json"),
        data={
            "source": data.source,
            "train": len(molecules),
            "measured_on": f"first {min(config.evaluate, len(data.validation))} of validation",
        },
        metrics=metrics,
    )
    return out / "model.safetensors"


class _Run:
    """What one epoch needs."""

    def __init__(
        self,
        config: TrainConfig,
        model: Model,
        molecules: MoleculeBatch,
        generator: torch.Generator,
    ) -> None:
        self.config, self.model, self.generator = config, model, generator
        self.molecules = molecules
        self.precomputed = model.precompute(molecules) if isinstance(model, Precomputes) else None
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.steps = len(molecules) // config.batch_size

    def epoch(self, epoch: int) -> dict[str, JsonValue]:
        """Train one epoch; returns its line of the log."""
        started = time.perf_counter()
        self.model.train()
        # The order depends on the epoch only, so that a resumed run sees the same batches.
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.molecules))
        sums: dict[str, Tensor] = {}
        for step in range(self.steps):
            rows = order[step * self.config.batch_size : (step + 1) * self.config.batch_size]
            rate = self._rate(epoch * self.steps + step)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            for name, value in self._step(rows).items():
                sums[name] = sums.get(name, torch.zeros(())) + value.detach()
        losses: dict[str, JsonValue] = {k: float(v) / self.steps for k, v in sums.items()}
        if not math.isfinite(float(sums["total"])):
            raise TrainingError(f"The loss of epoch {epoch + 1} is not finite: {losses}.")
        return {
            "epoch": epoch + 1,
            "losses": losses,
            "learning_rate": rate,
            "seconds": round(time.perf_counter() - started, 3),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _step(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        if self.precomputed is not None and isinstance(self.model, Precomputes):
            picked = self.precomputed[torch.from_numpy(rows)]
            losses = self.model.loss_of(picked, self.generator)
        else:
            losses = self.model.loss(self.molecules[rows], self.generator)
        if "total" not in losses:
            raise TrainingError(
                f"Model kind {self.config.model.kind} must give a loss `total`, but gives "
                f"{', '.join(losses) or 'none'}."
            )
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        return losses

    def _rate(self, step: int) -> float:
        if self.config.schedule == "constant":
            return self.config.learning_rate
        done = step / (self.steps * self.config.epochs)
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _digest(config: TrainConfig, molecules: MoleculeBatch) -> str:
    """What a state belongs to: the config, but for how it is watched, and the molecules."""
    settings = config.model_dump(
        mode="json", exclude={"name", "evaluate", "checkpoint_every", "threads"}
    )
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(molecules.types).tobytes())
    digest.update(np.ascontiguousarray(molecules.positions).tobytes())
    return digest.hexdigest()

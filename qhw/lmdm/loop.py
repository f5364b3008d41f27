"""The loop of trainings on molecules with hydrogens: batches of one size, averaged weights, exact
resume. What a step minimises is its subclass's."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, JsonValue
from torch import Tensor, nn

from qhw.lmdm.data import Asked, Batch, SizedBatches, WholeMolecules
from qhw.models import checkpoint
from qhw.models.base import Model
from qhw.models.training_run import TrainingConfig, TrainingError, cut_log, shown
from qhw.models.training_state import TrainingState

_MOMENTS = {"exp_avg", "exp_avg_sq"}
M = TypeVar("M", bound=Model)


class AtomTrainConfig(TrainingConfig):
    """What every such training is told.

    Attributes:
        name: of the checkpoint it makes.
        half: train on one half of the training split (EDM's conditional protocol: the classifier
            has the first, the generator the second).
        steps: of the optimiser.
        batch_size: molecules a step, all of one size.
        learning_rate: AdamW's, after ``warmup`` steps; falls to zero over the last ``decay``.
        warmup: steps in which the rate rises from zero.
        decay: share of the steps.
        clip_norm: largest gradient norm.
        average: share of the running mean of the weights kept at each step, in the long run.
        bfloat16: multiply in bfloat16; distances, sums and weights stay in single precision.
        compiled: let torch compile the network (needs a C++ compiler, a minute at the start).
        device: ``cpu`` or ``cuda``.
        seed: of weights, order of molecules and noise.
        molecules: train on the first so many of the training split; all by default.
        evaluate: molecules that are judged at the end.
        report_every: steps between lines of the log and states on disk.
        threads: that torch may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    half: Literal["first", "second"] | None = None
    steps: int = Field(default=40_000, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1.5e-3, gt=0)
    warmup: int = Field(default=100, ge=0)
    decay: float = Field(default=0.4, gt=0, le=1)
    clip_norm: float = Field(default=2.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    bfloat16: bool = True
    compiled: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int = Field(default=0, ge=0, lt=2**63)
    molecules: int | None = Field(default=None, ge=2)
    evaluate: int = Field(default=1000, ge=1)
    report_every: int = Field(default=500, ge=1)
    threads: int = Field(default=1, ge=1)

    def check_device(self) -> None:
        """See that there is such a device.

        Raises:
            ValueError: there is not.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("Argument `device` must be cpu here, but is cuda, and there is none")

    def part(self, data: WholeMolecules) -> WholeMolecules:
        """What of a training split is trained on: ``half`` of it, and ``molecules`` of that."""
        middle = len(data) // 2
        ends = {None: (0, len(data)), "first": (0, middle), "second": (middle, len(data))}
        start, end = ends[self.half]
        return data.take(np.arange(start, min(end, start + (self.molecules or len(data)))))


class Both(nn.Module):
    """A model in training, and the running mean of its weights."""

    def __init__(self, model: Model, average: Model) -> None:
        super().__init__()
        self.model, self.average = model, average


class AtomRun(ABC, Generic[M]):
    """A model in training.

    Args:
        config: of the run.
        model: fresh.
        molecules: what it is trained on.
        elements: atomic numbers that it knows.
        properties: whose standardised values stand in batches.
        generator: that drew the model's weights, and draws what is random in a step.
    """

    def __init__(
        self,
        config: AtomTrainConfig,
        model: M,
        molecules: WholeMolecules,
        elements: tuple[int, ...],
        properties: Sequence[Asked],
        generator: torch.Generator,
    ) -> None:
        self.config, self.generator = config, generator
        self.both = Both(model, copy.deepcopy(model).requires_grad_(False)).to(config.device)
        columns = [(molecules.properties[c.name] - c.mean) / c.spread for c in properties]
        values = np.stack(columns, axis=1) if columns else np.empty((len(molecules), 0))
        self.batches = SizedBatches(
            molecules, elements, values.astype(np.float32), config.batch_size, config.seed
        )
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.first, self.total = 0, config.steps
        self._epoch = -1
        self._order: list[tuple[int, NDArray[np.int64]]] = []
        self._per_epoch = len(self.batches.epoch(0))
        if not self._per_epoch:
            raise ValueError(
                f"Argument `molecules` must leave two or more of one size, which make a batch, but "
                f"all {len(molecules)} have other numbers of atoms"
            )

    @abstractmethod
    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Losses by name; ``total`` is minimised. Steps before :attr:`first` are of a first part,
        with a learning rate of its own."""

    @property
    def model(self) -> M:
        """What is trained."""
        return self.both.model  # type: ignore[return-value]

    @property
    def average(self) -> M:
        """The running mean of the weights: what is kept."""
        return self.both.average  # type: ignore[return-value]

    def train(self, out: Path, *, resume: bool, progress: bool) -> float:
        """Train to the end from the last state in ``out``, if there is one.

        Returns:
            Seconds that all steps took, those before a stop counted in.
        """
        config, every = self.config, self.config.report_every
        state = TrainingState(out / "state.safetensors", self._digest())
        first = state.restore(self.both, self.optimizer, self.generator) if resume else 0
        for moments in self.optimizer.state.values():  # read onto the CPU
            moments |= {k: moments[k].to(config.device) for k in _MOMENTS & moments.keys()}
        log = out / "log.jsonl"
        cut_log(log, -(-first // every))
        started, losses = time.perf_counter(), _Sums()
        for step in shown(range(first, self.total), config.name, self.total, progress, "steps"):
            losses.add(self.step(step))
            if (step + 1) % every and step + 1 != self.total:
                continue
            line = {"step": step + 1, **losses.means(), "rate": self._rate(step)}
            if not math.isfinite(float(line["total"])):
                raise TrainingError(f"The loss before step {step + 1} is not finite.")
            line["seconds"] = round(time.perf_counter() - started, 3)
            line["time"] = datetime.now(UTC).isoformat(timespec="seconds")
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            state.write(self.both, self.optimizer, self.generator, step + 1)
            started, losses = time.perf_counter(), _Sums()
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return float(sum(json.loads(line)["seconds"] for line in lines))

    def save(
        self, out: Path, *, source: str, seconds: float, metrics: Mapping[str, float | None]
    ) -> Path:
        """Write the averaged weights with a card that says how they were made, into a folder."""
        checkpoint.save(
            self.average,
            out / "model.safetensors",
            name=self.config.name,
            seed=self.config.seed,
            training=self.config.model_dump(mode="json"),
            data={
                "source": source,
                "train": len(self.batches.counts),
                "seconds": round(seconds, 1),
            },
            metrics=metrics,
        )
        return out / "model.safetensors"

    def step(self, step: int) -> dict[str, Tensor]:
        """One step of the optimiser; its losses."""
        config, model = self.config, self.model
        batch = self._batch(step).to(config.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        with torch.autocast(config.device, torch.bfloat16, enabled=config.bfloat16):
            losses = self.losses(batch, step)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        self.optimizer.step()
        # a mean over fewer steps at first, else the random weights of the start stay in it
        done = step - self.first if step >= self.first else step
        share = min(config.average, (1 + done) / (10 + done))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), model.parameters(), strict=True):
                mean.lerp_(now, 1 - share)
        return {name: value.detach() for name, value in losses.items()}

    def _rate(self, step: int) -> float:
        config = self.config
        start, length = (0, self.first) if step < self.first else (self.first, config.steps)
        done = step - start
        warm = min(1.0, (done + 1) / (config.warmup + 1))
        left = (length - done) / (config.decay * length)
        return config.learning_rate * warm * min(1.0, left)

    def _batch(self, step: int) -> Batch:
        # The order depends on the step only, so that a resumed run sees the same batches.
        epoch, place = divmod(step, self._per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self.batches.epoch(epoch)
        return self.batches.batch(*self._order[place])

    def _digest(self) -> str:
        """What a state belongs to: what decides the weights, and the molecules."""
        watched = {"name", "report_every", "threads", "compiled", "device", "geom", "evaluate"}
        settings: dict[str, JsonValue] = self.config.model_dump(mode="json", exclude=watched)
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for part in (self.batches.types, self.batches.positions, self.batches.conditions):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


class _Sums:
    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}
        self.number = 0

    def add(self, losses: dict[str, Tensor]) -> None:
        self.number += 1
        for name, value in losses.items():
            self.values[name] = self.values.get(name, torch.zeros(())) + value.float().cpu()

    def means(self) -> dict[str, float | int | str]:
        return {name: float(value) / self.number for name, value in self.values.items()}

"""Training of LMDM: the autoencoder first, then the score network on its latents; exact resume."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from torch import Tensor, nn

from qhw.lmdm.autoencoder import AutoencoderConfig
from qhw.lmdm.data import (
    PROPERTIES,
    Batch,
    SizedBatches,
    WholeMolecules,
    edm_split,
    load_whole_qm9,
)
from qhw.lmdm.evaluate import drawn_metrics
from qhw.lmdm.geom import GeomSpec, load_geom_drugs
from qhw.lmdm.model import LMDM, Asked, LMDMConfig
from qhw.lmdm.network import NetworkConfig
from qhw.models import checkpoint
from qhw.models.training_run import (
    TrainingConfig,
    TrainingError,
    cut_log,
    make_folder,
    shown,
    torch_threads,
)
from qhw.models.training_state import TrainingState

_PERCENTILES = (1.0, 99.0)
"""Of a property over the training molecules: beyond there is too little to learn from."""


_MOMENTS = {"exp_avg", "exp_avg_sq"}


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


class LMDMTrainConfig(TrainingConfig):
    """A training run.

    Attributes:
        name: of the checkpoint it makes.
        model: which.
        conditions: properties that may be asked for, of :data:`qhw.lmdm.data.PROPERTIES`.
        half: train on one half of the training split (EDM's conditional protocol: the other
            half trains the classifier).
        autoencoder_steps: of the optimiser, first.
        steps: of the score network.
        batch_size: molecules a step, all of one size.
        learning_rate: AdamW's, after ``warmup`` steps; falls to zero over the last ``decay``.
        warmup: steps in which the rate rises from zero.
        decay: share of the steps.
        clip_norm: largest gradient norm.
        average: share of the running mean of the weights kept at each step, in the long run.
        leave_open: share of the molecules that each condition is hidden of.
        bfloat16: multiply in bfloat16; distances, sums and weights stay in single precision.
        compiled: let torch compile the network (needs a C++ compiler, a minute at the start).
        device: ``cpu`` or ``cuda``.
        seed: of weights, order of molecules and noise.
        geom: train on GEOM-Drugs, from its published file, in place of QM9.
        molecules: train on the first so many of the training split; all by default.
        evaluate: molecules drawn and judged at the end.
        report_every: steps between lines of the log and states on disk.
        threads: that torch may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: LMDMSpec
    conditions: tuple[str, ...] = ()
    half: Literal["first", "second"] | None = None
    autoencoder_steps: int = Field(default=4000, ge=1)
    steps: int = Field(default=40_000, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=1.5e-3, gt=0)
    warmup: int = Field(default=100, ge=0)
    decay: float = Field(default=0.4, gt=0, le=1)
    clip_norm: float = Field(default=2.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    leave_open: float = Field(default=0.1, ge=0, le=1)
    bfloat16: bool = True
    compiled: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int = Field(default=0, ge=0, lt=2**63)
    geom: GeomSpec | None = None
    molecules: int | None = Field(default=None, ge=2)
    evaluate: int = Field(default=1000, ge=1)
    report_every: int = Field(default=500, ge=1)
    threads: int = Field(default=1, ge=1)

    @field_validator("conditions")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or not set(names) <= set(PROPERTIES):
            raise ValueError(f"must be of {', '.join(PROPERTIES)}, each once")
        return names


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
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("Argument `device` must be cpu here, but is cuda, and there is none")
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
    checkpoint.save(
        run.average,
        out / "model.safetensors",
        name=config.name,
        seed=config.seed,
        training=config.model_dump(mode="json"),
        data={"source": source, "train": len(molecules), "seconds": round(seconds, 1)},
        metrics=metrics,
    )
    return out / "model.safetensors"


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
    if config.half is not None:
        middle = len(data) // 2
        rows = np.arange(middle) if config.half == "first" else np.arange(middle, len(data))
        data = data.take(rows)
    return data.take(np.arange(min(config.molecules or len(data), len(data)))), source


def asked_of(molecules: WholeMolecules, names: tuple[str, ...]) -> tuple[Asked, ...]:
    """Mean, mean absolute deviation and range of properties.

    Raises:
        ValueError: molecules without such a property.
    """
    found = []
    for name in names:
        if name not in molecules.properties:
            raise ValueError(f"Argument `data` must have the property {name}, but does not")
        values = molecules.properties[name]
        mean = float(values.mean())
        low, high = np.percentile(values, _PERCENTILES)
        found.append(
            Asked(
                name=name,
                mean=mean,
                spread=float(np.abs(values - mean).mean()) or 1.0,
                low=float(low),
                high=float(high),
            )
        )
    return tuple(found)


class _Both(nn.Module):
    def __init__(self, model: LMDM, average: LMDM) -> None:
        super().__init__()
        self.model, self.average = model, average


class LMDMRun:
    """A model in training.

    Args:
        config: of the run.
        shape: of the model.
        molecules: what it is trained on.
    """

    def __init__(
        self, config: LMDMTrainConfig, shape: LMDMConfig, molecules: WholeMolecules
    ) -> None:
        self.config = config
        self.generator = torch.Generator().manual_seed(config.seed)
        model = LMDM(shape, self.generator)
        self.both = _Both(model, copy.deepcopy(model).requires_grad_(False)).to(config.device)
        columns = [(molecules.properties[c.name] - c.mean) / c.spread for c in shape.conditions]
        values = np.stack(columns, axis=1) if columns else np.empty((len(molecules), 0))
        self.batches = SizedBatches(
            molecules, shape.elements, values.astype(np.float32), config.batch_size, config.seed
        )
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
        )
        self.first = config.autoencoder_steps if shape.autoencoder is not None else 0
        self.total = self.first + config.steps
        self._epoch = -1
        self._order: list[tuple[int, NDArray[np.int64]]] = []
        self._per_epoch = len(self.batches.epoch(0))
        if config.compiled:
            model.score.compile(dynamic=True)
            if model.autoencoder is not None:
                model.autoencoder.encoder.compile(dynamic=True)
                model.autoencoder.decoder.compile(dynamic=True)

    @property
    def average(self) -> LMDM:
        """The running mean of the weights: what is kept."""
        return self.both.average

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

    def step(self, step: int) -> dict[str, Tensor]:
        """One step of the optimiser; its losses."""
        config, model = self.config, self.both.model
        batch = self._batch(step).to(config.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        with torch.autocast(config.device, torch.bfloat16, enabled=config.bfloat16):
            losses = self._losses(model, batch, step)
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

    def _losses(self, model: LMDM, batch: Batch, step: int) -> dict[str, Tensor]:
        if step < self.first:
            assert model.autoencoder is not None
            return model.autoencoder.loss(batch.positions, batch.types, self.generator)
        with torch.no_grad():  # the autoencoder is finished: its mean is what is sampled with
            x, h = self.average.latent(batch)
        hidden = torch.rand(batch.conditions.shape, generator=self.generator).to(x.device)
        asked = batch.conditions.masked_fill(hidden < self.config.leave_open, torch.nan)
        return model.score_loss(x, h, asked, self.generator)

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

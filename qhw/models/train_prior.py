"""Training of the prior ``latent-diffusion`` on a model's latents: by steps, exact resume."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, JsonValue, field_validator
from torch import Tensor, nn

from qhw.chem.molecule import SYMBOLS, MoleculeBatch
from qhw.chem.properties import PROPERTIES, property_values
from qhw.chem.validity import judge
from qhw.latent.denoiser import Denoiser, DenoiserConfig
from qhw.latent.diffusion import (
    ATOMS,
    CARD,
    MAX_GUIDANCE,
    TENSORS,
    Condition,
    LatentDiffusion,
    LatentMap,
    Owner,
    PriorCard,
    card_text,
    load_prior,
    stored,
)
from qhw.models import checkpoint
from qhw.models.base import decoding, encoding
from qhw.models.exact import ExactModel
from qhw.models.train import (
    TrainConfig,
    TrainingSet,
    qm9_training_set,
    train,
)
from qhw.models.training_run import (
    TrainingConfig,
    TrainingError,
    cut_log,
    make_folder,
    shown,
    torch_threads,
)
from qhw.models.training_state import TrainingState

FloatArray = NDArray[np.float64]

_HELD_OUT = 4000
_ASKED_PERCENTILES = (1.0, 99.0)
"""Of a property over the training molecules: beyond there is too little to learn from."""
_SAMPLE_STREAM = 31
_CHUNK = 4096
_CONFIGS = (".yaml", ".yml")


class PriorTrainConfig(TrainingConfig):
    """A training run of a prior.

    Attributes:
        prior: kind of prior.
        name: of the prior it makes.
        model: whose latents: a shipped name, the path of a checkpoint, or a training config
            (``.yaml``, beside this file), whose model is trained first.
        network: shape of the denoiser.
        atoms: whether the number of atoms may be asked for.
        conditions: properties that may be asked for, of :data:`qhw.chem.properties.PROPERTIES`.
        steps: of the optimiser.
        batch_size: latents a step.
        learning_rate: AdamW's, falling to zero along a cosine.
        weight_decay: AdamW's.
        clip_norm: largest gradient norm.
        average: share of the running mean of the weights kept at each step.
        guidance: of samples that something is asked of, where a drawing says none.
        leave_open: share of the latents that a condition is hidden of, each by itself.
        bfloat16: multiply in bfloat16; sums and weights stay in single precision.
        seed: of weights, order of latents and noise.
        molecules: train on the first so many of the training split; all by default.
        evaluate: molecules generated and judged at the end.
        report_every: steps between lines of the log and states on disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prior: Literal["latent-diffusion"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str
    network: DenoiserConfig = DenoiserConfig()
    atoms: bool = True
    conditions: tuple[str, ...] = ()
    steps: int = Field(default=30_000, ge=1)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    leave_open: float = Field(default=0.1, ge=0, le=1)
    guidance: float = Field(default=1.0, ge=0, le=MAX_GUIDANCE)
    bfloat16: bool = True
    seed: int = Field(default=0, ge=0, lt=2**63)
    molecules: int | None = Field(default=None, ge=2)
    evaluate: int = Field(default=2000, ge=1)
    report_every: int = Field(default=500, ge=1)

    @field_validator("conditions")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or not set(names) <= set(PROPERTIES):
            raise ValueError(f"must be of {', '.join(PROPERTIES)}, each once")
        return names


@dataclass(frozen=True, eq=False)
class LatentSet:
    """What a prior is trained on.

    Attributes:
        latents: unit vectors ``(n, d)``.
        values: of the conditions ``(n, m)``.
        conditions: what the columns are.
        held_out: latents not trained on ``(h, d)``, and their values ``(h, m)``.
        source: a word on where the molecules are from.
    """

    latents: FloatArray
    values: FloatArray
    conditions: tuple[Condition, ...]
    held_out: tuple[FloatArray, FloatArray]
    source: str


def latent_set(
    exact: ExactModel,
    data: TrainingSet,
    *,
    atoms: bool,
    properties: tuple[str, ...] = (),
    molecules: int | None = None,
) -> LatentSet:
    """Exact latents of the training split, and what may be asked for: atoms, then properties.

    Raises:
        ValueError: a molecule has no such property.
    """
    train, held = data.train[:molecules], data.validation[:_HELD_OUT]
    values = [_values(part, atoms, properties) for part in (train, held)]
    levels = [_levels(ATOMS, values[0][:, 0])] if atoms else []
    ranges = [
        _range(name, column) for name, column in zip(properties, values[0].T[atoms:], strict=True)
    ]
    return LatentSet(
        _directions(exact, train),
        values[0],
        (*levels, *ranges),
        (_directions(exact, held), values[1]),
        data.source,
    )


def _values(molecules: MoleculeBatch, atoms: bool, properties: tuple[str, ...]) -> FloatArray:
    columns = [molecules.counts.astype(np.float64)[:, None]] if atoms else []
    if properties:
        columns.append(property_values(molecules, properties))
    return np.hstack(columns) if columns else np.empty((len(molecules), 0))


def _range(name: str, values: FloatArray) -> Condition:
    low, high = np.percentile(values, _ASKED_PERCENTILES)
    return Condition(
        name=name,
        mean=float(values.mean()),
        spread=float(values.std()) or 1.0,
        low=float(low),
        high=float(high),
    )


def _levels(name: str, values: FloatArray) -> Condition:
    levels, numbers = np.unique(values, return_counts=True)
    return Condition(
        name=name,
        mean=float(values.mean()),
        spread=float(values.std()) or 1.0,
        low=float(levels[0]),
        high=float(levels[-1]),
        levels=tuple(map(float, levels)),
        shares=tuple(float(n) / len(values) for n in numbers),
    )


def _directions(exact: ExactModel, molecules: MoleculeBatch) -> FloatArray:
    parts = range(0, len(molecules), _CHUNK)
    return np.concatenate([exact.directions(molecules[i : i + _CHUNK]) for i in parts])


def train_from(path: Path, out: Path, *, progress: bool = True) -> Path:
    """What the training config of a prior asks for, its model first where that is a config too.

    Args:
        path: of the config.
        out: folder of the prior; a model's run is in ``model/`` inside.
        progress: show bars on stderr.

    Returns:
        ``out``.

    Raises:
        ValueError: a bad config; else as :func:`train_prior`.
    """
    config = PriorTrainConfig.from_yaml(path)
    if Path(config.model).suffix not in _CONFIGS:
        return train_prior(config, out, progress=progress)
    inner = TrainConfig.from_yaml(path.parent / config.model)
    data = qm9_training_set(config.conditions)
    model = train(inner, out / "model", data=data, progress=progress)
    return train_prior(config, out, model=model, data=data, progress=progress)


def train_prior(
    config: PriorTrainConfig,
    out: Path,
    *,
    model: str | Path | None = None,
    data: TrainingSet | None = None,
    progress: bool = True,
) -> Path:
    """Train a prior and write ``prior.safetensors`` and ``prior.json`` into a folder.

    A run that was stopped goes on from its last state and ends with the same weights, bit for bit.
    ``log.jsonl`` has a line every ``report_every`` steps.

    Args:
        config: the run.
        out: folder, made if missing.
        model: checkpoint to use in place of the one the config names.
        data: QM9 by default.
        progress: show a bar on stderr.

    Returns:
        The folder.

    Raises:
        CheckpointError: the model is unknown or damaged.
        AbilityError: it cannot encode or decode.
        ValueError: fewer molecules than a batch, or a state in ``out`` of another run.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    loaded, card = checkpoint.load(model or config.model)
    need = "training a prior"
    encoding(loaded, card.name, need)
    decoding(loaded, card.name, need)
    exact = ExactModel(loaded.double(), card.name, need)
    make_folder(out)
    data = data or qm9_training_set(config.conditions)
    with torch_threads(1):
        points = latent_set(
            exact,
            data,
            atoms=config.atoms,
            properties=config.conditions,
            molecules=config.molecules,
        )
        if len(points.latents) < config.batch_size:
            raise ValueError(
                f"Argument `batch_size` must be at most the number of molecules "
                f"({len(points.latents)}), but is {config.batch_size}."
            )
        run = PriorRun(config, points)
        run.train(out, progress=progress)
        made = prior_card(config, points, card.name, exact.weights_sha256)
        _write(out, made, run)
        metrics = generation_metrics(load_prior(out), exact, config.evaluate, config.seed)
        _write(out, made.model_copy(update={"metrics": metrics}), run)
    return out


def prior_card(
    config: PriorTrainConfig, points: LatentSet, model: str, weights_sha256: str
) -> PriorCard:
    """Card of a trained prior, nothing measured yet."""
    return PriorCard(
        name=config.name,
        model=Owner(name=model, weights_sha256=weights_sha256),
        dim=points.latents.shape[1],
        network=config.network,
        conditions=points.conditions,
        guidance=config.guidance,
        seed=config.seed,
        training=config.model_dump(mode="json"),
        data={"source": points.source, "train": len(points.latents)},
        code=checkpoint.code_version().model_dump(mode="json"),
        created=datetime.now(UTC).replace(microsecond=0),
    )


def _write(out: Path, card: PriorCard, run: PriorRun) -> None:
    blob, whole = stored(card, run.average, run.map)
    checkpoint.write_atomically(out / TENSORS, blob)
    checkpoint.write_atomically(out / CARD, card_text(whole))


def generation_metrics(
    prior: LatentDiffusion, exact: ExactModel, samples: int, seed: int
) -> dict[str, float | None]:
    """What is generated exactly, shares of all samples by the strict protocol.

    ``valid``, ``valid_unique`` (different SMILES), ``element/<symbol>`` of all atoms, and
    ``atoms/<n>`` of all samples.
    """
    latents = prior.sample(samples, np.random.default_rng([seed, _SAMPLE_STREAM]))
    molecules = exact.molecules(exact.decoder(latents))
    report = judge(molecules, "strict")
    found: dict[str, float | None] = {
        "valid": report.valid / samples,
        "valid_unique": report.unique / samples,
    }
    present = molecules.types[molecules.types >= 0]
    for index, symbol in enumerate(SYMBOLS):
        found[f"element/{symbol}"] = float((present == index).mean()) if len(present) else None
    for atoms, number in enumerate(np.bincount(molecules.counts)):
        if number:
            found[f"atoms/{atoms}"] = float(number) / samples
    return found


class _Both(nn.Module):
    """What a state on disk holds: the network in training and the mean of its weights."""

    def __init__(self, network: Denoiser, average: Denoiser) -> None:
        super().__init__()
        self.network, self.average = network, average


class PriorRun:
    """A denoiser in training.

    Args:
        config: of the run.
        points: what it is trained on.
    """

    def __init__(self, config: PriorTrainConfig, points: LatentSet) -> None:
        self.config = config
        self.map = LatentMap.of(points.latents)
        self.latents = self.map.inward(points.latents)
        self.values = _standard(points.values, points.conditions)
        held, values = points.held_out
        self.held_out = self.map.inward(held), _standard(values, points.conditions)
        self.generator = torch.Generator().manual_seed(config.seed)
        network = Denoiser(
            points.latents.shape[1], len(points.conditions), config.network, self.generator
        )
        self.both = _Both(network, copy.deepcopy(network).requires_grad_(False))
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
        )

    @property
    def average(self) -> Denoiser:
        """The running mean of the weights: what is kept."""
        return self.both.average

    def train(self, out: Path, *, progress: bool) -> None:
        """Train to the end from the last state in ``out``, if there is one."""
        state = TrainingState(out / "state.safetensors", self._digest())
        first = state.restore(self.both, self.optimizer, self.generator)
        log, every = out / "log.jsonl", self.config.report_every
        cut_log(log, -(-first // every))
        started, losses = time.perf_counter(), torch.zeros(())
        for step in shown(
            range(first, self.config.steps), self.config.name, self.config.steps, progress, "steps"
        ):
            losses += self.step(step)
            if (step + 1) % every and step + 1 != self.config.steps:
                continue
            line = self._line(step, float(losses) / (step % every + 1))
            line["seconds"] = round(time.perf_counter() - started, 3)
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            state.write(self.both, self.optimizer, self.generator, step + 1)
            started, losses = time.perf_counter(), torch.zeros(())

    def step(self, step: int) -> Tensor:
        """One step of the optimiser; its loss."""
        config, network = self.config, self.both.network
        rows = self._rows(step)
        x, asked = self.latents[rows], self.values[rows]
        hidden = torch.rand(asked.shape, generator=self.generator) < config.leave_open
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            loss = network.loss(x, asked.masked_fill(hidden, torch.nan), self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        self.optimizer.step()
        # a mean over fewer steps at first, else the random weights of the start stay in it
        share = min(config.average, (1 + step) / (10 + step))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), network.parameters(), strict=True)
            for mean, now in pairs:
                mean.lerp_(now, 1 - share)
        return loss.detach()

    def _rows(self, step: int) -> Tensor:
        # The order depends on the step only, so that a resumed run sees the same batches.
        per_epoch = len(self.latents) // self.config.batch_size
        epoch, place = divmod(step, per_epoch)
        if getattr(self, "_epoch", None) != epoch:
            order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.latents))
            self._epoch, self._order = epoch, torch.from_numpy(order)
        return self._order[place * self.config.batch_size :][: self.config.batch_size]

    @torch.no_grad()
    def _line(self, step: int, loss: float) -> dict[str, Any]:
        held = self.average.loss(*self.held_out, torch.Generator().manual_seed(0))
        if not math.isfinite(loss):
            raise TrainingError(f"The loss before step {step + 1} is not finite.")
        return {
            "step": step + 1,
            "loss": loss,
            "held_out": float(held),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _digest(self) -> str:
        """What a state belongs to: what decides the weights, and the latents."""
        # the conditions' values are in the digest by themselves
        watched = {"name", "model", "evaluate", "report_every", "conditions", "guidance"}
        settings: dict[str, JsonValue] = self.config.model_dump(mode="json", exclude=watched)
        digest = sha256(json.dumps(settings, sort_keys=True).encode())
        for part in (self.latents, self.values, self.map.mean, self.map.axes):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def _standard(values: FloatArray, conditions: tuple[Condition, ...]) -> Tensor:
    mean = np.array([c.mean for c in conditions])
    spread = np.array([c.spread for c in conditions])
    return torch.from_numpy(((values - mean) / spread).astype(np.float32))

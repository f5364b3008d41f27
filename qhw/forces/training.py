"""Training of force fields on energies and forces: ridge start, Adam, exact resume."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue, ValidationError
from torch import Tensor, nn

from qhw.chem.geometries import Geometries, check_geometry
from qhw.forces.atom_head import AtomHead
from qhw.forces.config import DataSpec, ForceTrainConfig, LoopConfig
from qhw.forces.evaluate import errors_on
from qhw.forces.files import read_geometries
from qhw.forces.heads import Head, HeadConfig
from qhw.forces.invariants import Invariants
from qhw.forces.model import ForceField, ForceFieldConfig
from qhw.forces.prepared import LabelledInputs, errors, labelled_inputs
from qhw.forces.ridge import Ridge, fit_ridge
from qhw.models import checkpoint
from qhw.models.training_run import TrainingError, cut_log, make_folder, shown, torch_threads
from qhw.models.training_state import TrainingState

_ENERGY_STEP = 0.04
"""eV for a radian: Adam's steps are of one size, so weights that are energies need a unit."""


@dataclass(frozen=True)
class ForceData:
    """Frames to train on, to choose by and to measure on, and a word on where they are from."""

    train: Geometries
    validation: Geometries
    test: Geometries | None
    source: dict[str, JsonValue]


@dataclass(frozen=True, eq=False)
class LabelledSets:
    """What a head sees of the frames to train on and to choose by."""

    train: LabelledInputs
    validation: LabelledInputs


@dataclass(frozen=True, eq=False)
class Prepared(LabelledSets):
    """What does not depend on a run's seed or head: invariants, ridge, inputs."""

    invariants: Invariants
    ridge: Ridge


def read_data(spec: DataSpec) -> ForceData:
    """The files of a config.

    Raises:
        GeometryError: a file that cannot be used, or fewer frames than asked for.
    """
    path = Path(spec.train)
    frames, digest = read_geometries(path, spec.unit, trust_units=spec.trust_units)
    left = len(frames) - spec.validation
    count = left if spec.frames is None else spec.frames
    if not 2 <= count <= left:
        raise ValueError(
            f"Argument `data` must leave 2 or more frames to train on, but {path} has "
            f"{len(frames)}, of which {spec.validation} are for validation and {count} were asked "
            "for"
        )
    source: dict[str, JsonValue] = {
        "source": path.name,
        "sha256": digest,
        "units": "eV, Å",
        "train": count,
        "validation": spec.validation,
    }
    test = None
    if spec.test is not None:
        file = Path(spec.test)
        test, digest = read_geometries(file, spec.unit, trust_units=spec.trust_units)
        source |= {"test_source": file.name, "test_sha256": digest, "test": len(test)}
    return ForceData(frames[:count], frames[left:], test, source)


def prepare(config: ForceTrainConfig, data: ForceData, *, progress: bool = False) -> Prepared:
    """Fit the ridge, compute inputs and their derivatives: seconds, of large molecules minutes.

    Raises:
        ValueError: a bad config of the invariants, or no forces.
        GeometryError: frames with a species that the invariants or the training frames lack.
    """
    try:
        invariants = Invariants(config.model.invariants(data.train.species))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"Argument `invariants` must be right, but {field}: {first['msg']}"
        ) from error
    _check_species(invariants.config.species, data)
    dtype = dtype_of(config)
    ridge = fit_ridge(
        invariants,
        data.train,
        data.validation,
        components=config.components,
        inputs=config.inputs,
        energy_weight=config.energy_weight,
        dtype=dtype,
        title="ridge" if progress else "",
    )
    return Prepared(
        labelled_inputs(invariants, data.train, ridge, dtype, "inputs" if progress else ""),
        labelled_inputs(invariants, data.validation, ridge, dtype),
        invariants,
        ridge,
    )


def _check_species(species: tuple[int, ...], data: ForceData) -> None:
    """Refuse atoms that would be left out of energies, and species that nothing is learnt of."""
    for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        if part is not None:
            check_geometry(part, species, f"`{name}`")
    if sorted(species) != list(data.train.species):
        raise ValueError(
            f"Argument `invariants` must have the species of the training frames, each once "
            f"({', '.join(map(str, data.train.species))}), but has {', '.join(map(str, species))}"
        )


def train_force_field(
    config: ForceTrainConfig,
    out: Path,
    *,
    data: ForceData | None = None,
    prepared: Prepared | None = None,
    resume: bool = True,
    progress: bool = True,
    measure: bool = True,
) -> Path:
    """Train a force field and write ``model.safetensors`` and ``model.json`` into a folder.

    A run that was stopped goes on from its last state (``state.safetensors``) and ends with the
    same weights, bit for bit, as one that was not. ``log.jsonl`` has one line an epoch. What is
    kept is the moving average of the weights at the epoch that was best on the validation frames,
    the ridge start itself if none was better.

    Args:
        config: the run.
        out: folder, made if missing.
        data: read from the config's files by default.
        prepared: of the same data and config but for head and seed, to be used again.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.
        measure: the errors on the test frames, beside the ridge's and the mean's.

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
        ready = prepared or prepare(config, data, progress=progress)
        weights = Weights(lambda: _started(config.model.config.head, config, ready))
        head = weights.head
        if config.model.config.head.units:  # else it is a closed form
            head = trained(config, weights, ready, data, out, resume=resume, progress=progress)
        assert isinstance(head, Head)
        controls = {"": head, **controls_of(config, ready)}
        metrics = measured(controls, data, ready, test=measure)
    model = force_field(ready, head)
    checkpoint.save(
        model,
        out / "model.safetensors",
        name=config.name,
        seed=config.seed,
        training=config.model_dump(mode="json"),
        data={**data.source, "ridge_strength": ready.ridge.strength},
        metrics=metrics,
    )
    return out / "model.safetensors"


def force_field(prepared: Prepared, head: Head) -> ForceField:
    """A head of inputs as a force field of invariants, in double precision."""
    ridge = prepared.ridge
    config = ForceFieldConfig(
        invariants=prepared.invariants.config,
        head=head.config,
        reference=tuple(ridge.reference.tolist()),
    )
    model = ForceField(config, torch.Generator()).double()
    model.center = ridge.projection.center.clone()
    model.head = head.unfolded(ridge.projection.weights)
    return model.eval()


def dtype_of(config: LoopConfig) -> torch.dtype:
    """Of the training's tensors."""
    return torch.float64 if config.precision == "float64" else torch.float32


def controls_of(config: ForceTrainConfig, prepared: Prepared) -> dict[str, Head]:
    """What needs no circuit: the ridge and the mean, by the prefix of their metrics."""
    found: dict[str, Head] = {}
    for kind in ("ridge", "mean"):
        found[f"{kind}/"] = _started(HeadConfig(kind=kind), config, prepared)
    return found


def _started(head: HeadConfig, config: ForceTrainConfig, prepared: Prepared) -> Head:
    generator = torch.Generator().manual_seed(config.seed)
    species, inputs = prepared.ridge.weights.shape
    made = Head(head, species, inputs, generator).to(dtype_of(config))
    made.start(prepared.ridge.weights, prepared.ridge.size)
    return made


def measured(
    heads: Mapping[str, Head],
    data: ForceData,
    prepared: Prepared,
    *,
    test: bool,
) -> dict[str, float | None]:
    """Errors of heads on the frames to choose by, and of their fields on the test frames."""
    found: dict[str, float | None] = {}
    for name, values in errors(heads, iter([prepared.validation])).items():
        found |= {f"validation/{name}{key}": value for key, value in values.items()}
    if test and data.test is not None:
        for name, head in heads.items():
            tested = errors_on(force_field(prepared, head), data.test, "", "")
            found[f"test/{name}energy_mae"] = tested.energy_mae
            found[f"test/{name}force_mae"] = tested.force_mae
            if tested.shot_sigma is not None:
                found[f"test/{name}shot_sigma"] = tested.shot_sigma
    return {k: v if v is not None and math.isfinite(v) else None for k, v in found.items()}


class Weights(nn.Module):
    """What a state holds: the head that is trained, its moving average, the best average."""

    def __init__(self, started: Callable[[], AtomHead]) -> None:
        super().__init__()
        self.head = started()
        self.average = started().requires_grad_(False)
        self.best = started().requires_grad_(False)
        self.best_loss: Tensor
        self.register_buffer("best_loss", torch.tensor(math.inf, dtype=torch.float64))

    def follow(self, decay: float) -> None:
        """One step of the moving average."""
        for kept, now in zip(self.average.parameters(), self.head.parameters(), strict=True):
            kept.lerp_(now.detach(), 1 - decay)

    def judge(self, loss: float) -> None:
        """Keep the average if it is the best so far."""
        if loss < float(self.best_loss):
            self.best_loss.fill_(loss)
            self.best.load_state_dict(self.average.state_dict())


def trained(
    config: LoopConfig,
    weights: Weights,
    sets: LabelledSets,
    data: ForceData,
    out: Path,
    *,
    resume: bool,
    progress: bool,
) -> AtomHead:
    """Train any head: Adam, moving average, state after every few epochs, best by validation.

    Args:
        config: the run.
        weights: as they start.
        sets: what the head sees of the data.
        data: what a state belongs to.
        out: folder of state and log.
        resume: go on from a state found there.
        progress: show a bar on stderr.
    """
    optimizer = torch.optim.Adam(
        [
            {"params": weights.head.angular, "scale": 1.0},
            {"params": weights.head.energetic, "scale": _ENERGY_STEP},
        ],
        lr=config.learning_rate,
    )
    generator = torch.Generator().manual_seed(config.seed)
    state = TrainingState(out / "state.safetensors", _digest(config, data))
    log = out / "log.jsonl"
    first = state.restore(weights, optimizer, generator) if resume else 0
    cut_log(log, first)
    if not first:
        weights.judge(_validation_loss(config, weights.average, sets.validation))
    for epoch in shown(range(first, config.epochs), config.name, config.epochs, progress):
        line = _epoch(config, weights, optimizer, sets, epoch)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if (epoch + 1) % config.checkpoint_every == 0 or epoch + 1 == config.epochs:
            state.write(weights, optimizer, generator, epoch + 1)
    return weights.best


def _epoch(
    config: LoopConfig,
    weights: Weights,
    optimizer: torch.optim.Adam,
    sets: LabelledSets,
    epoch: int,
) -> dict[str, JsonValue]:
    """Train one epoch and judge it; returns its line of the log."""
    started = time.perf_counter()
    # The order depends on the epoch only, so that a resumed run sees the same batches.
    order = np.random.default_rng([config.seed, epoch]).permutation(len(sets.train))
    steps = len(order) // config.batch_size
    total, rate = 0.0, 0.0
    for step in range(steps):
        rows = order[step * config.batch_size : (step + 1) * config.batch_size]
        rate = _rate(config, epoch * steps + step, steps * config.epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        part = sets.train[torch.from_numpy(rows)]
        loss = _loss(config, weights.head, part, epoch, training=True)
        if config.weight_decay:
            loss = loss + config.weight_decay * weights.head.mapped.square().sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights.head.parameters(), config.clip_norm)
        optimizer.step()
        weights.follow(config.average)
        total += float(loss.detach())
    if not math.isfinite(total):
        raise TrainingError(f"The loss of epoch {epoch + 1} is not finite.")
    validation = _validation_loss(config, weights.average, sets.validation)
    weights.judge(validation)
    return {
        "epoch": epoch + 1,
        "losses": {"total": total / steps, "validation": validation},
        "learning_rate": rate,
        "seconds": round(time.perf_counter() - started, 3),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _loss(
    config: LoopConfig, head: AtomHead, part: LabelledInputs, epoch: int, *, training: bool
) -> Tensor:
    energy, gradient, variance = part.predicted(head, training=training)
    there = part.components
    off = torch.where(there, gradient - part.gradients, 0).square().sum() / there.sum()
    loss = config.energy_weight_at(epoch) * (energy - part.energies).square().mean()
    loss = loss + config.force_weight * off
    if config.shot_weight:
        loss = loss + config.shot_weight * variance.mean()
    return loss


def _validation_loss(config: LoopConfig, head: AtomHead, part: LabelledInputs) -> float:
    for parameter in head.parameters():  # derivatives by inputs need a graph, but not by weights
        parameter.requires_grad_(False)
    last = config.epochs - 1  # one measure for all epochs
    return float(_loss(config, head, part, last, training=False).detach())


def _rate(config: LoopConfig, step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / (config.warmup + 1))
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def _digest(config: LoopConfig, data: ForceData) -> str:
    """What a state belongs to: the config, but for how it is watched, and the frames."""
    settings = config.model_dump(mode="json", exclude={"name", "checkpoint_every", "threads"})
    settings["data"] = {"train": len(data.train), "validation": len(data.validation)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in (data.train, data.validation):
        for values in (part.numbers, part.positions, part.energies, part.forces):
            assert values is not None
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()

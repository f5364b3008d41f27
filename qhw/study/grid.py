"""From a study to its cells: deterministic order, and a key that names a cell by its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from calibration.catalog import load_snapshot
from calibration.snapshot import SnapshotError
from qhw.analysis.compare.model import held_out
from qhw.analysis.compare.settings import PLAIN
from qhw.chem.qm9 import sample_molecules
from qhw.models.checkpoint import CheckpointError, load
from qhw.study.config import ConfigError, StudyConfig

FORMAT_VERSION = 1
"""Part of every key: raised when the same cell would give other numbers or other columns."""
VARIANTS = 2
"""Part of the keys of cells that run variants of their circuits: 1 had none of their waits."""
MISSING = "missing"
"""Digest of a model or device that cannot be opened."""
ALL_ON = "all"


@dataclass(frozen=True)
class Digests:
    """What the names of a study stand for, as hashes.

    Attributes:
        models: name -> SHA-256 of the tensors, or :data:`MISSING`.
        devices: name -> SHA-256 of the snapshot in our format, or :data:`MISSING`.
    """

    models: Mapping[str, str]
    devices: Mapping[str, str]


@dataclass(frozen=True)
class CircuitKey:
    """One compilation: a model's circuits on a device.

    Attributes:
        model: name.
        device: name.
        layout_seed: of the transpiler.
        task: which circuits are needed.
        preparation: how amplitudes are loaded.
        digests: of model and device.
    """

    model: str
    device: str
    layout_seed: int
    task: str
    preparation: str
    digests: tuple[str, str]

    @property
    def key(self) -> str:
        """Content hash."""
        return _digest(asdict(self))


@dataclass(frozen=True)
class Cell:
    """One noise setting of one compiled model: what a worker does at a time.

    Attributes:
        circuit: compiled circuits it runs.
        scale: factor on the noise.
        sources: ``all``, ``only <source>`` or ``without <source>``.
        seed: of latents, draws and shots.
        config: the study's settings that all its cells share.
    """

    circuit: CircuitKey
    scale: float
    sources: str
    seed: int
    config: StudyConfig

    @property
    def key(self) -> str:
        """Content hash: whatever changes a number of the cell changes it, nothing else does."""
        config = self.config.model_dump(mode="json")
        shared = ("shots", "mitigation", "molecules", "prior", "draw", "extra", "simulator")
        content = {
            "circuit": asdict(self.circuit),
            "scale": self.scale,
            "sources": self.sources,
            "seed": self.seed,
            "settings": {name: config[name] for name in shared},
        }
        if any(text not in PLAIN for text in self.config.mitigation):
            content["variants"] = VARIANTS
        return _digest(content)


def digests(config: StudyConfig) -> Digests:
    """Open every model and device once; a circuit of one's own is known by its hashes."""
    models, devices = {}, {}
    if config.circuit is not None:
        models[config.models[0]] = _digest(config.circuit.model_dump())
    for model in config.models if config.circuit is None else ():
        try:
            models[model] = load(model)[1].sha256
        except CheckpointError:
            models[model] = MISSING
    for device in config.devices:
        try:
            text = load_snapshot(device).to_json()
            devices[device] = hashlib.sha256(text.encode()).hexdigest()
        except SnapshotError:
            devices[device] = MISSING
    return Digests(models, devices)


def check_names(config: StudyConfig) -> None:
    """Refuse a study none of whose cells could run, before any is.

    Where some of the models or devices are there, the others' cells fail with their reasons.

    Raises:
        ConfigError: all models or all devices are unknown, or there are too few molecules.
    """
    for what, names, missing in (
        ("models", config.models, _no_model if config.circuit is None else _known),
        ("devices", config.devices, _no_device),
    ):
        reasons = [missing(name) for name in names]
        if all(reasons):
            raise ConfigError(f"`{what}` must hold one that there is, but: {reasons[0]}")
    if config.task == "reconstruct":
        held_out(config.molecules, sample_molecules(), 0)


def _known(_name: str) -> str:
    return ""


def _no_model(name: str) -> str:
    try:
        load(name)
    except CheckpointError as error:
        return str(error)
    return ""


def _no_device(name: str) -> str:
    try:
        load_snapshot(name)
    except SnapshotError as error:
        return str(error)
    return ""


def expand(config: StudyConfig, known: Digests) -> tuple[Cell, ...]:
    """Every cell of a study, always in the same order, none twice.

    Args:
        config: the study.
        known: from :func:`digests`.
    """
    variants = [(scale, ALL_ON) for scale in config.scales]
    if config.budget is not None:
        budget = config.budget
        # the whole beside which its parts are read
        variants += [(scale, ALL_ON) for scale in budget.scales if scale not in config.scales]
        variants += [
            (scale, f"{mode} {source}")
            for scale in budget.scales
            for source in budget.sources
            for mode in budget.modes
        ]
    return tuple(
        Cell(
            CircuitKey(
                model,
                device,
                layout_seed,
                config.task,
                config.preparation,
                (known.models[model], known.devices[device]),
            ),
            scale,
            sources,
            seed,
            config,
        )
        for model in config.models
        for device in config.devices
        for layout_seed in config.layout_seeds
        for seed in config.seeds
        for scale, sources in variants
    )


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps({"format": FORMAT_VERSION, **content}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]

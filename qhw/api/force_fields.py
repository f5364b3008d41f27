"""Force fields: trained like every model, used like every calculator of ASE."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from calibration.closest import quoted
from qhw.forces.config import ForceTrainConfig
from qhw.forces.evaluate import Evaluation, evaluate
from qhw.forces.model import ForceField
from qhw.forces.spin_training import SpinKind, SpinTrainConfig, train_spin_field
from qhw.forces.training import ForceData, train_force_field
from qhw.models.base import Model
from qhw.models.checkpoint import load
from qhw.models.train import TrainConfig, TrainingSet
from qhw.models.train import train as train_on_molecules
from qhw.yaml_files import read_yaml

if TYPE_CHECKING:
    from qhw.forces.calculator import ForceFieldCalculator


def calculator(model: str | Path | Model) -> ForceFieldCalculator:
    """A trained force field as a calculator of ASE: energy, free energy and forces, eV and Å.

    Args:
        model: name of a shipped force field, path of a checkpoint, or a live one.

    Raises:
        ValueError: a model of another kind.
        CheckpointError: the model is unknown or damaged.
        ModuleNotFoundError: ASE is not installed.
    """
    try:
        from qhw.forces.calculator import ForceFieldCalculator
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("ase"):
            raise
        raise ModuleNotFoundError(
            "ASE is not installed: pip install 'qhw[ase]'", name="ase"
        ) from None
    return ForceFieldCalculator(force_field(model))


def force_field(model: str | Path | Model) -> ForceField:
    """A force field in double precision; a live one stays as it is.

    Raises:
        ValueError: a model of another kind.
        CheckpointError: the model is unknown or damaged.
    """
    found = copy.deepcopy(model) if isinstance(model, Model) else load(model)[0]
    if not isinstance(found, ForceField):
        raise ValueError(
            f"Argument `model` must be a force field, but {quoted(str(model)[:80])} is of kind "
            f"{found.kind}"
        )
    return found.double().eval()


def evaluate_force_field(
    model: str | Path | Model, data: str | Path, unit: str | None = None
) -> Evaluation:
    """Errors of a force field on a file of labelled geometries.

    Args:
        model: as for :func:`calculator`.
        data: rMD17's ``.npz``, or ``.xyz``/``.extxyz``.
        unit: of its energies: ``eV``, ``kcal/mol`` or ``Ha``.

    Raises:
        ValueError: a model of another kind, or a file that cannot be used.
    """
    from qhw.forces.files import energy_unit

    return evaluate(force_field(model), Path(data), energy_unit(unit))


def read_training(path: Path) -> TrainConfig | ForceTrainConfig | SpinTrainConfig:
    """The config of a training run, of whichever kind its model is.

    Raises:
        ValueError: unreadable, not YAML, or fields that are unknown, missing or out of range.
    """
    try:
        kind = read_yaml(path)["model"]["kind"]
    except (OSError, ValueError, TypeError, KeyError, LookupError):
        kind = None  # said by the reader
    if kind == ForceField.kind:
        return ForceTrainConfig.from_yaml(path)
    if kind in get_args(SpinKind):
        return SpinTrainConfig.from_yaml(path)
    return TrainConfig.from_yaml(path)


def train(
    config: TrainConfig | ForceTrainConfig | SpinTrainConfig | str | Path,
    out: str | Path,
    *,
    data: TrainingSet | ForceData | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train a model and write ``model.safetensors`` and ``model.json`` into a folder.

    A run that was stopped goes on from its last state and ends with the same weights, bit for bit,
    as one that was not.

    Args:
        config: the run, or the path of its YAML.
        out: folder, made if missing.
        data: what to train on; QM9 or the config's files by default.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.

    Returns:
        Path of ``model.safetensors``.

    Raises:
        ValueError: a bad config, data that do not fit it, or a state of another config.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    asked = read_training(Path(config)) if isinstance(config, str | Path) else config
    if isinstance(asked, ForceTrainConfig | SpinTrainConfig):
        if data is not None and not isinstance(data, ForceData):
            raise ValueError("Argument `data` must be of frames for a force field")
        if isinstance(asked, SpinTrainConfig):
            return train_spin_field(asked, Path(out), data=data, resume=resume, progress=progress)
        return train_force_field(asked, Path(out), data=data, resume=resume, progress=progress)
    if data is not None and not isinstance(data, TrainingSet):
        raise ValueError("Argument `data` must be a set of molecules for this kind of model")
    return train_on_molecules(asked, Path(out), data=data, resume=resume, progress=progress)

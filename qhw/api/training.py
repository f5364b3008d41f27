"""Training: models on molecules, force fields on labelled geometries, priors on latents."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from qhw.forces.config import ForceTrainConfig
from qhw.forces.model import ForceField
from qhw.forces.spin_training import SpinKind, SpinTrainConfig, train_spin_field
from qhw.forces.training import ForceData, train_force_field
from qhw.lmdm.data import WholeMolecules
from qhw.lmdm.model import LMDM
from qhw.lmdm.properties import PropertyNetwork, PropertyTrainConfig, train_properties
from qhw.lmdm.training import LMDMTrainConfig, train_lmdm
from qhw.models.train import TrainConfig, TrainingSet, is_of_prior
from qhw.models.train import train as train_on_molecules
from qhw.models.train_prior import train_from
from qhw.yaml_files import read_yaml

AnyTrainConfig = (
    TrainConfig | ForceTrainConfig | SpinTrainConfig | LMDMTrainConfig | PropertyTrainConfig
)


def _read(path: Path) -> AnyTrainConfig:
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
    if kind == LMDM.kind:
        return LMDMTrainConfig.from_yaml(path)
    if kind == PropertyNetwork.kind:
        return PropertyTrainConfig.from_yaml(path)
    return TrainConfig.from_yaml(path)


def train(
    config: AnyTrainConfig | str | Path,
    out: str | Path,
    *,
    data: TrainingSet | ForceData | WholeMolecules | None = None,
    resume: bool = True,
    progress: bool = True,
) -> Path:
    """Train a model, or a prior of one, and write its weights and its card into a folder.

    A run that was stopped goes on from its last state and ends with the same weights, bit for bit,
    as one that was not.

    Args:
        config: the run, or the path of its YAML, which may also be that of a prior.
        out: folder, made if missing.
        data: what a model is trained on; QM9 or the config's files by default.
        resume: go on from a state found in ``out``; else start again.
        progress: show a bar on stderr.

    Returns:
        Path of ``model.safetensors``, or of a prior's folder.

    Raises:
        ValueError: a bad config, data that do not fit it, a state of another config, or ``data`` or
            ``resume`` of a prior, which takes QM9 and goes on.
        TrainingError: a loss that is not finite.
        OSError: ``out`` cannot be written.
    """
    if isinstance(config, str | Path) and is_of_prior(Path(config)):
        if data is not None or not resume:
            raise ValueError("Arguments `data` and `resume` must be left out for a prior")
        return train_from(Path(config), Path(out), progress=progress)
    asked = _read(Path(config)) if isinstance(config, str | Path) else config
    if isinstance(asked, ForceTrainConfig | SpinTrainConfig):
        if data is not None and not isinstance(data, ForceData):
            raise ValueError("Argument `data` must be of frames for a force field")
        if isinstance(asked, SpinTrainConfig):
            return train_spin_field(asked, Path(out), data=data, resume=resume, progress=progress)
        return train_force_field(asked, Path(out), data=data, resume=resume, progress=progress)
    if isinstance(asked, LMDMTrainConfig | PropertyTrainConfig):
        if data is not None and not isinstance(data, WholeMolecules):
            raise ValueError("Argument `data` must be of whole molecules for this kind of model")
        if isinstance(asked, PropertyTrainConfig):
            return train_properties(asked, Path(out), data=data, resume=resume, progress=progress)
        return train_lmdm(asked, Path(out), data=data, resume=resume, progress=progress)
    if data is not None and not isinstance(data, TrainingSet):
        raise ValueError("Argument `data` must be a set of molecules for this kind of model")
    return train_on_molecules(asked, Path(out), data=data, resume=resume, progress=progress)

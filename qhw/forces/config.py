"""What a force field's training is asked to do, as its YAML says it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from qhw.chem.geometries import EnergyUnit
from qhw.forces.heads import HeadConfig
from qhw.forces.invariants import InvariantsConfig
from qhw.models.training_run import TrainingConfig


class DataSpec(BaseModel):
    """Labelled geometries.

    Attributes:
        train: file of training and validation frames; see
            :func:`qhw.forces.files.read_geometries`. Relative to the current folder.
        validation: the file's last so many frames choose the ridge's strength and when to stop.
        frames: train on the first so many; by default on all that are not for validation.
        test: file of frames measured at the end and never chosen by.
        unit: of energies; forces are that a Å.
        trust_units: take sizes that look like another unit's as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: str
    validation: int = Field(default=50, ge=1)
    frames: int | None = Field(default=None, ge=2)
    test: str | None = None
    unit: EnergyUnit | None = None
    trust_units: bool = False


class _Parts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    invariants: dict[str, JsonValue] = {}
    head: HeadConfig = HeadConfig()


class ForceModelSpec(BaseModel):
    """Which force field; the species of its invariants are the data's unless they are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["force-field"]
    config: _Parts = _Parts()

    def invariants(self, species: tuple[int, ...]) -> InvariantsConfig:
        """Complete, for data of these species.

        Raises:
            ValueError: fields that are unknown or out of range.
        """
        return InvariantsConfig.model_validate({"species": species, **self.config.invariants})


class LoopConfig(TrainingConfig):
    """What every training of a force field is told.

    Attributes:
        name: of the checkpoint it makes.
        data: what it is trained on.
        epochs: passes over the training frames; a head without units has nothing to train.
        batch_size: frames a step; a last, smaller batch is left out.
        learning_rate: Adam's, after ``warmup`` steps; falls to zero as a cosine. Of angles; weights
            that are energies take steps of 0.04 eV for a radian.
        warmup: steps in which the rate rises from zero.
        clip_norm: largest gradient norm.
        weight_decay: L2 term of the map from inputs to angles.
        average: decay, a step, of the moving average of weights that is measured and kept.
        energy_weight: of squared energy errors (eV²).
        force_weight: of squared force errors, mean over components ((eV/Å)²).
        late_energy_weight: takes the place of ``energy_weight`` in a second stage, the last
            ``late`` of the epochs, and in what is best on the validation frames.
        late: share of the epochs.
        shot_weight: of the variance of a molecule's energy at one shot an atom (eV²).
        precision: of the training; the checkpoint is in double precision.
        seed: of weights and order of frames.
        checkpoint_every: epochs between states on disk.
        threads: that torch may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    data: DataSpec
    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup: int = Field(default=50, ge=0)
    clip_norm: float = Field(default=0.05, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    average: float = Field(default=0.99, ge=0, lt=1)
    energy_weight: float = Field(default=1.0, ge=0)
    force_weight: float = Field(default=1.0, gt=0)
    late_energy_weight: float | None = Field(default=None, ge=0)
    late: float = Field(default=0.25, gt=0, lt=1)
    shot_weight: float = Field(default=0.0, ge=0)
    precision: Literal["float32", "float64"] = "float32"
    seed: int = Field(default=0, ge=0, lt=2**63)
    checkpoint_every: int = Field(default=1, ge=1)
    threads: int = Field(default=1, ge=1)

    def check_batch(self, frames: int) -> None:
        """Refuse batches larger than the set.

        Raises:
            ValueError: fewer frames than a batch.
        """
        if frames < self.batch_size:
            raise ValueError(
                f"Argument `batch_size` must be at most the number of frames ({frames}), but is "
                f"{self.batch_size}."
            )

    def energy_weight_at(self, epoch: int) -> float:
        """Of an epoch, counted from 0."""
        if self.late_energy_weight is None or epoch < round((1 - self.late) * self.epochs):
            return self.energy_weight
        return self.late_energy_weight


class ForceTrainConfig(LoopConfig):
    """A training run of a force field of invariants.

    Attributes:
        model: which.
        components: principal components of each species that the ridge regression has.
        inputs: of the head: the ridge's atomic energy and leading components.
    """

    model: ForceModelSpec
    components: int = Field(default=768, ge=1)
    inputs: int = Field(default=256, ge=1)

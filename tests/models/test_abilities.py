"""What models can do, and training of a kind that is no autoencoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from calibration.plugins import PluginError
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.qm9 import sample_molecules
from qhw.forces.model import ForceField
from qhw.lmdm.model import LMDM
from qhw.lmdm.properties import PropertyNetwork
from qhw.models.base import (
    AbilityError,
    Decodes,
    Encodes,
    Energy,
    Model,
    Samples,
    encoding,
    plan_of,
)
from qhw.models.checkpoint import load, shipped
from qhw.models.registry import KINDS, build
from qhw.models.train import TrainConfig, TrainingSet, train
from qhw.models.training_run import TrainingError

MOLECULES = sample_molecules().molecules[:40]
DATA = TrainingSet(MOLECULES, MOLECULES, "shipped sample")


class LineConfig(BaseModel):
    start: float = 0.0
    loss: str = "total"


class Line(Model):
    """Energy of a molecule: a number for each atom."""

    kind: ClassVar[str] = "line"
    Config = LineConfig

    def __init__(self, config: LineConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.slope = nn.Parameter(torch.tensor(config.start, dtype=torch.float64))

    def energy(self, molecules: MoleculeBatch) -> Tensor:
        return self.slope * torch.from_numpy(molecules.counts)

    def loss(self, molecules: MoleculeBatch, generator: torch.Generator) -> dict[str, Tensor]:
        wanted = -3.0 * torch.from_numpy(molecules.counts)
        return {self.config.loss: (self.energy(molecules) - wanted).square().mean()}

    def metrics(
        self, molecules: MoleculeBatch, generator: torch.Generator
    ) -> dict[str, float | None]:
        return {"slope": float(self.slope.detach()), "never": float("nan"), "none": None}


class Forgets(Line):
    kind: ClassVar[str] = "forgets"

    def __init__(self, config: LineConfig, generator: torch.Generator) -> None:
        super().__init__(config, generator)
        self.config = None


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINDS, "_given", {})
    KINDS.register("line", Line)
    KINDS.register("forgets", Forgets)


@pytest.mark.parametrize("name", shipped())
def test_autoencoders_encode_and_decode(name: str) -> None:
    model, _ = load(name)
    if isinstance(model, LMDM):
        assert isinstance(model, Samples) and not isinstance(model, Encodes | Decodes | Energy)
        return
    if isinstance(model, ForceField):
        assert not isinstance(model, Encodes | Decodes | Samples)
        return
    if isinstance(model, PropertyNetwork):
        assert not isinstance(model, Encodes | Decodes | Samples | Energy)
        return
    assert isinstance(model, Encodes) and isinstance(model, Decodes)
    assert not isinstance(model, Samples) and not isinstance(model, Energy)


def test_energies_are_trained_by_the_same_loop_and_measure_themselves(tmp_path: Path) -> None:
    config = TrainConfig.model_validate(
        {"name": "line", "model": {"kind": "line"}, "epochs": 40, "batch_size": 20,
         "learning_rate": 0.2, "checkpoint_every": 40}
    )  # fmt: skip
    path = train(config, tmp_path, data=DATA, progress=False)
    model, card = load(path)
    assert isinstance(model, Energy) and not isinstance(model, Encodes)
    assert card.metrics["slope"] == pytest.approx(-3.0, abs=0.1)
    assert card.metrics["never"] is None and card.metrics["none"] is None
    json.loads(path.with_suffix(".json").read_text())
    with pytest.raises(
        AbilityError,
        match=r"^Model x of kind line cannot encode: task reconstruct needs a model that can$",
    ):
        encoding(model, "x", "task reconstruct")
    with pytest.raises(AbilityError, match="cannot decode: a noise study needs a model that can"):
        plan_of(model, "decoder", "x", "a noise study")


def test_what_could_not_be_stored_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"'forgets' of tests .* must keep the config"):
        build("forgets", {}, torch.Generator())
    config = TrainConfig.model_validate(
        {"name": "line", "model": {"kind": "line", "config": {"loss": "sum"}}, "batch_size": 20}
    )
    with pytest.raises(TrainingError, match="must give a loss `total`, but gives sum"):
        train(config, tmp_path, data=DATA, progress=False)

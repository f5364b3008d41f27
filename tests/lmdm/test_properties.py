"""Properties of molecules: a network of them, and EDM's protocol of what was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

import qhw
from qhw.chem.geometries import Geometries
from qhw.cli.app import app
from qhw.cli.models import UNITS
from qhw.lmdm.conditional import answers, rows_without_generator
from qhw.lmdm.data import PROPERTIES, WholeMolecules
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.properties import (
    PropertyConfig,
    PropertyNetwork,
    PropertyRun,
    PropertyTrainConfig,
    property_errors,
)
from qhw.models.base import AbilityError
from qhw.models.checkpoint import load
from tests.lmdm.tiny import ASKED, NETWORK, model, molecules

DATA = molecules()
GOLDEN = Path(__file__).parent / "golden"
WATER = Geometries(
    np.array([[8, 1, 1]]), np.array([[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]], dtype=float)
)
FEW = SamplingConfig(steps=3)
ALPHA = {"name": "alpha", "mean": 30.0, "spread": 10.0, "low": 18.0, "high": 54.0}


def settings(**more: Any) -> PropertyTrainConfig:
    return PropertyTrainConfig.model_validate(
        {
            "name": "tiny",
            "model": {"kind": "properties", "config": {"network": NETWORK}},
            "properties": ["gap", "alpha"],
            "steps": 8,
            "batch_size": 12,
            "warmup": 2,
            "report_every": 4,
            **more,
        }
    )


def classifier(seed: int = 0) -> PropertyNetwork:
    shape = {"network": NETWORK, "elements": (1, 6, 8), "properties": (ASKED, ALPHA)}
    generator = torch.Generator().manual_seed(seed)
    made = PropertyNetwork(PropertyConfig.model_validate(shape), generator).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(3)  # so that no part is silent
    return made


def test_values_do_not_depend_on_pose_order_or_padding() -> None:
    made, one = classifier(), DATA.geometries
    values = made.predict(one)
    turned = one.positions @ Rotation.random(random_state=0).as_matrix() + 3.0
    order = np.array([2, 0, 1])  # of water's atoms
    assert (one.numbers[0] > 0).sum() == 3
    numbers, places = one.numbers.copy(), turned.copy()
    numbers[0, :3], places[0, :3] = numbers[0, order], places[0, order]
    wide = Geometries(np.pad(numbers, ((0, 0), (0, 4))), np.pad(places, ((0, 0), (0, 4), (0, 0))))
    assert np.allclose(made.predict(wide), values, rtol=1e-5, atol=1e-3)
    assert np.ptp(values[:, 0]) > 1  # not a constant


def test_a_killed_run_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = qhw.train(settings(), tmp_path / "whole", data=DATA, progress=False)
    step = PropertyRun.step

    def dies(self: PropertyRun, number: int) -> dict[str, torch.Tensor]:
        if number == 6:
            raise KeyboardInterrupt
        return step(self, number)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(PropertyRun, "step", dies)
        qhw.train(settings(), tmp_path / "cut", data=DATA, progress=False)
    again = qhw.train(settings(), tmp_path / "cut", data=DATA, progress=False)
    (found, card), other = load(whole), load(again)[0]
    assert card.kind == "properties" and card.data["train"] == len(DATA)
    pairs = zip(found.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    asked = settings(steps=200, learning_rate=1e-2, average=0.9)
    found = load(qhw.train(asked, tmp_path, data=DATA, progress=False))[0]
    assert isinstance(found, PropertyNetwork)
    for name, error in property_errors(found, DATA).items():
        values = DATA.properties[name]
        assert error is not None
        assert error < 0.5 * np.abs(values - np.median(values)).mean()


def test_rows_without_a_generator_are_those_of_a_hand() -> None:
    """Learnt: gaps 10, 20, 60 of three atoms, 5 of four. Held out: 30 of three, 7 of five atoms."""

    def some(counts: list[int], gaps: list[float]) -> WholeMolecules:
        numbers = np.array([[8 if i < n else 0 for i in range(5)] for n in counts])
        places = np.where(numbers[..., None] > 0, np.arange(15.0).reshape(5, 3), 0.0)
        return WholeMolecules(Geometries(numbers, places), {"gap": np.array(gaps)})

    learnt, held_out = some([3, 3, 3, 4], [10, 20, 60, 5]), some([3, 5], [30, 7])
    judge = classifier()
    rows = rows_without_generator(judge, "gap", learnt, held_out)
    assert rows["atoms"].tolist() == [10, 8]  # medians 20, and 15 of all for a number never seen
    found = judge.predict(held_out.geometries)[:, 0]
    assert np.allclose(rows["data"], np.abs(found - [30, 7]))
    swapped = np.allclose(rows["random"], np.abs(found - [7, 30]))
    assert swapped or np.allclose(rows["random"], rows["data"])


def test_what_is_asked_for_has_sizes_and_values_of_the_source() -> None:
    made, judge = model(conditions=(ASKED,)), classifier()
    found, again, left = (
        answers(made, judge, asked, DATA, 6, seed=3, sampling=FEW)["gap"]
        for asked in (("gap",), ("gap",), ())
    )
    assert set(found.wanted) <= set(DATA.properties["gap"])
    assert np.array_equal(found.errors, again.errors) and np.array_equal(found.wanted, left.wanted)
    assert not np.array_equal(found.errors, left.errors)
    assert np.allclose(found.errors, np.abs(found.found - found.wanted))
    with pytest.raises(ValueError, match=r"property of the model \(gap\), but is 'alpha'"):
        answers(made, judge, ("alpha",), DATA, 2, seed=0)


def test_each_may_be_asked_for_something_else() -> None:
    """With one value for all it is what `sample` draws."""
    made = model(conditions=(ASKED,))
    one = made.sample(5, seed=1, atoms=9, conditions={"gap": 6000.0}, sampling=FEW)
    each = made.sample_each(np.full(5, 9), torch.ones(5, 1), seed=1, sampling=FEW)
    assert np.array_equal(one.positions, each.positions)
    asked = torch.tensor([[1.0], [1.0], [-2.0], [torch.nan], [1.0]])
    mixed = made.sample_each(np.full(5, 9), asked, seed=1, sampling=FEW)
    same = np.isclose(mixed.positions, each.positions, atol=1e-4).all(axis=(1, 2))
    assert same.tolist() == [True, True, False, False, True]


def test_a_checkpoint_of_this_format_must_go_on_loading_and_predicting() -> None:
    """Written by the first version of the format."""
    found, card = load(GOLDEN / "properties-v1.json")
    assert isinstance(found, PropertyNetwork) and card.kind == "properties"
    wanted = json.loads((GOLDEN / "properties-v1-values.json").read_text())
    np.testing.assert_allclose(found.predict(WATER), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "properties: Field required"),
        ("properties: []", "properties: "),
        ("properties: [weight]", "must be of alpha, gap, homo, lumo, mu, cv, each once"),
        ("properties: [gap]\nhalf: third", "half: "),
        ("properties: [gap]\nconditions: [gap]", "conditions: "),
    ],
)
def test_bad_configs_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"name: x\nmodel: {{kind: properties}}\n{text}\n")
    found = CliRunner().invoke(app, ["train", str(path), "--out", str(tmp_path / "out")])
    assert found.exit_code == 2 and len(found.stderr.strip().splitlines()) == 1
    with pytest.raises(ValueError, match=message):
        qhw.train(path, tmp_path / "out", progress=False)


def test_errors_are_shown_in_the_units_they_are_measured_in() -> None:
    assert {name: UNITS[name] for name in PROPERTIES} == {k: v[2] for k, v in PROPERTIES.items()}


def test_heavy_atoms_are_refused() -> None:
    with pytest.raises(AbilityError, match="with hydrogens"):
        classifier().loss(None, torch.Generator())  # type: ignore[arg-type]

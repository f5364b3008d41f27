"""Drawing molecules: seeds, sizes, conditions, what is refused, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import qhw
from qhw.chem.geometries import Geometries
from qhw.chem.whole_sdf import read_whole_sdf
from qhw.cli.app import app
from qhw.lmdm.diffusion import SamplingConfig
from qhw.lmdm.evaluate import drawn_metrics
from qhw.models import checkpoint
from tests.lmdm.tiny import ASKED, model

MODEL = model(conditions=(ASKED,))
FEW = SamplingConfig(steps=3)
GOLDEN = Path(__file__).parent / "golden"


def test_same_seed_same_molecules() -> None:
    first, again, other = (MODEL.sample(5, seed=s, sampling=FEW) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.numbers, again.numbers)
    np.testing.assert_array_equal(first.positions, again.positions)
    assert not np.array_equal(first.positions[0, :3], other.positions[0, :3])
    exists = first.numbers > 0
    assert set(exists.sum(1)) <= {3, 5, 9} and set(first.numbers[exists]) <= {1, 6, 8}
    centre = (first.positions * exists[:, :, None]).sum(1)
    np.testing.assert_allclose(centre, 0, atol=1e-3)
    assert not first.positions[~exists].any()


def test_sizes_are_those_of_training() -> None:
    sizes = (MODEL.sample(200, seed=0, sampling=SamplingConfig(steps=1)).numbers > 0).sum(1)
    assert np.mean(sizes == 9) == pytest.approx(0.5, abs=0.1)
    assert np.mean(sizes == 3) == pytest.approx(0.25, abs=0.1)
    assert ((MODEL.sample(4, seed=0, atoms=5, sampling=FEW).numbers > 0).sum(1) == 5).all()


def test_a_property_changes_the_molecules_at_fixed_noise_and_little_changes_little() -> None:
    values = (5000.0, 5001.0, 7000.0)
    found = [MODEL.sample(8, seed=0, conditions={"gap": v}, sampling=FEW).positions for v in values]
    near, far = (np.abs(found[0] - other).mean() for other in found[1:])
    assert 0 < near < 0.05 * far
    unasked = MODEL.sample(8, seed=0, sampling=FEW).positions
    assert np.abs(found[0] - unasked).mean() > near


def test_guidance_goes_on_from_what_any_molecule_is_to_what_was_asked_for() -> None:
    """One step ends at what is expected of the noise, which guidance moves along a line.

    Positions of a plain diffusion are that end itself; the noise is the same in every draw.
    """
    plain = model(autoencoder=None, conditions=(ASKED,))

    def drawn(guidance: float, conditions: dict[str, float]) -> np.ndarray:
        sampling = SamplingConfig(steps=1, guidance=guidance)
        return plain.sample(6, seed=3, conditions=conditions, sampling=sampling).positions

    asked = {"gap": 7500.0}
    anything, wanted = drawn(1, {}), drawn(1, asked)
    assert np.abs(wanted - anything).max() > 1e-3
    np.testing.assert_allclose(drawn(0, asked), anything, atol=1e-5)
    np.testing.assert_allclose(drawn(3, asked), anything + 3 * (wanted - anything), atol=1e-5)
    np.testing.assert_array_equal(drawn(3, {}), anything)


def test_variational_noise_is_drawn_afresh_and_can_be_switched_off() -> None:
    """The trace of a model with it shows a new draw at every step; without it there is none."""
    made = model(variational=2)
    seen: list[torch.Tensor] = []
    denoise = made.denoise

    def watched(*arguments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(arguments[4])
        return denoise(*arguments)

    made.denoise = watched  # type: ignore[method-assign]
    made.sample(2, seed=0, atoms=5, sampling=FEW)
    assert [one.shape for one in seen] == [(2, 5, 2)] * 3
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    assert model(variational=0).variational is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"molecules": 0}, "`molecules` must be 1 or more"),
        ({"atoms": 4}, "`atoms` must be one of 3, 5, 9, but is 4"),
        ({"condition": {"alpha": 3.0}}, r"properties of the model \(gap\), but names 'alpha'"),
        ({"condition": {"gap": 9000.0}}, "gap must be from 3000 to 8000 meV, but is 9000.0"),
        ({"condition": {"gap": float("nan")}}, "gap must be from 3000"),
        ({"steps": 0}, "`steps` must be from 1 to 1000"),
        ({"sampler": "ddpm"}, "`sampler` must be churn, heun or ancestral"),
        ({"guidance": 2.0}, "`guidance` must be 1 where no `condition` is given, but is 2"),
        ({"guidance": float("nan")}, "`guidance` must be from 0 to 20, but is nan"),
        ({"model": "qvae-l4"}, "must be of kind lmdm, but 'qvae-l4' is of kind qvae"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict, message: str) -> None:
    asked = {"model": MODEL, "molecules": 2, "steps": 2, **options}
    with pytest.raises(ValueError, match=message) as caught:
        qhw.generate(**asked)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_this_format_must_go_on_loading_and_drawing() -> None:
    """Written by the first version of the format; later ones read it and draw the same."""
    found, card = checkpoint.load(GOLDEN / "lmdm-v1.json")
    assert card.kind == "lmdm" and card.config["variational"] == 2
    wanted = json.loads((GOLDEN / "lmdm-v1-molecules.json").read_text())
    drawn = found.sample(3, seed=5, conditions={"gap": 6000.0}, sampling=SamplingConfig(steps=4))
    assert drawn.numbers.tolist() == wanted["numbers"]
    np.testing.assert_allclose(drawn.positions, wanted["positions"], atol=2e-4)


def run(*words: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, ["lmdm", "sample", *words])
    return found.exit_code, found.stdout, found.stderr


def test_the_command_writes_molecules_that_are_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    checkpoint.save(MODEL, folder / "tiny.safetensors", name="tiny")
    common = ("--model", str(folder), "--samples", "3", "--steps", "3", "--out", str(tmp_path))
    code, text, _ = run(*common, "--seed", "4", "--sweep", "gap=4000:6000:3", "--json")
    assert code == 0
    told = json.loads(text)
    written = read_whole_sdf(Path(told["run"]) / "molecules.sdf")
    assert told["conditions"] == [{"gap": 4000.0}, {"gap": 5000.0}, {"gap": 6000.0}]
    middle = qhw.generate(MODEL, 3, seed=4, steps=3, condition={"gap": 5000.0})
    np.testing.assert_array_equal(written.geometries.numbers[3:6], middle.numbers)
    np.testing.assert_allclose(written.geometries.positions[3:6], middle.positions, atol=1e-4)
    text = (Path(told["run"]) / "molecules.sdf").read_text()
    assert text.count("<gap_asked>") == 9 and text.count("\n5000.0\n") == 3
    assert json.loads((Path(told["run"]) / "result.json").read_text())["seed"] == 4
    for words, message in (
        (("--condition", "gap"), "must be PROPERTY=VALUE"),
        (("--condition", "gap=x"), "must be PROPERTY=VALUE"),
        (("--condition", "weight=3"), "names 'weight'"),
        (("--condition", "gap=5000", "--condition", "gap=5000"), "gives it twice"),
        (("--sweep", "gap=1:2"), "must be PROPERTY=FROM:TO:VALUES"),
        (("--sweep", "gap=nan:2:3"), "must be PROPERTY=FROM:TO:VALUES"),
        (("--sweep", "gap=4000:5000:2", "--condition", "gap=5000"), "must be of a property that"),
        (("--sweep", "gap=4000:9000:2"), "gap must be from 3000 to 8000"),
        (("--sampler", "ddim"), "must be churn, heun or ancestral"),
        (("--condition", "gap=5000", "--guidance", "-1"), "must be from 0 to 20, but is -1"),
    ):
        code, _, text = run(*common, *words)
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1


def test_shares_of_known_molecules_and_their_intervals() -> None:
    """A model that draws water, and water pulled apart, three to one."""

    class Draws:
        def sample(self, molecules: int, *, seed: int, sampling: object) -> Geometries:
            whole = [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]
            apart = [[0.0, 0, 0], [0.96, 0, 0], [-5.0, 0.93, 0]]
            rows = [whole if i % 4 else apart for i in range(molecules)]
            return Geometries(np.tile([8, 1, 1], (molecules, 1)), np.array(rows))

    found = drawn_metrics(Draws(), 400, (0, 1))  # type: ignore[arg-type]
    assert found["samples"] == 800
    assert found["stable"] == found["connected"] == found["stable_connected"] == 0.75
    assert found["stable_atoms"] == pytest.approx((3 * 3 + 1) / 12)  # of the broken one, one H
    assert found["stable/high"] - 0.75 == pytest.approx(1.96 * (0.75 * 0.25 / 800) ** 0.5)
    assert found["unique_of_valid"] == pytest.approx(2 / 400)
    assert found["stable/lowest_seed"] == found["stable/highest_seed"] == 0.75

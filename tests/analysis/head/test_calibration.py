"""Files of ``qhw calibrate --head``: what they hold, and what is refused in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qhw
from qhw.analysis.head.calibration import HeadCalibration, read_head
from qhw.analysis.head.measure import known_inputs
from qhw.chem.qm9 import sample_molecules
from qhw.models.checkpoint import load
from qhw.models.exact import ExactModel
from tests.small_model import save_small_qvae

GOLDEN = Path(__file__).parents[1] / "golden" / "head-v1.json"
DEVICE = "engine:ibm_lagos"
ASKED: dict[str, Any] = {"rows": 12, "shots": 400, "seed": 3}


@pytest.fixture(scope="module")
def head(small_model: Path) -> HeadCalibration:
    return qhw.calibrate_head(small_model, DEVICE, **ASKED)


@pytest.fixture
def file(head: HeadCalibration, tmp_path: Path) -> Path:
    path = tmp_path / "head.json"
    path.write_text(head.to_json())
    return path


def compared(model: Path | str, file: Path | None, device: str = DEVICE, **more: Any) -> Any:
    asked = {"molecules": 3, "shots": 300, "seed": 3, "mitigation": "none"}
    asked |= {"task": "generate", **more}
    if asked["task"] == "generate":
        asked |= {"prior": "vmf-mixture"}
    return qhw.compare(model, device, head=file, **asked)


def test_what_is_stored(head: HeadCalibration, small_model: Path) -> None:
    assert [part.role for part in head.parts] == ["encoder", "decoder"]
    assert head.total_shots == 2 * 12 * 400 and head.device == DEVICE
    assert head.snapshot is not None and head.run is None
    for part in head.parts:
        assert (part.table().sum(axis=1) == 400).all()
    assert HeadCalibration.from_json(head.to_json()) == head
    again = qhw.calibrate_head(small_model, DEVICE, **ASKED)
    assert again.parts == head.parts and again.weights_sha256 == head.weights_sha256


def test_inputs_have_the_molecules_moments_and_are_no_molecules() -> None:
    exact = ExactModel(load("nisq-chain5")[0].double())
    of_molecules = exact.directions(sample_molecules().molecules)
    drawn = known_inputs(exact, "decoder", 2000, 0)
    mean, other = of_molecules.mean(axis=0), drawn.mean(axis=0)
    assert np.linalg.norm(mean - other) < 0.05 * np.linalg.norm(mean)
    spread, found = np.cov(of_molecules.T), np.cov(drawn.T)
    assert np.linalg.norm(spread - found) < 0.2 * np.linalg.norm(spread)
    assert (drawn[:200] @ of_molecules.T).max() < 0.99995  # not even a neighbour within 0.5 degrees


@pytest.mark.parametrize(
    ("task", "mitigation"),
    [
        ("reconstruct", "readout"),
        pytest.param("generate", "none", marks=pytest.mark.slow),
        pytest.param("encode", "none", marks=pytest.mark.slow),
        pytest.param("encode", "readout", marks=pytest.mark.slow),
    ],
)
def test_refitted_heads_stand_beside_the_models_own(
    small_model: Path, file: Path, head: HeadCalibration, task: str, mitigation: str
) -> None:
    found = compared(small_model, file, task=task, mitigation=mitigation)
    own = compared(small_model, None, task=task, mitigation=mitigation)
    sources = {"device_raw_head"} | ({"device_readout_head"} if mitigation == "readout" else set())
    assert set(found.comparison.outcome.molecules) - set(own.comparison.outcome.molecules) == (
        sources
    )
    facts = found.result.head
    assert facts.total_shots == head.total_shots and facts.sha256 == head.sha256()
    assert own.result.head is None
    roles = {"generate": 1, "encode": 1, "reconstruct": 2}[task]
    assert len(facts.fits) == roles * len(sources)
    assert found.result.molecule_source == max(sources)
    # raw distributions of the first circuit are the same, whatever decodes them
    first = [one.comparison.outcome.stages[0].counts for one in (found, own)]
    np.testing.assert_array_equal(*first)


def test_a_golden_file_still_loads() -> None:
    head = HeadCalibration.from_json(GOLDEN.read_text(), "golden")
    assert head.device == DEVICE and head.total_shots == 24 and len(head.parts) == 2


def broken(head: HeadCalibration, how: str) -> str:
    document = json.loads(head.to_json())
    if how == "truncated":
        return head.to_json()[:-40]
    if how == "NaN":
        document["parts"][0]["inputs"][0][0] = float("nan")
    if how == "version":
        document["schema_version"] = 99
    if how == "ragged":
        document["parts"][0]["counts"][1].append(0)
    if how == "negative":
        document["parts"][0]["counts"][1][0] = -1
    if how == "empty row":
        document["parts"][0]["counts"][1] = [0] * 32
    if how == "twice":
        document["parts"] = [document["parts"][1]] * 2
    return json.dumps(document)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("truncated", "must be JSON"),
        ("NaN", "parts.0.inputs.0.0.*finite"),
        ("version", "schema_version 1 to 1, but has 99"),
        ("ragged", "counts must be 12 rows of equal length"),
        ("negative", "greater than or equal to 0"),
        ("empty row", "a shot in every row"),
        ("twice", "parts must be of different circuits"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    head: HeadCalibration, small_model: Path, tmp_path: Path, how: str, words: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(broken(head, how))
    with pytest.raises(ValueError, match=words) as refused:
        compared(small_model, path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_what_it_is_not_of_is_refused(
    head: HeadCalibration, file: Path, small_model: Path, tmp_path: Path
) -> None:
    def refused(words: str, model: Path | str = small_model, **more: Any) -> None:
        with pytest.raises(ValueError, match=words) as error:
            compared(model, more.pop("file", file), **more)
        assert "\n" not in str(error.value)

    refused(f"must be of exact, but .* is of {DEVICE}", device="exact")
    refused("must be of the model's very weights", model="nisq-chain5")
    refused("cannot have its read-out refitted", model=save_small_qvae(tmp_path))
    refused("must be of the decoder as it is compiled here", preparation="exact")
    refused("must be left out of mitigation default", mitigation="default")
    refused("must be a file", file=tmp_path / "none.json")
    half = head.model_copy(update={"parts": head.parts[:1]})
    (tmp_path / "half.json").write_text(half.to_json())
    refused("must be of a circuit that runs", file=tmp_path / "half.json")
    old = {"snapshot_taken": head.snapshot_taken - timedelta(days=1)}  # type: ignore[operator]
    (tmp_path / "old.json").write_text(head.model_copy(update=old).to_json())
    refused("must be measured with the device calibrated as it is now", file=tmp_path / "old.json")


def test_it_is_stale_after_a_day(head: HeadCalibration, file: Path, small_model: Path) -> None:
    model, _ = load(small_model)
    soon, late = (head.taken + timedelta(hours=h) for h in (23.9, 25))
    assert read_head(str(file), DEVICE, model, soon) == head
    with pytest.raises(ValueError, match=r"at most 24 h old, but .* is 25\.0 h old"):
        read_head(str(file), DEVICE, model, late)
    assert head.age(datetime.now(UTC)) < timedelta(hours=1)


def test_a_calibration_that_cannot_be_made_is_refused(small_model: Path, tmp_path: Path) -> None:
    for options, words in (
        ({"rows": 2}, "`rows` must be greater than or equal to 3"),
        ({"shots": 0}, "must be"),
        ({"circuits": ["decoder", "decoder"]}, "must name encoder, decoder or both once"),
        ({"again": True}, "`again` must be given for a device that takes jobs"),
    ):
        with pytest.raises(ValueError, match=words):
            qhw.calibrate_head(small_model, "exact", **options)
    with pytest.raises(ValueError, match="cannot have its read-out refitted"):
        qhw.calibrate_head(save_small_qvae(tmp_path), "exact")
    model, _ = load(small_model)
    with pytest.raises(ValueError, match="must be stored to run on emulator:ibm_lagos"):
        qhw.calibrate_head(model, "emulator:ibm_lagos")
    live = qhw.calibrate_head(model, "exact", rows=3, shots=10)
    assert (
        live.snapshot is None
        and live.weights_sha256
        == qhw.calibrate_head(small_model, "exact", rows=3, shots=10).weights_sha256
    )

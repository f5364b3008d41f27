from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from qhw.chem.molecule import MoleculeBatch
from qhw.models import checkpoint
from qhw.models.checkpoint import CheckpointError, load, save
from qhw.models.qvae import QVAE, QVAEConfig

GOLDEN = Path(__file__).parent / "golden" / "qvae-v1.safetensors"


@pytest.fixture
def saved(tmp_path: Path, generator: torch.Generator) -> Path:
    model = QVAE(QVAEConfig(n_blocks=1, kappa=7.5), generator)
    save(model, tmp_path / "m.safetensors", name="m", seed=11, metrics={"mean/fidelity": 0.5})
    return tmp_path / "m.safetensors"


def edit_card(path: Path, **changes: object) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | changes))


def test_round_trip(saved: Path) -> None:
    original = QVAE(QVAEConfig(n_blocks=1, kappa=7.5), torch.Generator().manual_seed(11))
    for source in (saved, str(saved), saved.with_suffix(".json")):
        model, card = load(source)
        assert isinstance(model, QVAE)
        assert model.config == original.config
        assert torch.equal(model.encoder_angles, original.encoder_angles)
        assert torch.equal(model.decoder_angles, original.decoder_angles)
        assert (card.name, card.kind, card.seed) == ("m", "qvae", 11)
        assert card.metrics == {"mean/fidelity": 0.5}
        assert card.tensors == {"encoder_angles": [49], "decoder_angles": [49]}
        assert card.created.utcoffset() is not None


def test_double_precision_is_kept(tmp_path: Path, generator: torch.Generator) -> None:
    model = QVAE(QVAEConfig(n_blocks=1), generator).double()
    save(model, tmp_path / "m.safetensors", name="m")
    again, _ = load(tmp_path / "m.safetensors")
    assert torch.equal(model.encoder_angles, again.get_parameter("encoder_angles"))


def test_golden_file_still_loads(molecules: MoleculeBatch) -> None:
    model, card = load(GOLDEN)
    assert card.name == "golden"
    assert card.format_version == 1
    expected = json.loads((GOLDEN.parent / "qvae-v1-means.json").read_text())
    means = model.encode(molecules[:2]).detach().numpy()
    np.testing.assert_allclose(means, expected, atol=1e-6)


def test_unknown_name_lists_the_shipped() -> None:
    with pytest.raises(CheckpointError) as caught:
        load("no-such-model")
    assert "no-such-model" in str(caught.value)
    assert all(name in str(caught.value) for name in checkpoint.shipped())


@pytest.mark.parametrize("name", checkpoint.shipped())
def test_shipped_checkpoints_load(name: str) -> None:
    model, card = load(name)
    assert card.name == name
    assert card.kind == model.kind
    assert card.metrics


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "must have format_version 1, but has 2"),
        ({"kind": "gan"}, "has kind 'gan', but the kinds are .*qvae"),
        ({"name": 3}, "is not a model card: name"),
        ({"surprise": 3}, "is not a model card: surprise"),
        ({"config": {"n_blocks": -1}}, "does not describe a model.*n_blocks"),
        ({"config": {"n_blocks": 2}}, r"encoder_angles must have shape \(77,\) \(kind qvae\)"),
        ({"sha256": "0"}, "is not the file m.json was written for"),
        ({"tensors": {"encoder_angles": [49]}}, "does not name: decoder_angles"),
    ],
)
def test_bad_cards(saved: Path, changes: dict, message: str) -> None:
    edit_card(saved, **changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def damage(path: Path, **changes: torch.Tensor | None) -> None:
    tensors = load_file(path)
    for key, value in changes.items():
        tensors.pop(key, None)
        if value is not None:
            tensors[key] = value
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decoder_angles": None}, "lacks tensors that its card names: decoder_angles"),
        ({"more": torch.zeros(1)}, "does not name: more"),
        ({"decoder_angles": torch.zeros(7)}, r"must have shape \(49,\)"),
        ({"decoder_angles": torch.full((49,), float("nan"))}, "49 of 49 values .* not finite"),
    ],
)
def test_bad_tensors(saved: Path, changes: dict, message: str) -> None:
    damage(saved, **changes)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_damaged_files(saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-5])
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(saved)
    saved.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load(saved)
    saved.unlink()
    with pytest.raises(CheckpointError, match=r"has no file m\.safetensors"):
        load(saved)
    saved.write_bytes(whole)
    saved.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        load(saved)
    saved.with_suffix(".json").write_text("[]")
    with pytest.raises(CheckpointError, match="format_version"):
        load(saved)
    saved.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"has no file m\.json"):
        load(saved)


def test_weights_that_are_not_finite_are_not_saved(
    tmp_path: Path, generator: torch.Generator
) -> None:
    model = QVAE(QVAEConfig(n_blocks=1), generator)
    with torch.no_grad():
        model.encoder_angles[3] = torch.inf
    with pytest.raises(CheckpointError, match="encoder_angles has 1 of 49"):
        save(model, tmp_path / "m.safetensors", name="m")
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()  # a rename onto a folder fails
    with pytest.raises(OSError):
        checkpoint.write_atomically(target, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    shutil.rmtree(target)
    checkpoint.write_atomically(target, b"new")
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    "changes",
    [
        {"config": QVAEConfig(n_blocks=1, kappa=30).model_dump(mode="json")},
        {"metrics": {"mean/fidelity": 0.9}},
        {"seed": 12},
    ],
)
def test_an_altered_card_is_refused(saved: Path, changes: dict) -> None:
    edit_card(saved, **changes)
    with pytest.raises(CheckpointError, match=r"m\.json was altered since m\.safetensors"):
        load(saved)


def test_a_card_written_anew_with_the_same_words_is_the_same(saved: Path) -> None:
    card = json.loads(saved.with_suffix(".json").read_text())
    saved.with_suffix(".json").write_text(json.dumps(dict(reversed(card.items())), indent=7))
    load(saved)


def test_files_without_a_digest_of_their_card_still_load(saved: Path) -> None:
    """Those of version 0.1.0."""
    save_file(load_file(saved), saved)
    edit_card(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest(), seed=5)
    assert load(saved)[1].seed == 5


def test_an_altered_weight_is_refused(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"is not the file m\.json was written for"):
        load(saved)


def test_types_that_are_no_weights_are_named(saved: Path) -> None:
    for changed, found in (
        ({"decoder_angles": torch.zeros(49, dtype=torch.int8)}, "float32, int8"),
        ({"decoder_angles": torch.zeros(49, dtype=torch.float64)}, "float32, float64"),
    ):
        damage(saved, **changed)
        with pytest.raises(CheckpointError, match=f"all be float32 .* but are {found}"):
            load(saved)


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"seed": NaN}', "9" * 10_000, '"' + "x" * 2**20]
)
def test_cards_that_are_no_json_or_too_much_of_it(saved: Path, content: str) -> None:
    saved.with_suffix(".json").write_text(content)
    with pytest.raises(CheckpointError, match=r"m\.json (is not valid JSON|cannot be read)"):
        load(saved)


def test_files_that_never_end_are_not_read(saved: Path) -> None:
    for suffix in (".safetensors", ".json"):
        saved.with_suffix(suffix).unlink()
        saved.with_suffix(suffix).symlink_to("/dev/zero")
        with pytest.raises(CheckpointError, match="must be a regular file"):
            load(saved)


def test_a_folder_with_one_checkpoint_names_it(saved: Path) -> None:
    (saved.parent / "state.safetensors").touch()  # of a training: no card
    (saved.parent / "notes.json").write_text("{}")
    for source in (saved.parent, str(saved.parent)):
        assert load(source)[1] == load(saved)[1]


def test_a_folder_with_none_or_several_is_refused(saved: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"must hold one checkpoint, .* but holds none"):
        load(empty)
    for suffix in (".json", ".safetensors"):
        other = saved.with_name("other").with_suffix(suffix)
        other.write_bytes(saved.with_suffix(suffix).read_bytes())
    with pytest.raises(CheckpointError, match="but holds 2: "):
        load(saved.parent)

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from qhw.analysis.compare.model import check_prior, make_prior, prior_name
from qhw.chem.qm9 import sample_molecules
from qhw.models.checkpoint import CheckpointError, load, save
from qhw.models.exact import ExactModel
from qhw.models.import_torchquantum import import_torchquantum, source_facts
from tests.models.reference import crx, embed, ry, rz

State = OrderedDict[str, torch.Tensor]


@pytest.fixture
def state() -> State:
    """A state dict in the released layout."""
    generator = torch.Generator().manual_seed(4)
    made: State = OrderedDict()
    for suffix in ("", "_d"):
        for gate, count in (("rz1", 77), ("ry", 77), ("rz2", 77), ("crx", 70)):
            for i in range(count):
                angle = (torch.rand(1, 1, generator=generator) * 2 - 1) * torch.pi
                made[f"{gate}_layer{suffix}.{i}.params"] = angle
    made["MLP_encoder.weight"] = torch.zeros(128, 73)
    made["qdev.states"] = torch.zeros(1, 2, dtype=torch.complex64)
    return made


def write(state: object, folder: Path) -> Path:
    path = folder / "model.pth"
    torch.save(state, path)
    return path


def released_encoder(state: State) -> np.ndarray:
    """Gate by gate in the order of the paper."""
    total = np.eye(128, dtype=complex)

    def angle(name: str, i: int) -> float:
        return float(state[f"{name}_layer.{i}.params"])

    for k in range(11):
        for q in range(7):
            for name, gate in (("rz1", rz), ("ry", ry), ("rz2", rz)):
                total = embed(gate(angle(name, 7 * k + q)), (q,), 7) @ total
        if k < 10:
            for q in range(7):
                total = embed(crx(angle("crx", 7 * k + q)), (q, (q + 1) % 7), 7) @ total
    return total


def released_decoder(state: State) -> np.ndarray:
    """Last block first: RZ2, RY, RZ1 on every wire, then the previous ring backwards."""
    total = np.eye(128, dtype=complex)

    def angle(name: str, i: int) -> float:
        return float(state[f"{name}_layer_d.{i}.params"])

    for k in reversed(range(11)):
        for q in range(7):
            for name, gate in (("rz2", rz), ("ry", ry), ("rz1", rz)):
                total = embed(gate(angle(name, 7 * k + q)), (q,), 7) @ total
        if k > 0:
            for q in reversed(range(7)):
                total = embed(crx(angle("crx", 7 * (k - 1) + q)), (q, (q + 1) % 7), 7) @ total
    return total


def test_circuits_equal_a_second_implementation(state: State, tmp_path: Path) -> None:
    model = import_torchquantum(write(state, tmp_path))
    rng = np.random.default_rng(0)
    data = rng.random((3, 128))
    data /= np.linalg.norm(data, axis=1, keepdims=True)
    latents = rng.standard_normal((3, 32))
    latents /= np.linalg.norm(latents, axis=1, keepdims=True)
    encoded = (np.abs(data @ released_encoder(state).T) ** 2).reshape(3, 32, 4).sum(-1)
    decoded = np.abs(latents @ released_decoder(state)[:, :32].T) ** 2
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-10)):
        cast = model.to(dtype)
        with torch.no_grad():
            p = cast.encoder_probabilities(torch.as_tensor(data, dtype=dtype))
            q = cast.decoder_probabilities(torch.as_tensor(latents, dtype=dtype))
        np.testing.assert_allclose(p.numpy(), encoded, atol=tolerance)
        np.testing.assert_allclose(q.numpy(), decoded, atol=tolerance)
    assert model.config.layout == "released"
    assert model.config.decode.scale == "released"


def test_wrong_entries_are_named(state: State, tmp_path: Path) -> None:
    def fault(change: dict[str, object | None]) -> str:
        changed: OrderedDict[str, object] = OrderedDict(state)
        for key, value in change.items():
            changed.pop(key, None)
            if value is not None:
                changed[key] = value
        with pytest.raises(CheckpointError) as caught:
            import_torchquantum(write(changed, tmp_path))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    key = "crx_layer_d.69.params"
    assert f"lacks 1 of 602 keys: {key}" in fault({key: None})
    assert "1 unexpected keys: rx_layer.0.params" in fault({"rx_layer.0.params": torch.zeros(1, 1)})
    assert f"{key} must be float32 of shape (1, 1), but is torch.float32 of shape (1,)" in fault(
        {key: torch.zeros(1)}
    )
    assert "torch.float64" in fault({key: torch.zeros(1, 1, dtype=torch.float64)})
    assert f"{key} is nan" in fault({key: torch.full((1, 1), torch.nan)})
    assert f"{key} must be a tensor, but is str" in fault({key: "0"})


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.target,))


def test_files_that_are_no_state_dict(state: State, tmp_path: Path) -> None:
    good = write(state, tmp_path).read_bytes()
    bad = tmp_path / "bad.pth"
    trap = tmp_path / "trap"
    contents = {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "text": b"hello\n",
        "plain pickle": pickle.dumps({"a": 1}, protocol=2),
        "malicious": pickle.dumps(Malicious(trap), protocol=2),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "zip": b"PK\x03\x04" + bytes(100),
    }
    for content in contents.values():
        bad.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"bad\.pth (is not|must hold|lacks)") as caught:
            import_torchquantum(bad)
        assert "\n" not in str(caught.value)
    torch.save(Malicious(trap), bad)
    with pytest.raises(CheckpointError, match="not loaded for safety"):
        import_torchquantum(bad)
    assert not trap.exists()
    torch.save([torch.zeros(1)], bad)
    with pytest.raises(CheckpointError, match="must hold a state dict, but holds list"):
        import_torchquantum(bad)
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        import_torchquantum(tmp_path / "none.pth")


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_is_always_one_clear_error(seed: int, state: State, tmp_path: Path) -> None:
    """Legacy pickles have no checksum, so damage reaches the unpickler."""
    path = tmp_path / "model.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, min(len(content), 3000), 20):
        content[place] = rng.integers(256)
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError):
        import_torchquantum(path)


def altered_archive(path: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    """Write an archive again with other members and right checksums."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of members given twice
        for name, content in members:
            archive.writestr(*change(name, content))


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        import_torchquantum(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_an_altered_member_is_refused_by_name(seed: int, state: State, tmp_path: Path) -> None:
    path = write(state, tmp_path)
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if info.file_size]
        member = infos[np.random.default_rng(seed).integers(len(infos))]
        value = archive.read(member)
    content = path.read_bytes()
    place = content.index(value, member.header_offset)
    altered = bytearray(content)
    altered[place] ^= 1
    path.write_bytes(bytes(altered))
    assert f"its member {member.filename} does not match its checksum" in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, c: (n.replace("model/", "/model/"), c), "must stay within the archive"),
        (lambda n, c: (n.replace("model/data/", "model/../../"), c), "must stay within"),
        (lambda n, c: (n.replace("model/data/", "model\\..\\"), c), "must stay within"),
        (
            lambda n, c: ("model/data/0" if n == "model/data/1" else n, c),
            "two members model/data/0",
        ),
        (lambda n, c: (n, b"" if n.endswith("data.pkl") else c), "is not a state dict"),
        (lambda n, c: (n, bytes(65 * 2**20) if n.endswith("version") else c), "cannot be read"),
    ],
)
def test_archives_that_are_not_what_torch_writes(
    change: Callable[[str, bytes], tuple[str, bytes]], words: str, state: State, tmp_path: Path
) -> None:
    path = write(state, tmp_path)
    altered_archive(path, change)
    assert words in refusal(path)


def test_an_archive_that_grows_when_unpacked_is_refused(state: State, tmp_path: Path) -> None:
    path = write(state, tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/more", bytes(2**27))
    assert path.stat().st_size < 2**20
    assert "its members must have at most" in refusal(path)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_any_protocol_says_nothing_but_the_error(
    protocol: int, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, trap = tmp_path / "bad.pth", tmp_path / "trap"
    path.write_bytes(pickle.dumps(Malicious(trap), protocol=protocol))
    assert "not loaded for safety" in refusal(path)
    assert not trap.exists()
    assert not recwarn.list


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        assert "must be a regular file" in refusal(path)
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize(
    "value",
    [torch.zeros(1, 1).to_sparse(), torch.zeros(1, 1, device="meta"), torch.zeros(1, 1).half()],
    ids=["sparse", "meta", "half"],
)
def test_tensors_of_other_kinds_are_named(
    value: torch.Tensor, state: State, tmp_path: Path
) -> None:
    state["ry_layer.3.params"] = value
    assert "ry_layer.3.params" in refusal(write(state, tmp_path))


def test_text_from_the_file_is_bounded(state: State, tmp_path: Path) -> None:
    state["\x1b[31m" + "x" * 10_000] = torch.zeros(1)
    text = refusal(write(state, tmp_path))
    assert text.isprintable()
    assert len(text) < 400


def test_a_card_notes_the_source_and_that_kappa_is_assumed(state: State, tmp_path: Path) -> None:
    path = write(state, tmp_path)
    save(import_torchquantum(path), tmp_path / "a", name="a", training=source_facts(path))
    card = load(tmp_path)[1]
    assert card.training == {
        "imported_from": "model.pth",
        "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kappa": "assumed: the source does not hold it",
    }
    assert card.kappa_assumed
    assert not load("qvae-l10")[1].kappa_assumed


def test_its_prior_is_the_released_one_unless_another_is_named(
    state: State, tmp_path: Path
) -> None:
    model = import_torchquantum(write(state, tmp_path))
    assert prior_name(None, model) == "positive-orthant"
    assert prior_name("posterior", model) == "posterior"
    assert prior_name(None, load("qvae-l10")[0]) == check_prior(None)
    drawn = make_prior(None, ExactModel(model.double()), sample_molecules(), 0)
    assert (drawn.sample(50, np.random.default_rng(0)) >= 0).all()

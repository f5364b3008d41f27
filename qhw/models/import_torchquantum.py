"""The released QVAE-Mole checkpoint (a TorchQuantum state dict) as our :class:`QVAE`.

Layout of the released file: an OrderedDict of float32 ``[1, 1]`` tensors ``rz1_layer.{i}.params``,
``ry_layer.{i}.params``, ``rz2_layer.{i}.params`` (``i = block*7 + wire``) and
``crx_layer.{i}.params`` (control ``wire``, target ``wire + 1 mod 7``); the decoder's names end in
``_layer_d``. Entries ``MLP_*`` (linear layers the model does not use) and ``qdev.*`` are ignored.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import torch
from pydantic import JsonValue
from torch import Tensor

from calibration.documents import read_bounded
from qhw.chem.encoding import RELEASED_DECODE
from qhw.models.checkpoint import KAPPA_ASSUMED, CheckpointError
from qhw.models.losses import LossConfig
from qhw.models.qvae import N_WIRES, QVAE, QVAEConfig

_IGNORED = ("MLP_", "qdev.")
_MAX_BYTES = 64 * 2**20
_DAMAGED = (
    pickle.UnpicklingError,
    RuntimeError,  # torch: not a zip archive, or a damaged one
    EOFError,
    MemoryError,  # a size that the file claims
    AttributeError,
    ImportError,
    LookupError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
"""What torch.load raises on bytes that are no state dict; each is a way to be damaged."""


def import_torchquantum(path: Path, *, n_blocks: int = 10, kappa: float = 20.0) -> QVAE:
    """Read a released state dict.

    Nothing in the file is executed: only tensors and plain containers are read
    (``weights_only``).

    Args:
        path: the ``.pth`` file.
        n_blocks: L of the circuits, 10 in the released model.
        kappa: concentration of the latent, which the file does not hold; 20 is the released
            code's default (its README trains with 0.1).

    Returns:
        The model in the released layout, with the released decoding, in evaluation mode.

    Raises:
        CheckpointError: one line: no such file, not a state dict, missing or unexpected keys, a
            wrong shape or type, or a value that is not finite, each by its key; or an archive
            whose members are not what their checksums say, by the member.
    """
    state = _read(path)
    config = QVAEConfig(
        n_blocks=n_blocks,
        kappa=kappa,
        layout="released",
        decode=RELEASED_DECODE,
        loss=LossConfig(type_loss="focal"),
    )
    model = QVAE(config, torch.Generator().manual_seed(0))
    wanted = {"encoder": _keys(n_blocks, "_layer"), "decoder": _keys(n_blocks, "_layer_d")}
    _check_keys(path, state, [*wanted["encoder"], *wanted["decoder"]])
    with torch.no_grad():
        model.encoder_angles.copy_(_angles(path, state, wanted["encoder"]))
        model.decoder_angles.copy_(_angles(path, state, wanted["decoder"]))
    return model.eval()


def source_facts(path: Path) -> dict[str, JsonValue]:
    """What a card says of the file it was imported from: name, sha256, and what it does not hold.

    Raises:
        CheckpointError: it cannot be read.
    """
    return {
        "imported_from": path.name,
        "source_sha256": hashlib.sha256(_content(path)).hexdigest(),
        "kappa": KAPPA_ASSUMED,
    }


def _content(path: Path) -> bytes:
    try:
        return read_bounded(path, _MAX_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read(path: Path) -> Mapping[str, object]:
    content = _content(path)
    if content.startswith(b"PK"):
        _check_archive(path, content)
    try:
        with warnings.catch_warnings():  # of pickle protocols: what fails is said below
            warnings.simplefilter("ignore")
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (OSError, *_DAMAGED) as error:
        raise CheckpointError(
            f"{path} is not a state dict of tensors: it is damaged, of another format, or holds "
            f"objects that are not loaded for safety ({type(error).__name__})."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise CheckpointError(f"{path} must hold a state dict, but holds {type(state).__name__}.")
    return state


def _check_archive(path: Path, content: bytes) -> None:
    """Refuse an archive whose members are damaged; torch itself looks at no checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            seen: set[str] = set()
            for member in archive.infolist():
                _check_member(path, member, seen)
            total = sum(member.file_size for member in archive.infolist())
            if total > _MAX_BYTES:
                raise CheckpointError(
                    f"{path}: its members must have at most {_MAX_BYTES} bytes together, but say "
                    f"{total}."
                )
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, *_DAMAGED) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{path} is not a state dict of tensors: its archive is damaged ({_shown(str(error))})."
        ) from error
    if bad is not None:
        raise CheckpointError(
            f"{path} is damaged: its member {_shown(bad)} does not match its checksum."
        )


def _check_member(path: Path, member: zipfile.ZipInfo, seen: set[str]) -> None:
    name = member.orig_filename
    place = PurePosixPath(name.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or "\0" in name:
        raise CheckpointError(f"{path}: its member {_shown(name)} must stay within the archive.")
    if name in seen:
        raise CheckpointError(f"{path}: it has two members {_shown(name)}.")
    seen.add(name)


def _keys(n_blocks: int, suffix: str) -> list[str]:
    """Names of a circuit's tensors in the order of :func:`qhw.circuits.ansatz.qvae_ansatz`."""
    rotations = (n_blocks + 1) * N_WIRES
    sizes = {"rz1": rotations, "ry": rotations, "rz2": rotations, "crx": n_blocks * N_WIRES}
    return [f"{gate}{suffix}.{i}.params" for gate, size in sizes.items() for i in range(size)]


def _check_keys(path: Path, state: Mapping[str, object], wanted: list[str]) -> None:
    missing = [key for key in wanted if key not in state]
    if missing:
        raise CheckpointError(
            f"{path} lacks {len(missing)} of {len(wanted)} keys: {_few(missing)}."
        )
    known = set(wanted)
    extra = [key for key in state if key not in known and not key.startswith(_IGNORED)]
    if extra:
        raise CheckpointError(f"{path} has {len(extra)} unexpected keys: {_few(extra)}.")


def _few(keys: list[str]) -> str:
    return ", ".join(map(_shown, keys[:5])) + (", ..." if len(keys) > 5 else "")


def _shown(text: str) -> str:
    """A file's own text: bounded, without control characters."""
    return text[:80] if text[:80].isprintable() else repr(text[:80])


def _angles(path: Path, state: Mapping[str, object], keys: list[str]) -> Tensor:
    values: list[Tensor] = []
    for key in keys:
        value = state[key]
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: {key} must be a tensor, but is {type(value).__name__}.")
        if tuple(value.shape) != (1, 1) or value.dtype != torch.float32:
            raise CheckpointError(
                f"{path}: {key} must be float32 of shape (1, 1), but is {value.dtype} of shape "
                f"{tuple(value.shape)}."
            )
        if value.layout != torch.strided or value.device.type != "cpu":
            raise CheckpointError(
                f"{path}: {key} must hold its values, but is {value.layout} on {value.device}."
            )
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {key} is {float(value)}, which is not finite.")
        values.append(value.reshape(()))
    return torch.stack(values)

"""Trained models on disk: tensors in safetensors, everything else in a JSON card beside them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors

from calibration.closest import closest, quoted
from calibration.documents import read_bounded
from qhw.models.base import Model
from qhw.models.registry import KINDS, build

FORMAT_VERSION = 1
MAX_TENSOR_BYTES, _MAX_CARD_BYTES = 2**30, 2**20
_FEW = 5
_CARD_DIGEST = "card_sha256"
"""Entry of the tensor file's metadata. The card holds the digest of the tensor file, which holds
that of the rest of the card: neither can be altered alone. Files of version 0.1.0 have none."""


KAPPA_ASSUMED = "assumed: the source does not hold it"
"""Under ``kappa`` of a card's ``training``."""


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or does not fit its model."""


class CodeVersion(BaseModel):
    """The code that wrote a checkpoint; ``revision`` is ``None`` outside a git checkout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    revision: str | None = None
    modified: bool | None = None


class ModelCard(BaseModel):
    """What a checkpoint is.

    Attributes:
        format_version: of this schema.
        name: the checkpoint's name.
        kind: key of :data:`qhw.models.registry.KINDS`.
        config: the model's config, complete.
        seed: of its training, if it was trained here.
        training: how it was trained (settings of the run), or where it was imported from.
        data: what it was trained on.
        metrics: what was measured after training, names say on what.
        tensors: shape of every tensor.
        sha256: of the tensor file.
        code: what wrote it.
        created: when, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str
    kind: str
    config: dict[str, JsonValue]
    seed: int | None = None
    training: dict[str, JsonValue] = {}
    data: dict[str, JsonValue] = {}
    metrics: dict[str, float | None] = {}
    tensors: dict[str, list[int]]
    sha256: str
    code: CodeVersion
    created: AwareDatetime

    @property
    def kappa_assumed(self) -> bool:
        """Whether kappa was assumed at an import, since the source does not hold it."""
        return self.training.get("kappa") == KAPPA_ASSUMED


def shipped() -> tuple[str, ...]:
    """Names of the checkpoints that come with the package, sorted."""
    folder = files("qhw") / "data" / "models"
    if not folder.is_dir():
        return ()
    names = [entry.name for entry in folder.iterdir()]
    return tuple(sorted(n.removesuffix(".json") for n in names if n.endswith(".json")))


def save(
    model: Model,
    path: Path,
    *,
    name: str,
    seed: int | None = None,
    training: Mapping[str, JsonValue] | None = None,
    data: Mapping[str, JsonValue] | None = None,
    metrics: Mapping[str, float | None] | None = None,
) -> ModelCard:
    """Write ``path`` (``.safetensors``) and its card (``.json``), each whole or not at all.

    Args:
        model: a registered kind; its weights are stored as they are.
        path: target; the suffix is replaced. The folder is made if missing.
        name: the checkpoint's name.
        seed: of the training.
        training: settings of the training, or the source of an import.
        data: what it was trained on.
        metrics: what was measured.

    Returns:
        The card.

    Raises:
        CheckpointError: a weight is not finite.
        OSError: the folder cannot be written.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    _check_finite(tensors, str(path))
    card = ModelCard(
        name=name,
        kind=model.kind,
        config=model.config.model_dump(mode="json"),
        seed=seed,
        training=dict(training or {}),
        data=dict(data or {}),
        metrics=dict(metrics or {}),
        tensors={k: list(v.shape) for k, v in tensors.items()},
        sha256="",
        code=code_version(),
        created=datetime.now(UTC).replace(microsecond=0),
    )
    digest = _card_digest(card.model_dump(mode="json"))
    blob = dump_tensors(tensors, metadata={"format": "pt", _CARD_DIGEST: digest})
    card = card.model_copy(update={"sha256": hashlib.sha256(blob).hexdigest()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".safetensors"), blob)
    text = json.dumps(card.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
    write_atomically(path.with_suffix(".json"), text.encode())
    return card


def load(source: str | Path) -> tuple[Model, ModelCard]:
    """Read a checkpoint.

    Args:
        source: a shipped name (see :func:`shipped`), the path of either of its two files, or of a
            folder that holds one checkpoint, as ``qhw train`` and ``qhw import-checkpoint`` write.

    Returns:
        The model, in evaluation mode, and its card.

    Raises:
        CheckpointError: one line that says what is wrong: an unknown name (with the closest),
            a missing or far too large file, bad JSON, another format version, an unknown kind,
            missing or extra tensors, a wrong shape or type, a value that is not finite, tensors
            of another card, or a card that was altered.
    """
    stem, where = _locate(source)
    try:
        raw, card = _read_card(stem + ".json", where)
        blob = _read(where.joinpath(stem + ".safetensors"), MAX_TENSOR_BYTES)
        tensors = load_tensors(blob)
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise CheckpointError(f"Checkpoint {source} has no file {missing}.") from error
    except OSError as error:
        raise CheckpointError(
            f"{error.filename or source} cannot be read: {error.strerror or error}."
        ) from error
    except SafetensorError as error:
        raise CheckpointError(f"{stem}.safetensors is no safetensors file: {error}.") from error
    _check_tensors(tensors, {k: tuple(v) for k, v in card.tensors.items()}, "its card", stem)
    try:
        model = build(card.kind, card.config, torch.Generator().manual_seed(0))
    except ValueError as error:
        raise CheckpointError(f"{stem}.json does not describe a model: {error}") from error
    wanted = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    _check_tensors(tensors, wanted, f"kind {card.kind}", stem)
    dtype = _common_dtype(tensors, stem)
    _check_finite(tensors, stem)
    if hashlib.sha256(blob).hexdigest() != card.sha256:
        raise CheckpointError(f"{stem}.safetensors is not the file {stem}.json was written for.")
    if _metadata(blob).get(_CARD_DIGEST, _card_digest(raw)) != _card_digest(raw):
        raise CheckpointError(f"{stem}.json was altered since {stem}.safetensors was written.")
    model = model.to(dtype)
    model.load_state_dict(tensors, strict=True)
    return model.eval(), card


def weights_sha256(model: Model) -> str:
    """SHA-256 of a model's kind and weights, whatever their precision and wherever they lie."""
    digest = hashlib.sha256(model.kind.encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"\0{name}{list(value.shape)}".encode())
        digest.update(value.detach().double().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under another name, then renamed.

    Raises:
        OSError: the folder cannot be written.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def code_version() -> CodeVersion:
    """Version of this package, and the git revision if it runs from a checkout."""
    try:
        number = version("qhw")
    except PackageNotFoundError:
        number = "0"
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(here), *arguments],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    tracked = git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    revision = git("rev-parse", "HEAD") if tracked else None
    status = git("status", "--porcelain", "--untracked-files=no") if revision else None
    return CodeVersion(
        version=number, revision=revision, modified=None if status is None else bool(status)
    )


def _locate(source: str | Path) -> tuple[str, Any]:
    """Stem of the files and the folder they are in."""
    path = Path(source)
    if path.suffix in (".safetensors", ".json"):
        return path.stem, path.parent
    if isinstance(source, str) and source in shipped():
        return source, files("qhw") / "data" / "models"
    if path.is_dir():
        return _only_one(path), path
    raise CheckpointError(
        f"Model {quoted(str(source))} is neither a shipped checkpoint "
        f"({closest(str(source), shipped(), 'qhw models')}) nor the path of a .safetensors or "
        ".json file, nor a folder with one."
    )


def _only_one(folder: Path) -> str:
    """Stem of the checkpoint in a folder: the name that both of its files have."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read: {error.strerror or error}.") from error
    cards = sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
    stems = [stem for stem in cards if f"{stem}.safetensors" in names]
    if len(stems) != 1:
        there = ", ".join(quoted(stem) for stem in stems[:_FEW]) or "none"
        raise CheckpointError(
            f"Folder {folder} must hold one checkpoint, a .safetensors and a .json file of one "
            f"name, but holds {len(stems) or 'none'}{f': {there}' if stems else ''}."
        )
    return stems[0]


def _read(file: Any, most: int) -> bytes:
    """Of a person's file, bounded; of a shipped one, wherever the package lies."""
    if isinstance(file, Path):
        return read_bounded(file, most)
    content: bytes = file.read_bytes()
    return content


def _read_card(name: str, folder: Any) -> tuple[dict[str, Any], ModelCard]:
    try:
        raw = json.loads(
            _read(folder.joinpath(name), _MAX_CARD_BYTES), parse_constant=_refused_constant
        )
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, digits or depth unbounded
        raise CheckpointError(f"{name} is not valid JSON: {error}.") from error
    found = raw.get("format_version") if isinstance(raw, dict) else None
    if found != FORMAT_VERSION:
        raise CheckpointError(
            f"{name} must have format_version {FORMAT_VERSION}, but has {found!r}."
        )
    try:
        card = ModelCard.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{name} is not a model card: {field}: {first['msg']}.") from error
    if card.kind not in KINDS:
        raise CheckpointError(
            f"{name} has kind {quoted(card.kind)}, but the kinds are others "
            f"({KINDS.near(card.kind)})."
        )
    return raw, card


def _refused_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _card_digest(raw: Mapping[str, Any]) -> str:
    """Of all a card says but the digest of its tensors."""
    rest = {key: value for key, value in raw.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _metadata(blob: bytes) -> dict[str, str]:
    """Of a safetensors file that has been read without error: its header begins with a length."""
    length = int.from_bytes(blob[:8], "little")
    found: dict[str, str] = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
    return found


def _common_dtype(tensors: Mapping[str, torch.Tensor], stem: str) -> torch.dtype:
    dtypes = {value.dtype for value in tensors.values()}
    if dtypes not in ({torch.float32}, {torch.float64}):
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
        raise CheckpointError(
            f"{stem}: tensors must all be float32 or all be float64, but are {names}."
        )
    return dtypes.pop()


def _check_tensors(
    tensors: Mapping[str, torch.Tensor],
    wanted: Mapping[str, tuple[int, ...]],
    by: str,
    stem: str,
) -> None:
    missing = sorted(wanted.keys() - tensors.keys())
    if missing:
        raise CheckpointError(f"{stem} lacks tensors that {by} names: {', '.join(missing)}.")
    extra = sorted(tensors.keys() - wanted.keys())
    if extra:
        raise CheckpointError(f"{stem} has tensors that {by} does not name: {', '.join(extra)}.")
    for key, shape in wanted.items():
        if tuple(tensors[key].shape) != shape:
            raise CheckpointError(
                f"{stem}: tensor {key} must have shape {shape} ({by}), "
                f"but has {tuple(tensors[key].shape)}."
            )


def _check_finite(tensors: Mapping[str, torch.Tensor], where: str) -> None:
    for key, value in tensors.items():
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise CheckpointError(
                f"{where}: tensor {key} has {bad} of {value.numel()} values that are not finite."
            )

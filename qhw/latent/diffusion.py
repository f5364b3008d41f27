"""Latents drawn by a trained diffusion model: the prior ``latent-diffusion``.

Latents ``z`` on the sphere become ``u = (z - mean) Q / scale``: turned to their principal axes and
divided by one number, so that the metric the decoder was trained for stays as it is. A denoiser
(:mod:`qhw.latent.denoiser`) is trained on them; samples are carried back and normalised.

The normal numbers of a sample come from numpy, the same everywhere; the network runs in single
precision on the CPU, so that from one machine to another samples agree to about 1e-4.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from scipy.special import ndtr
from torch import Tensor

from calibration.documents import read_bounded, read_document
from qhw.latent.asked import AskedPrior
from qhw.latent.denoiser import SIGMA_DATA, Denoiser, DenoiserConfig, heun

FloatArray = NDArray[np.float64]

SCHEMA_VERSION: Final = 1
KIND: Final = "latent-diffusion"
CARD, TENSORS = "prior.json", "prior.safetensors"
ATOMS = "atoms"
MAX_STEPS, MAX_TEMPERATURE, MAX_GUIDANCE = 1000, 2.0, 10.0
_MAX_TENSOR_BYTES, _MAX_CARD_BYTES = 2**28, 2**20
_CHUNK = 2048
_NETWORK = "network."


class PriorError(ValueError):
    """A stored prior is missing, damaged, or of another model."""


class Condition(BaseModel):
    """A number that a latent may be asked to belong to.

    Attributes:
        name: of the property.
        mean, spread: over the training molecules; the network sees ``(value - mean) / spread``.
        low, high: least and largest value that may be asked for: of one that takes few values
            those of training, of a property of molecules its 1st and 99th percentile.
        levels: the values of a property that takes few; where nothing is asked for, it is drawn
            from them, so that the network knows it.
        shares: of the training molecules at each level.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    mean: float
    spread: float = Field(gt=0)
    low: float
    high: float
    levels: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def check(self, value: float) -> float:
        """The value, if it may be asked for.

        Raises:
            ValueError: it is outside the training molecules' range, or none of the levels.
        """
        if self.levels and value not in self.levels:
            allowed = ", ".join(f"{level:g}" for level in self.levels)
            raise ValueError(f"Argument `{self.name}` must be one of {allowed}, but is {value:g}")
        if not self.low <= value <= self.high:  # NaN fails
            raise ValueError(
                f"Argument `{self.name}` must be in {self.low:.4g}..{self.high:.4g}, what the "
                f"prior was trained on, but is {value:g}"
            )
        return value


class Owner(BaseModel):
    """The model whose latents a prior draws.

    Attributes:
        name: its checkpoint's.
        weights_sha256: of its kind and tensors, see :func:`qhw.models.checkpoint.weights_sha256`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    weights_sha256: str


class PriorCard(BaseModel):
    """What a trained prior is.

    Attributes:
        schema_version: of this schema.
        kind: of prior.
        name: of the training run.
        model: whose latents it draws.
        dim: dimension d of the latents.
        network: shape of the denoiser.
        conditions: what may be asked for, in the order of the network's inputs.
        guidance: weight of what is asked for where a drawing says none, see :class:`Drawing`.
        seed, training, data, metrics: of its training, and what was measured after it.
        sha256: of the tensor file.
        code: version of what wrote it.
        created: when, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Literal["latent-diffusion"] = KIND
    name: str
    model: Owner
    dim: int = Field(ge=2, le=1024)
    network: DenoiserConfig
    conditions: tuple[Condition, ...] = ()
    guidance: float = Field(default=1.0, ge=0, le=MAX_GUIDANCE)
    seed: int
    training: dict[str, JsonValue] = {}
    data: dict[str, JsonValue] = {}
    metrics: dict[str, float | None] = {}
    sha256: str = ""
    code: dict[str, JsonValue] = {}
    created: AwareDatetime

    @property
    def takes_properties(self) -> bool:
        """Whether it may be asked for more than the number of atoms."""
        return any(c.name != ATOMS for c in self.conditions)


@dataclass(frozen=True)
class Drawing:
    """How latents are drawn.

    Attributes:
        temperature: spread of the initial noise; below 1 samples are more typical and differ less.
        steps: noise levels of the Heun sampler.
        asked: values by name of the conditions asked for.
        guidance: weight of what the conditions say against leaving them open: 1 takes them as
            trained, more exaggerates them; ``None``: the prior's own where something is asked for.
    """

    temperature: float = 1.0
    steps: int = 8
    asked: Mapping[str, float] = field(default_factory=dict)
    guidance: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, float]) -> Self:
        """From numbers by name; what is no field of its own is a condition.

        Raises:
            ValueError: a value out of range.
        """
        rest = dict(options)
        steps = rest.pop("steps", cls.steps)
        if steps != round(steps):
            raise ValueError(f"Argument `steps` must be a whole number, but is {steps:g}")
        temperature, guidance = rest.pop("temperature", 1.0), rest.pop("guidance", None)
        return cls(temperature, int(steps), rest, guidance)

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= MAX_TEMPERATURE:  # NaN fails
            raise ValueError(
                f"Argument `temperature` must be in 0..{MAX_TEMPERATURE:g}, "
                f"but is {self.temperature:g}"
            )
        if not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"Argument `steps` must be in 1..{MAX_STEPS}, but is {self.steps}")
        if self.guidance is not None and not 0.0 <= self.guidance <= MAX_GUIDANCE:
            raise ValueError(
                f"Argument `guidance` must be in 0..{MAX_GUIDANCE:g}, but is {self.guidance:g}"
            )


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Between latents on the sphere and what the denoiser works on.

    Attributes:
        mean: of the training latents ``(d,)``.
        axes: their principal axes, one a column ``(d, d)``.
        scale: latent units per unit of the denoiser.
    """

    mean: Tensor
    axes: Tensor
    scale: Tensor

    @classmethod
    def of(cls, latents: FloatArray) -> Self:
        """From training latents ``(n, d)``."""
        mean = latents.mean(axis=0)
        centred = latents - mean
        _, axes = np.linalg.eigh(centred.T @ centred / len(latents))
        scale = np.sqrt(np.square(centred).mean()) / SIGMA_DATA
        parts = (mean, axes[:, ::-1].copy(), np.asarray(scale))
        return cls(*(torch.from_numpy(part.astype(np.float32)) for part in parts))

    def inward(self, latents: FloatArray) -> Tensor:
        """Latents ``(n, d)`` for the denoiser, single precision."""
        points = torch.from_numpy(np.asarray(latents, dtype=np.float32))
        return (points - self.mean) @ self.axes / self.scale

    def outward(self, points: Tensor) -> FloatArray:
        """Unit vectors ``(n, d)``, double precision."""
        raw = (points.double() * self.scale.double()) @ self.axes.double().T + self.mean.double()
        return np.asarray((raw / raw.norm(dim=1, keepdim=True)).numpy(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class LatentDiffusion:
    """A trained diffusion model of one model's latents; it has no cheap density.

    Attributes:
        card: what it is.
        denoiser: the network, in evaluation mode.
        map: to its units and back.
        drawing: how latents are drawn.
    """

    kind: ClassVar[str] = KIND
    card: PriorCard
    denoiser: Denoiser
    map: LatentMap
    drawing: Drawing = Drawing()

    @classmethod
    def fitted(cls, model: Any, molecules: Any, seed: int) -> LatentDiffusion:
        """The shipped one of a model; nothing is fitted here.

        Raises:
            PriorError: none is shipped for these weights.
        """
        del molecules, seed
        return _shipped(model.weights_sha256)

    @property
    def dim(self) -> int:
        """Dimension d of the latents."""
        return self.card.dim

    def of_model(self, weights_sha256: str, name: str) -> Self:
        """Itself, for the model it was trained on.

        Raises:
            PriorError: that is another one.
        """
        if self.card.model.weights_sha256 != weights_sha256:
            raise PriorError(
                f"Prior {self.card.name} must be used with the model it was trained on, "
                f"{self.card.model.name} with weights {self.card.model.weights_sha256[:12]}, but "
                f"the model is {name} with weights {weights_sha256[:12]}"
            )
        return self

    def drawn(self, drawing: Drawing) -> Self:
        """The same, drawn from in another way.

        Raises:
            ValueError: a condition that it has not, or a value out of its range.
        """
        known = {c.name: c for c in self.card.conditions}
        for name, value in drawing.asked.items():
            if name not in known:
                raise ValueError(
                    f"Argument `{name}` must be a condition of prior {self.card.name} "
                    f"({', '.join(known) or 'it has none'}), but is not"
                )
            known[name].check(value)
        return replace(self, drawing=drawing)

    @torch.no_grad()
    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` unit vectors; the first rows are the same however many are drawn."""
        if n < 0:
            raise ValueError(f"Argument `n` must be >= 0, but is {n}")
        conditions = self.card.conditions
        numbers = rng.standard_normal((n, self.dim + len(conditions)))
        asked = (
            np.stack(
                [self._asked(c, numbers[:, self.dim + i]) for i, c in enumerate(conditions)], axis=1
            )
            if conditions
            else np.empty((n, 0))
        )
        noise = torch.from_numpy(numbers[:, : self.dim] * self.drawing.temperature).float()
        wanted = torch.from_numpy(asked).float()
        parts = [
            self.map.outward(self._points(x, c))
            for x, c in zip(torch.split(noise, _CHUNK), torch.split(wanted, _CHUNK), strict=True)
        ]
        return np.concatenate(parts) if n else np.empty((0, self.dim))

    def _asked(self, condition: Condition, normal: FloatArray) -> FloatArray:
        """Values in units of the spread, NaN where left open, ``(n,)``."""
        if condition.name in self.drawing.asked:
            value = np.full(len(normal), self.drawing.asked[condition.name])
        elif condition.levels and not self.drawing.asked:
            below = np.cumsum(condition.shares)[:-1] / sum(condition.shares)
            value = np.asarray(condition.levels)[np.searchsorted(below, ndtr(normal))]
        else:
            return np.full(len(normal), np.nan)
        return np.asarray((value - condition.mean) / condition.spread, dtype=np.float64)

    def _points(self, noise: Tensor, asked: Tensor) -> Tensor:
        weight = self.drawing.guidance
        if weight is None:
            weight = self.card.guidance if self.drawing.asked else 1.0

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            levels = sigma.expand(len(x), 1)
            told: Tensor = self.denoiser(x, levels, asked)
            if weight == 1.0 or not asked.shape[1]:
                return told
            untold: Tensor = self.denoiser(x, levels, torch.full_like(asked, torch.nan))
            return untold + weight * (told - untold)

        return heun(denoise, noise, self.drawing.steps)


def stored(card: PriorCard, denoiser: Denoiser, latent_map: LatentMap) -> tuple[bytes, PriorCard]:
    """The tensor file, weights in half precision, and its card with the digest.

    Raises:
        PriorError: a weight is not finite in half precision.
    """
    tensors = {f"{_NETWORK}{k}": v.detach().half() for k, v in denoiser.state_dict().items()}
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise PriorError(f"{card.name}: tensor {name} has values that are not finite")
    tensors |= {"mean": latent_map.mean, "axes": latent_map.axes, "scale": latent_map.scale}
    blob = dump_tensors({k: v.contiguous() for k, v in tensors.items()})
    return blob, card.model_copy(update={"sha256": hashlib.sha256(blob).hexdigest()})


def load_prior(folder: Any, stem: str = "prior") -> LatentDiffusion:
    """Read a trained prior.

    Args:
        folder: a path, or a folder of the package.
        stem: of its two files.

    Raises:
        PriorError: one line that says what is missing, damaged or does not fit.
    """
    card = _card(folder, stem)
    name = f"{stem}.safetensors"
    blob = _read(folder, name, _MAX_TENSOR_BYTES)
    if hashlib.sha256(blob).hexdigest() != card.sha256:
        raise PriorError(f"{name} is not the file that {stem}.json was written for")
    try:
        tensors = {k: v.float() for k, v in load_tensors(blob).items()}
        latent_map = LatentMap(*(tensors.pop(part) for part in ("mean", "axes", "scale")))
        generator = torch.Generator().manual_seed(0)
        denoiser = Denoiser(card.dim, len(card.conditions), card.network, generator)
        denoiser.load_state_dict({k.removeprefix(_NETWORK): v for k, v in tensors.items()})
    except (SafetensorError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PriorError(f"{name} does not fit {stem}.json: {reason}") from error
    shapes = [tuple(v.shape) for v in (latent_map.mean, latent_map.axes, latent_map.scale)]
    if shapes != [(card.dim,), (card.dim, card.dim), ()]:
        raise PriorError(f"{name} does not fit {stem}.json: the latents' map has shapes {shapes}")
    everything = (*denoiser.state_dict().values(), latent_map.mean, latent_map.axes)
    if not all(bool(torch.isfinite(v).all()) for v in everything) or not latent_map.scale > 0:
        raise PriorError(f"{name} must hold finite numbers, but does not")
    return LatentDiffusion(card, denoiser.eval(), latent_map)


@lru_cache(maxsize=1)
def shipped_priors() -> Mapping[str, PriorCard]:
    """Cards of the priors that come with the package, by name."""
    folder = _shipped_folder()
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    stems = sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
    return {stem: _card(folder, stem) for stem in stems}


def shipped_for(weights_sha256: str, asked: Collection[str] = ()) -> str | None:
    """Name of the prior shipped for a model's weights, if there is one.

    Args:
        weights_sha256: of the model.
        asked: conditions by name. Without one on a property of molecules, a prior that has none
            comes first; else one that has, and the more of those asked the sooner.
    """
    on_property = not set(asked) <= {ATOMS}
    found = [
        (
            len(set(asked) - {c.name for c in card.conditions}),
            card.takes_properties != on_property,
            name,
        )
        for name, card in shipped_priors().items()
        if card.model.weights_sha256 == weights_sha256
    ]
    return min(found)[-1] if found else None


def trained_prior(
    prior: AskedPrior, weights_sha256: str, model: str, asked: Collection[str] = ()
) -> LatentDiffusion | None:
    """The trained prior that is meant, its options not yet looked at.

    Args:
        prior: ``latent-diffusion``, name of a shipped one, or a folder.
        weights_sha256: of the model.
        model: its name.
        asked: conditions by name, beside those among the options.

    Returns:
        ``None`` where a prior of another kind is meant.

    Raises:
        PriorError: none is shipped for the model, it is of another model, or its files are damaged.
        ValueError: options out of range.
    """
    if prior.is_folder:
        found = load_prior(Path(prior.name))
    elif prior.name == KIND:
        found = _shipped(weights_sha256, {*Drawing.of(prior.options).asked, *asked})
    elif prior.name in shipped_priors():
        found = load_prior(_shipped_folder(), prior.name)
    else:
        return None
    return found.of_model(weights_sha256, model)


def _shipped(weights_sha256: str, asked: Collection[str] = ()) -> LatentDiffusion:
    name = shipped_for(weights_sha256, asked)
    if name is None:
        raise PriorError(
            f"Prior {KIND} must be trained for its model, but none is shipped for these "
            "weights: `qhw train` makes one, `--prior DIR` uses it"
        )
    return load_prior(_shipped_folder(), name)


def _shipped_folder() -> Traversable:
    return files("qhw") / "data" / "priors"


def _card(folder: Any, stem: str) -> PriorCard:
    text = _read(folder, f"{stem}.json", _MAX_CARD_BYTES)
    return read_document(PriorCard, text, SCHEMA_VERSION, f"{stem}.json", PriorError)


def _read(folder: Any, name: str, most: int) -> bytes:
    file = folder.joinpath(name)
    try:
        content: bytes = read_bounded(file, most) if isinstance(file, Path) else file.read_bytes()
    except FileNotFoundError as error:
        raise PriorError(f"{folder} holds no trained prior: it has no file {name}") from error
    except OSError as error:
        raise PriorError(f"{file} cannot be read: {error.strerror or error}") from error
    return content


def card_text(card: PriorCard) -> bytes:
    """The card as its file holds it."""
    return (json.dumps(card.model_dump(mode="json"), indent=2, allow_nan=False) + "\n").encode()

"""Where latents come from when molecules are generated: one class a prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from calibration.closest import quoted
from calibration.plugins import why
from qhw.latent import vmf
from qhw.latent.checks import as_kappa, as_unit_vectors, check_dim
from qhw.latent.movmf import MixtureFit, component_log_density, fit_mixture
from qhw.latent.registry import PRIORS

FloatArray = NDArray[np.float64]

SCHEMA_VERSION = 1
_COMPONENTS = 24
_FIT_STREAM = 21
_LENGTH_ERROR = 1e-6


@runtime_checkable
class Prior(Protocol):
    """A distribution on the unit sphere of R^d that latents are drawn from."""

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` unit vectors."""


@runtime_checkable
class HasDensity(Protocol):
    """A prior whose density is known."""

    def log_density(self, x: ArrayLike) -> FloatArray:
        """log density (nats, surface measure) at unit vectors ``(..., d)``."""


class LatentModel(Protocol):
    """What a prior may ask a model for."""

    @property
    def latent_dim(self) -> int:
        """Dimension d of the latents."""

    @property
    def kappa(self) -> float:
        """Concentration of the vMF latent used in training."""

    @property
    def weights_sha256(self) -> str:
        """Of its kind and tensors: what a trained prior belongs to."""

    def directions(self, molecules: Any) -> FloatArray:
        """Exact mean directions ``(B, d)`` of molecules.

        Raises:
            AbilityError: the model cannot encode.
        """

    def nearness(self, molecules: Any) -> FloatArray:
        """How near molecules' own properties are to those asked for ``(B,)``, not normalised.

        Raises:
            AbilityError: the model is not conditional, or is asked for nothing.
        """


class PriorKind(Protocol):
    """What is registered as a prior: a class, or anything else that fits one to a model."""

    def fitted(self, model: LatentModel, molecules: Any, seed: int) -> Prior:
        """A prior for a model.

        Args:
            model: whose latents are meant.
            molecules: the shipped held-out ones, a :class:`qhw.chem.molecule.MoleculeBatch`.
            seed: of the fit.
        """


class StoredPrior(Prior, HasDensity, Protocol):
    """A prior that can be evaluated and saved."""

    kind: ClassVar[str]

    @property
    def dim(self) -> int:
        """Dimension d of the latents."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; :func:`prior_from_dict` reads it back."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""


@dataclass(frozen=True)
class UniformSphere:
    """Uniform on the whole sphere: the prior of the paper's KL term."""

    kind: ClassVar[str] = "uniform-sphere"
    dim: int

    def __post_init__(self) -> None:
        check_dim(self.dim)

    @classmethod
    def fitted(cls, model: LatentModel, molecules: Any, seed: int) -> Self:
        """On the sphere of the model's latents; nothing is fitted."""
        del molecules, seed
        return cls(model.latent_dim)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` unit vectors."""
        return _normal_directions(n, self.dim, rng)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """Minus the log of the sphere's area, ``(...)`` for ``x`` ``(..., d)``."""
        points = _points(x, self.dim)
        return np.full(points.shape[:-1], -vmf.log_sphere_area(self.dim))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"kind": self.kind, "version": SCHEMA_VERSION, "dim": self.dim}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; ``ValueError`` if it is not that."""
        _check_header(data, cls.kind, ("dim",))
        return cls(data["dim"])


@dataclass(frozen=True)
class PositiveOrthant:
    """Uniform on the non-negative orthant, ``|N(0, I)|`` normalised: the released code's prior."""

    kind: ClassVar[str] = "positive-orthant"
    dim: int

    def __post_init__(self) -> None:
        check_dim(self.dim)

    @classmethod
    def fitted(cls, model: LatentModel, molecules: Any, seed: int) -> Self:
        """On the sphere of the model's latents; nothing is fitted."""
        del molecules, seed
        return cls(model.latent_dim)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` non-negative unit vectors."""
        return np.abs(_normal_directions(n, self.dim, rng))

    def log_density(self, x: ArrayLike) -> FloatArray:
        """``2^d`` times the uniform density inside the orthant, ``-inf`` outside, ``(...)``."""
        points = _points(x, self.dim)
        inside = self.dim * np.log(2.0) - vmf.log_sphere_area(self.dim)
        return np.where((points >= 0.0).all(axis=-1), inside, -np.inf)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"kind": self.kind, "version": SCHEMA_VERSION, "dim": self.dim}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; ``ValueError`` if it is not that."""
        _check_header(data, cls.kind, ("dim",))
        return cls(data["dim"])


@dataclass(frozen=True, eq=False)
class VMFMixture:
    """Mixture of von Mises-Fisher distributions, as a rule fitted to the aggregated posterior.

    Attributes:
        weights: ``(k,)``, positive, summing to 1.
        means: unit vectors ``(k, d)``.
        kappas: ``(k,)``, 0..1e5.
    """

    kind: ClassVar[str] = "vmf-mixture"
    weights: FloatArray
    means: FloatArray
    kappas: FloatArray

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=np.float64)
        means, kappas = as_unit_vectors("means", self.means), as_kappa(self.kappas)
        if means.ndim != 2 or weights.shape != (len(means),) or kappas.shape != (len(means),):
            raise ValueError(
                "Argument `means` must be (k, d) with `weights` and `kappas` (k,), but shapes are "
                f"{means.shape}, {weights.shape} and {kappas.shape}"
            )
        # NaN fails the first comparison.
        if not (weights > 0.0).all() or abs(float(weights.sum()) - 1.0) > 1e-6:
            raise ValueError("Argument `weights` must be positive and sum to 1, but is not so")
        object.__setattr__(self, "weights", weights / weights.sum())
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "kappas", kappas)

    @property
    def dim(self) -> int:
        """Dimension d of the latents."""
        return int(self.means.shape[1])

    @classmethod
    def fitted(cls, model: LatentModel, molecules: Any, seed: int) -> VMFMixture:
        """Fitted to the latents of molecules, 24 components."""
        rng = np.random.default_rng([seed, _FIT_STREAM, 1])
        return VMFMixture.fit(model.directions(molecules), _COMPONENTS, rng)

    @classmethod
    def fit(cls, x: ArrayLike, components: int, rng: np.random.Generator, **settings: Any) -> Self:
        """Fit to directions ``(n, d)``; arguments and errors of :func:`.movmf.fit_mixture`."""
        return cls.from_fit(fit_mixture(x, components, rng, **settings))

    @classmethod
    def from_fit(cls, fitted: MixtureFit) -> Self:
        """The prior of a fit made with :func:`.movmf.fit_mixture`."""
        return cls(fitted.weights, fitted.means, fitted.kappas)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` unit vectors."""
        which = rng.choice(len(self.weights), size=_check_n(n), p=self.weights)
        return vmf.sample(self.means[which], self.kappas[which], rng)

    def log_density(self, x: ArrayLike) -> FloatArray:
        """log density (nats, surface measure), ``(...)`` for ``x`` ``(..., d)``."""
        points = _points(x, self.dim)
        joint = component_log_density(points, self.weights, self.means, self.kappas)
        return np.asarray(logsumexp(joint, axis=-1), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {
            "kind": self.kind,
            "version": SCHEMA_VERSION,
            "weights": self.weights.tolist(),
            "means": self.means.tolist(),
            "kappas": self.kappas.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; ``ValueError`` if it is not that."""
        _check_header(data, cls.kind, ("weights", "means", "kappas"))
        return cls(data["weights"], data["means"], data["kappas"])


class Posterior(VMFMixture):
    """The latents of molecules themselves, each with the spread of training, weighted equally:
    samples lie around known molecules."""

    kind: ClassVar[str] = "posterior"

    @classmethod
    def fitted(cls, model: LatentModel, molecules: Any, seed: int) -> Posterior:
        """Around the latents of the molecules."""
        del seed
        directions = model.directions(molecules)
        count = len(directions)
        return Posterior(np.full(count, 1.0 / count), directions, np.full(count, model.kappa))


class NearCondition(Posterior):
    """Of :class:`Posterior`'s latents mostly those of molecules whose own properties are near the
    condition that a conditional model is asked for: p(latent | condition), as a kernel estimate."""

    kind: ClassVar[str] = "near-condition"

    @classmethod
    def fitted(cls, model: LatentModel, molecules: Any, seed: int) -> NearCondition:
        """Around the latents of the molecules, weighted by their nearness."""
        del seed
        weights, directions = model.nearness(molecules), model.directions(molecules)
        near = weights > 1e-6 * weights.max()
        weights, directions = weights[near], directions[near]
        return NearCondition(
            weights / weights.sum(), directions, np.full(len(directions), model.kappa)
        )


def fitted_prior(name: str, model: LatentModel, molecules: Any, seed: int) -> Prior:
    """A prior by name, fitted to a model.

    Args:
        name: of :data:`PRIORS`.
        model: whose latents are meant.
        molecules: held-out ones.
        seed: of the fit.

    Raises:
        PluginError: a package's prior that cannot be used.
        KeyError: no such prior.
    """
    kind: PriorKind = PRIORS.get(name)
    if not callable(getattr(kind, "fitted", None)):
        PRIORS.refuse(name, "it must have a method `fitted(model, molecules, seed)`")
    prior = PRIORS.call(name, kind.fitted, model, molecules, seed)
    if not isinstance(prior, Prior):
        PRIORS.refuse(name, f"it must make a prior with `sample`, but made {type(prior).__name__}")
    own: Prior = prior
    return own if PRIORS.is_own(name) else _Checked(name, own, model.latent_dim)


@dataclass(frozen=True, eq=False)
class _Checked:
    """A package's prior, its samples looked at before a circuit is made of them."""

    name: str
    prior: Prior
    dim: int

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``(n, d)`` unit vectors."""
        drawn = PRIORS.call(self.name, self.prior.sample, n, rng)
        try:
            found = np.asarray(drawn, dtype=np.float64)
        except (TypeError, ValueError) as error:
            PRIORS.refuse(self.name, f"samples must be numbers, but {why(error)}", error)
        if found.shape != (n, self.dim):
            fault = f"samples must have shape {(n, self.dim)}, but have {found.shape}"
            PRIORS.refuse(self.name, fault)
        lengths = np.linalg.norm(found, axis=1)
        if not (np.abs(lengths - 1.0) <= _LENGTH_ERROR).all():  # NaN fails too
            PRIORS.refuse(self.name, "samples must be unit vectors, but are not")
        return found


def prior_from_dict(data: Mapping[str, Any]) -> StoredPrior:
    """Read any prior written by its ``to_dict``.

    Raises:
        ValueError: unknown kind or version, a missing entry, or values a prior cannot have.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in PRIORS:
        raise ValueError(
            f"Argument `data` must have a `kind` among those there are, but it is "
            f"{quoted(str(kind))} ({PRIORS.near(str(kind))})"
        )
    cls = PRIORS.get(kind)
    if not hasattr(cls, "from_dict"):
        PRIORS.refuse(kind, "it cannot be read from a file: it has no `from_dict`")
    prior: StoredPrior = PRIORS.call(kind, cls.from_dict, data)
    return prior


def _check_header(data: Mapping[str, Any], kind: str, entries: tuple[str, ...]) -> None:
    if data.get("kind") != kind:
        raise ValueError(f"Argument `data` must be of kind {kind!r}, but is {data.get('kind')!r}")
    if data.get("version") != SCHEMA_VERSION:
        raise ValueError(
            f"Argument `data` must have version {SCHEMA_VERSION}, but has {data.get('version')!r}"
        )
    missing = [name for name in entries if name not in data]
    if missing:
        raise ValueError(
            f"Argument `data` must have {', '.join(entries)}, but lacks {', '.join(missing)}"
        )


def _check_n(n: int) -> int:
    if n < 0:
        raise ValueError(f"Argument `n` must be >= 0, but is {n}")
    return n


def _normal_directions(n: int, dim: int, rng: np.random.Generator) -> FloatArray:
    x = rng.standard_normal((_check_n(n), dim))
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), dtype=np.float64)


def _points(x: ArrayLike, dim: int) -> FloatArray:
    points = as_unit_vectors("x", x)
    if points.shape[-1] != dim:
        raise ValueError(
            f"Argument `x` must have the prior's dimension {dim}, but has {points.shape[-1]}"
        )
    return points

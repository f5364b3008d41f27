"""mitiq's techniques, each by its circuits and its formula."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from scipy.optimize import curve_fit

from qhw.mitigation.base import MitigationError
from qhw.mitigation.mitiq_base import Built, Combine, Exact, MitiqTechnique

FloatArray = NDArray[np.float64]

_FLAT = 1e-9
"""Range of exact values that is none."""
_MOST = 2000
"""Circuits of one row."""


@dataclass(frozen=True)
class MitiqZne(MitiqTechnique):
    """``mitiq.zne(scale,scale,...,model,method=...)``."""

    name: ClassVar[str] = "mitiq.zne"
    scales: tuple[float, ...] = (1.0, 2.0, 3.0)
    model: str = "richardson"
    method: str = "random"

    def __post_init__(self) -> None:
        _among("model", self.model, ("linear", "richardson", "exp", "poly2"))
        _among("method", self.method, ("random", "all", "global", "identity"))
        least = 3 if self.model == "poly2" else 2
        if len(set(self.scales)) != len(self.scales) or len(self.scales) < least:
            raise MitigationError(
                f"{self.name} must have {least} or more different scales, but has {self.scales}"
            )
        if min(self.scales) < 1:
            raise MitigationError(f"{self.name} must have scales from 1, but has {self.scales}")

    def __str__(self) -> str:
        scales = ",".join(f"{s:g}" for s in self.scales)
        return f"{self.name}({scales},{self.model},method={self.method})"

    @property
    def circuits(self) -> int:
        """One a scale."""
        return len(self.scales)

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Folded circuits."""
        zne, scales = _module("zne"), list(self.scales)
        fold: dict[str, Any] = {
            "random": partial(zne.scaling.fold_gates_at_random, seed=seed),
            "all": zne.scaling.fold_all,
            "global": zne.scaling.fold_global,
            "identity": zne.scaling.insert_id_layers,
        }
        fits = zne.inference
        fit: dict[str, Any] = {
            "linear": fits.LinearFactory.extrapolate,
            "richardson": fits.RichardsonFactory.extrapolate,
            "exp": fits.ExpFactory.extrapolate,
            "poly2": partial(fits.PolyFactory.extrapolate, order=2),
        }

        def make(k: int) -> Combine:
            model = fit[self.model]
            if self.model == "exp":
                model = partial(model, asymptote=float(exact.mixed[k]))
            if exact.constant[k]:
                return _mean

            def combine(values: list[float]) -> float:
                return float(zne.combine_results(scales, values, model))

            return combine

        return Built(zne.construct_circuits(circuit, scales, fold[self.method]), make)


@dataclass(frozen=True)
class MitiqLre(MitiqTechnique):
    """``mitiq.lre(degree,fold_multiplier,chunks=...)``."""

    name: ClassVar[str] = "mitiq.lre"
    degree: int = 1
    fold_multiplier: int = 2
    chunks: int = 4

    def __post_init__(self) -> None:
        if min(self.degree, self.fold_multiplier, self.chunks) < 1 or self.circuits > _MOST:
            raise MitigationError(
                f"{self.name} must have a degree, a multiplier and chunks from 1 that take at most "
                f"{_MOST} circuits, but is {self}"
            )

    def __str__(self) -> str:
        return f"{self.name}({self.degree},{self.fold_multiplier},chunks={self.chunks})"

    @property
    def circuits(self) -> int:
        """Terms of the polynomial."""
        return math.comb(min(self.chunks, _MOST) + min(self.degree, 50), min(self.degree, 50))

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Layers folded in every pattern."""
        del exact
        lre, zne = _module("lre"), _module("zne")
        fold = partial(zne.scaling.fold_gates_at_random, seed=seed)
        given = (circuit, self.degree, self.fold_multiplier)
        circuits = lre.construct_circuits(*given, fold, self.chunks)

        def combine(values: list[float]) -> float:
            return float(lre.combine_results(values, *given, self.chunks))

        return Built(circuits, lambda _: combine)


@dataclass(frozen=True)
class MitiqDdd(MitiqTechnique):
    """``mitiq.ddd(rule,trials)``."""

    name: ClassVar[str] = "mitiq.ddd"
    rule: str = "xx"
    trials: int = 1

    def __post_init__(self) -> None:
        _among("rule", self.rule, ("xx", "yy", "xyxy"))
        _from_one(self.name, "trials", self.trials)

    def __str__(self) -> str:
        return f"{self.name}({self.rule},{self.trials})"

    @property
    def circuits(self) -> int:
        """One a trial."""
        return self.trials

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Sequences in idle windows."""
        del exact, seed
        ddd = _module("ddd")
        rule = getattr(ddd.rules, self.rule)
        circuits = ddd.construct_circuits(circuit, rule, num_trials=self.trials)
        return Built(circuits, lambda _: ddd.combine_results)


@dataclass(frozen=True)
class MitiqPec(MitiqTechnique):
    """``mitiq.pec(samples,noise=...)``, the noise a local depolarising one of that strength."""

    name: ClassVar[str] = "mitiq.pec"
    samples: int = 100
    noise: float = 0.0

    def __post_init__(self) -> None:
        _from_one(self.name, "samples", self.samples)
        if not 0 < self.noise < 0.75:
            raise MitigationError(
                f"{self.name} must be told the depolarising noise of a gate, such as "
                f"{self.name}(100,noise=0.003), above 0 and below 0.75, but has {self.noise}"
            )

    def __str__(self) -> str:
        return f"{self.name}({self.samples},noise={self.noise!r})"

    @property
    def circuits(self) -> int:
        """One a sample."""
        return self.samples

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Sampled circuits."""
        del exact
        pec = _module("pec")
        represent = pec.represent_operations_in_circuit_with_local_depolarizing_noise
        circuits, signs, norm = pec.construct_circuits(
            circuit,
            represent(circuit, self.noise),
            num_samples=self.samples,
            random_state=seed,
            full_output=True,
        )

        def combine(values: list[float]) -> float:
            return float(pec.combine_results(values, norm, signs))

        return Built(circuits, lambda _: combine, norm * np.array(signs, dtype=np.float64))


@dataclass(frozen=True)
class MitiqCdr(MitiqTechnique):
    """``mitiq.cdr(training,fraction=...)``."""

    name: ClassVar[str] = "mitiq.cdr"
    training: int = 10
    fraction: float = 0.1

    def __post_init__(self) -> None:
        if not 2 <= self.training < _MOST:
            raise MitigationError(
                f"{self.name} must have from 2 to {_MOST - 1} training circuits, but has "
                f"{self.training}"
            )
        if not 0 < self.fraction < 1:
            raise MitigationError(
                f"{self.name} must have a fraction above 0 and below 1, but has {self.fraction}"
            )

    def __str__(self) -> str:
        return f"{self.name}({self.training},fraction={self.fraction!r})"

    @property
    def circuits(self) -> int:
        """The circuit and its training circuits."""
        return 1 + self.training

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Near-Clifford training circuits, whose exact values are computed here."""
        cdr = _module("cdr")
        training = cdr.generate_training_circuits(
            circuit, self.training, self.fraction, random_state=seed
        )
        truth = np.array([exact(one) for one in training])
        flat = (np.ptp(truth, axis=0) < _FLAT) & ~exact.constant
        if flat.any():
            raise MitigationError(
                f"{self} must have training circuits whose exact values differ, but of observable "
                f"{int(np.flatnonzero(flat)[0]) + 1} they are all alike: nothing can be learnt"
            )

        def fitted(x: FloatArray, *parameters: float) -> Any:
            return cdr.linear_fit_function(x, parameters)

        def make(k: int) -> Combine:
            if exact.constant[k]:
                return _mean

            def combine(values: list[float]) -> float:
                # as mitiq's execute_with_cdr, whose executors would be called again here
                noisy = np.array(values[1:])[None]
                found, _ = curve_fit(fitted, noisy, truth[:, k], p0=np.zeros(2))
                return float(cdr.linear_fit_function(np.array(values[:1]), found))

            return combine

        return Built([circuit, *training], make)


@dataclass(frozen=True)
class MitiqPt(MitiqTechnique):
    """``mitiq.pt(variants)``: Pauli twirling."""

    name: ClassVar[str] = "mitiq.pt"
    variants: int = 10

    def __post_init__(self) -> None:
        _from_one(self.name, "variants", self.variants)

    def __str__(self) -> str:
        return f"{self.name}({self.variants})"

    @property
    def circuits(self) -> int:
        """One a variant."""
        return self.variants

    def plan(self, circuit: QuantumCircuit, exact: Exact, seed: int) -> Built:
        """Twirled circuits."""
        del exact, seed
        circuits = _module("pt").generate_pauli_twirl_variants(circuit, self.variants)
        return Built(circuits, lambda _: _mean, np.ones(len(circuits)))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _module(name: str) -> Any:
    try:
        importlib.import_module("ply")
        return importlib.import_module(f"mitiq.{name}")
    except ImportError as error:
        raise MitigationError(
            f"mitiq.{name} must have mitiq installed (pip install 'qhw[mitiq]'), but: {error}"
        ) from error


def _among(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise MitigationError(f"mitiq's {what} must be one of {', '.join(known)}, but is {value!r}")


def _from_one(name: str, what: str, value: int) -> None:
    if not 1 <= value <= _MOST:
        raise MitigationError(f"{name} must have from 1 to {_MOST} {what}, but has {value}")

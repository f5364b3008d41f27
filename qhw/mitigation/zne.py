"""Zero-noise extrapolation by folding two-qubit gates: ``G`` becomes ``G G^-1 G``.

Linear, Richardson, or exponential with one decay rate for all rows and outcomes. Shots are divided
so that they pay best in the combination.

Sources: Temme, Bravyi and Gambetta, Phys. Rev. Lett. 119, 180509 (2017); Giurgica-Tiron et al.,
IEEE QCE 2020, 306 (folding).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction
from qiskit.circuit.library import ZGate

from backends.base import CircuitBatch, CompiledTemplate
from backends.rewrite import Pair, Placed, rewritten, two_qubit_gates
from qhw.mitigation.base import (
    BOTH,
    Context,
    Estimate,
    MitigationError,
    Quantity,
    split_shots,
    weighted_sum,
)

FloatArray = NDArray[np.float64]
Model = Literal["linear", "richardson", "exp", "shrink"]
_ONE_RATE: tuple[Model, ...] = ("exp", "shrink")

MAX_SCALE = 25.0
_MIN_DECAY = 0.05
"""Smallest ratio of successive decays that an exponential fit divides by."""


@dataclass(frozen=True)
class ZeroNoise:
    """``zne(1,3)``, ``zne(1,2,3,richardson)``, ``zne(1,3,exp)``.

    Attributes:
        scales: by how much two-qubit noise is scaled, ascending, from 1.
        model: of the values as the noise grows. ``linear``: least squares of a line;
            ``richardson``: the polynomial through all; ``exp``: from the mixed state's value
            upwards with one rate for all rows and features, two scales; ``shrink``: from ``exp``
            towards ``linear`` as far as their difference stands out of shot noise.
    """

    scales: tuple[float, ...] = (1.0, 3.0)
    model: Model = "linear"

    name: ClassVar[str] = "zne"
    rank: ClassVar[int] = 2
    valid_for: ClassVar[frozenset[Quantity]] = BOTH

    def __post_init__(self) -> None:
        s = self.scales
        rising = all(a < b for a, b in itertools.pairwise(s))
        if len(s) < 2 or not rising or s[0] < 1.0 or s[-1] > MAX_SCALE:
            raise MitigationError(
                f"zne must have two or more rising scale factors from 1 to {MAX_SCALE:g}, "
                f"but has {_listed(s)}"
            )
        if self.model not in get_args(Model):
            raise MitigationError(
                f"zne must have one of the models {', '.join(get_args(Model))}, "
                f"but has {self.model!r}"
            )
        if self.model in _ONE_RATE and len(s) != 2:
            raise MitigationError(
                f"zne with {self.model} must have two scale factors, but has {_listed(s)}"
            )

    def __str__(self) -> str:
        tail = "" if self.model == "linear" else f",{self.model}"
        return f"zne({_listed(self.scales)}{tail})"

    @property
    def circuits(self) -> int:
        """One batch a scale."""
        return len(self.scales)

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def build(self, batch: CircuitBatch, context: Context) -> ZeroNoiseStep:
        """The circuit at every scale; the first is the circuit itself when its scale is 1.

        Raises:
            MitigationError: no two-qubit gate to fold, too few gates for different scales, or too
                few shots.
        """
        gates = len(two_qubit_gates(batch.compiled))
        if not gates:
            raise MitigationError("zne must have two-qubit gates to fold, but the circuit has none")
        folds = [round((s - 1) / 2 * gates) for s in self.scales]
        reached = tuple(1 + 2 * f / gates for f in folds)
        if len(set(reached)) < len(reached):
            raise MitigationError(
                f"zne must have scale factors that {gates} two-qubit gates can tell apart, "
                f"but has {_listed(self.scales)}"
            )
        # least variance of sum c f: shots in proportion to |c|
        coefficients = extrapolation_coefficients(reached, self.model)
        shots = split_shots(batch.shots, np.abs(coefficients).tolist(), str(self))
        batches = []
        for scale, fold, part in zip(self.scales, folds, shots, strict=True):
            label = f"{batch.label}/zne={scale:g}"
            extra = spread_folds(gates, fold, context.rng(label))
            variant = folded(batch.compiled, extra) if fold else batch.compiled
            batches.append(CircuitBatch(label, variant, batch.angles, part))
        return ZeroNoiseStep(tuple(batches), reached, self.model)


@dataclass(frozen=True, eq=False)
class ZeroNoiseStep:
    """Scaled circuits of one batch.

    Attributes:
        batches: one a scale.
        scales: reached by whole folds.
        model: of the extrapolation.
    """

    batches: tuple[CircuitBatch, ...]
    scales: tuple[float, ...]
    model: Model

    def combine(self, results: Sequence[Estimate], context: Context) -> Estimate:
        """Values at no noise."""
        found = [context.wanted(r) for r in results]
        if self.model in _ONE_RATE:
            mixed = context.mixed(2 ** self.batches[0].compiled.n_measured)
            fit = shared_rate if self.model == "exp" else shrunk
            return fit(found, self.scales, mixed)
        c = extrapolation_coefficients(self.scales, self.model)
        record = {"scales": list(self.scales), "coefficients": c.tolist()}
        return weighted_sum(c, found).noted(zne=record)


def extrapolation_coefficients(scales: Sequence[float], model: Model) -> FloatArray:
    """Weights ``(G,)`` of the values at each scale in the value at scale 0.

    Args:
        scales: different.
        model: all but ``richardson`` fit a line by least squares.
    """
    degree = len(scales) - 1 if model == "richardson" else 1
    powers = np.vander(np.asarray(scales, dtype=np.float64), degree + 1, increasing=True)
    return np.asarray(np.linalg.pinv(powers)[0], dtype=np.float64)


def shared_rate(
    found: Sequence[Estimate], scales: Sequence[float], mixed: FloatArray | float
) -> Estimate:
    """``mixed + (value - mixed) exp(rate scale)``, the rate from all rows and features at once.

    The decay between the scales is the regression of one on the other; its denominator is freed
    of the shot noise it holds, which would pull it towards less decay.
    """
    low, high = found[0].values - mixed, found[1].values - mixed
    square = float((low**2).sum() - found[0].variance.sum())
    decay = float((low * high).sum()) / square if square > 0 else 1.0
    decay = min(max(decay, _MIN_DECAY), 1.0)
    power = scales[0] / (scales[1] - scales[0])
    gain = decay**-power
    residual = found[1].variance + decay**2 * found[0].variance
    unknown = 1 / 12  # of a number between 0 and 1
    decay_variance = float((low**2 * residual).sum()) / square**2 if square > 0 else unknown
    slope = gain * power / decay
    # a value that comes out large also makes the decay look faster: both errors have one sign
    shared = 2 * power * low**2 / square if square > 0 else 0.0
    own = gain**2 * found[0].variance * (1 + shared)
    variance = own + (low * slope) ** 2 * decay_variance
    turns = _common_decay(found, mixed, decay)[:, None, None]
    common = gain * found[0].common - low * slope * turns
    record = {
        "scales": list(scales),
        "decay": decay,
        "gain": gain,
        "decay_variance": decay_variance,
    }
    return Estimate(mixed + gain * low, variance, common=common).noted(zne=record)


def _common_decay(found: Sequence[Estimate], mixed: FloatArray | float, decay: float) -> FloatArray:
    """What the calibration's errors change in the decay ``(C,)``: nothing where it was cut off."""
    low, high = found[0].values - mixed, found[1].values - mixed
    if not _MIN_DECAY < decay < 1.0:
        return np.zeros(len(found[0].common))
    square = (low**2).sum() - found[0].variance.sum()
    of_low = found[0].common * (high - 2 * decay * low)
    return np.asarray((of_low + found[1].common * low).sum(axis=(1, 2)) / square, dtype=np.float64)


def shrunk(
    found: Sequence[Estimate], scales: Sequence[float], mixed: FloatArray | float
) -> Estimate:
    """Between one exponential (little variance) and the line (little bias).

    ``exp + w (line - exp)``, ``w = max(0, 1 - V / D)``: ``D`` is the squared difference over all
    rows and features, ``V`` what shot noise alone would make of it. With few shots this is the
    exponential, with many the line. The exponential is the mean of both scales carried back to
    none with the one rate, each weighted by its inverse variance, so that no shot is lost on it.

    Source: positive-part shrinkage of James and Stein (Efron and Morris, J. Am. Stat. Assoc. 68,
    117 (1973)), towards the exponential.
    """
    fit = shared_rate(found, scales, mixed).record["zne"]
    step = scales[1] - scales[0]
    powers = np.array([scales[0] / step, scales[1] / step])
    gains = fit["decay"] ** -powers
    variances = [r.variance for r in found]
    precision = 1 / (gains**2 * [max(float(v.sum()), 1e-300) for v in variances])
    back = gains * precision / precision.sum()
    line = extrapolation_coefficients(scales, "linear")
    signals = [r.values - mixed for r in found]
    exponential = mixed + sum(b * x for b, x in zip(back, signals, strict=True))
    straight = sum(c * r.values for c, r in zip(line, found, strict=True))
    difference = straight - exponential
    spread = sum((c - b) ** 2 * v for c, b, v in zip(line, back, variances, strict=True))
    noise = float(np.sum(spread))
    weight = max(0.0, 1.0 - noise / max(float((difference**2).sum()), 1e-300))
    mixture = back + weight * (line - back)
    own = sum(m**2 * v for m, v in zip(mixture, variances, strict=True))
    turns = (1 - weight) * back * powers / fit["decay"]
    turned = np.asarray(sum(t * x for t, x in zip(turns, signals, strict=True)))
    of_rate = turned**2 * fit["decay_variance"]
    with_rate = _common_decay(found, mixed, fit["decay"])[:, None, None]
    common = weighted_sum(mixture, found).common - turned * with_rate
    # the expected square of what shrinking takes away, where differences are normal
    of_shrinking = weight * (1 - weight) * spread
    record = {**fit, "linear_weight": weight}
    values = np.asarray(exponential + weight * difference)
    variance = np.asarray(own + of_rate + of_shrinking)
    return Estimate(values, variance, common=common).noted(zne=record)


def spread_folds(gates: int, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each gate is folded ``(gates,)``: evenly, the remainder on random gates."""
    each, rest = divmod(folds, gates)
    extra = np.full(gates, each, dtype=np.int64)
    extra[rng.choice(gates, rest, replace=False)] += 1
    return extra


def folded(compiled: CompiledTemplate, folds: NDArray[np.int64]) -> CompiledTemplate:
    """Each two-qubit gate followed by its inverse and itself, ``folds`` ``(gates,)`` times.

    Raises:
        MitigationError: a gate whose inverse is not native.
    """

    def edit(number: int, gate: Instruction, pair: Pair) -> list[Placed]:
        back = inverse_of(gate, pair) if folds[number] else []
        return [(gate, pair), *[*back, (gate, pair)] * int(folds[number])]

    return rewritten(compiled, edit)


def inverse_of(gate: Instruction, pair: Pair) -> list[Placed]:
    """The inverse of a native two-qubit gate with that gate and one-qubit gates only.

    Raises:
        MitigationError: not known for this gate.
    """
    if gate.name == "iswap":  # Z on one qubit turns the phase of the swap round
        return [(ZGate(), pair[:1]), (gate, pair), (ZGate(), pair[:1])]
    inverse = gate.inverse()
    if inverse.name != gate.name:
        raise MitigationError(f"Folding must have gates with a native inverse, not {gate.name}")
    return [(inverse, pair)]


def _listed(scales: Sequence[float]) -> str:
    return ",".join(f"{s:g}" for s in scales)

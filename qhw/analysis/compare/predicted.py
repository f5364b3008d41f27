"""What a device model says of a circuit before it is sent, frozen, and what it was worth after.

The model is the calibration that the circuit was compiled against, as ``aer:`` simulates it. What
is frozen holds the distributions themselves, so that anybody may judge it again: bit ``c`` of an
outcome is classical bit ``c``.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import norm

from backends.aer import MAX_EXACT_QUBITS, AerBackend
from backends.base import BackendError, CompiledTemplate
from calibration.documents import read_document
from calibration.parts import Frozen, Utc
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.facts import Estimate, PredictionFacts
from qhw.analysis.compare.noise_interval import NoiseInterval, noise_interval
from qhw.analysis.scores.baselines import expected_total_variation, uniform
from qhw.analysis.scores.metrics import total_variation
from qhw.analysis.validate.interval import distance_with, judged_as
from qhw.circuits.workload import Role
from qhw.distributions import relative_frequencies
from qhw.models.checkpoint import code_version

FloatArray = NDArray[np.float64]

SCHEMA_VERSION = 2
_MOST_VALUES = 2**16
"""Probabilities of each kind that are frozen."""
_MOST_WORK = 2**28
"""Entries of density matrices times gates that are computed before a job is sent: seconds."""
_ONLY_REPORTED = "values of observables, which the report of the run compares"
IDEAL = "the device gives no calibration to predict from"
WIDE = f"more than {MAX_EXACT_QUBITS} qubits: no distribution, only the share of runs without error"
TEXT_AT_MOST = 300
_DRAWS, _ROWS_DRAWN = 200, 16
"""Experiments drawn of a row, and rows drawn, for the deviation that shots alone make."""


class PredictedValue(Frozen):
    """What a device model says of an observable's raw value in one row of angles.

    Attributes:
        row: of the circuit.
        observable: as asked for.
        exact: without noise.
        predicted: with the model's noise, for infinitely many shots.
        shot_error: standard error of the shots at the device's own noise.
        low: lower end of what real devices' noise and the shots make of it; ``None`` without public
            results of the vendor's devices.
        high: upper end.
    """

    row: int
    observable: str
    exact: float
    predicted: float
    shot_error: float
    low: float | None = None
    high: float | None = None


class Prediction(Frozen):
    """What a device model says of a circuit's raw counts.

    Attributes:
        role: which circuit; ``expectation`` of expectation values (since version 2).
        made: when, UTC.
        version: of this code.
        device: name of the calibration it rests on; ``None`` where there is none.
        taken: time of that calibration.
        snapshot_sha256: of its JSON, as the ledger keeps it.
        qubits: device qubits, in circuit order.
        shots: of a row, behind its raw counts.
        rows: of the circuit.
        predicted_success: share of runs without any error, of the layout's estimate.
        exact: ``(K, 2**m)`` of the first K rows without noise; empty where nothing is predicted.
        predicted: ``(K, 2**m)`` with the model's noise, for infinitely many shots.
        tvd_floor: mean over the K rows of the expected distance to exact, without noise, at these
            shots; ``None`` where nothing is predicted.
        tvd: with the model's noise.
        tvd_uniform: of the uniform distribution.
        tvd_error: standard deviation of the mean distance from shots alone (since version 2;
            earlier predictions leave it out of their interval).
        interval: in which devices' noise lay, as a multiple of their models'; ``None`` without
            public results of the device's vendor.
        note: why there is no distribution, or one of some rows only; empty for nothing.
        values: of expectation values, in place of distributions (since version 2).
        schema_version: of this format.
    """

    role: Role | Literal["expectation"]
    made: Utc
    version: str
    device: str | None
    taken: Utc | None
    snapshot_sha256: str | None
    qubits: tuple[int, ...]
    shots: int
    rows: int
    predicted_success: float | None
    exact: tuple[tuple[float, ...], ...] = ()
    predicted: tuple[tuple[float, ...], ...] = ()
    tvd_floor: float | None = None
    tvd: float | None = None
    tvd_uniform: float | None = None
    tvd_error: float | None = None
    interval: NoiseInterval | None = None
    note: str = ""
    values: Annotated[tuple[PredictedValue, ...], Field(exclude_if=operator.not_)] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def expected(self) -> Estimate | None:
        """The distance predicted, between where devices' noise and shots put it; ``None`` without
        public results."""
        if self.interval is None or self.tvd is None:
            return None
        assert self.tvd_floor is not None and self.tvd_uniform is not None  # with tvd
        low, high = (
            at_noise(self.tvd, self.tvd_floor, self.tvd_uniform, factor)
            for factor in (self.interval.low, self.interval.high)
        )
        reach = float(norm.ppf((1 + self.interval.level) / 2)) * (self.tvd_error or 0.0)
        low, high = max(low - reach, 0.0), high + reach
        return Estimate(value=self.tvd, low=low, high=high, level=self.interval.level)

    def to_bytes(self) -> bytes:
        """JSON."""
        return (self.model_dump_json() + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "prediction") -> Prediction:
        """Read what :meth:`to_bytes` wrote, in this or an earlier version.

        Raises:
            ValueError: not such a document, or of a newer version; the line names ``where``.
        """
        return read_document(cls, data, SCHEMA_VERSION, where)


def at_noise(distance: float, floor: float, uniform_distance: float, factor: float) -> float:
    """A distance to exact where noise is ``factor`` times what gave ``distance``.

    The signal, ``(uniform - distance) / (uniform - floor)``, falls as the exponential of noise;
    without any it is 1, and what has none left stays where it is.

    Args:
        distance: to exact.
        floor: without noise.
        uniform_distance: of a uniform answer.
        factor: on the noise.
    """
    whole = uniform_distance - floor
    if distance >= uniform_distance or whole <= 0:
        return distance
    return floor + distance_with(factor, max(distance - floor, 0.0), whole)


def predict(
    role: Role,
    compiled: CompiledTemplate,
    angles: FloatArray,
    exact: FloatArray,
    *,
    shots: int,
    made: datetime | None = None,
) -> Prediction:
    """What the model behind a compiled circuit says of it.

    Args:
        role: which circuit.
        compiled: for the device.
        angles: ``(B, P)`` radians.
        exact: ``(B, 2**m)`` without noise; of wide circuits anything.
        shots: of a row, behind its raw counts.
        made: by default now.
    """
    device = compiled.snapshot
    told = begun(role, compiled, shots=shots, rows=len(angles), made=made)
    qubits = compiled.circuit.num_qubits
    if device is None:
        return told.model_copy(update={"note": IDEAL})
    if qubits > MAX_EXACT_QUBITS or exact.shape != (len(angles), 2**compiled.n_measured):
        return told.model_copy(update={"note": WIDE})
    kept = rows_predicted(compiled, len(angles))
    note = "" if kept == len(angles) else f"of the first {kept} of {len(angles)} rows"
    try:
        found = AerBackend(device).probabilities(compiled, angles[:kept])
    except BackendError as error:
        return told.model_copy(update={"note": str(error)[:TEXT_AT_MOST]})
    return told.model_copy(update={**_distances(exact[:kept], found, shots), "note": note})


def begun(
    role: Role | Literal["expectation"],
    compiled: CompiledTemplate,
    *,
    shots: int,
    rows: int,
    made: datetime | None = None,
) -> Prediction:
    """A prediction before anything is predicted: of which circuit, by which calibration.

    Args:
        role: which circuit.
        compiled: for the device.
        shots: of a row, behind its raw counts.
        rows: of angles.
        made: by default now.
    """
    device = compiled.snapshot
    return Prediction(
        role=role,
        made=made or datetime.now(UTC),
        version=code_version().version,
        device=None if device is None else device.name,
        taken=None if device is None else device.taken,
        snapshot_sha256=None if device is None else snapshot_sha256(device),
        qubits=compiled.physical_qubits,
        shots=shots,
        rows=rows,
        predicted_success=compiled.predicted_success,
        interval=None if device is None else noise_interval(judged_as(device)),
    )


def rows_predicted(compiled: CompiledTemplate, rows: int) -> int:
    """How many rows of a circuit are predicted: what takes seconds, one at least."""
    work = 4**compiled.circuit.num_qubits * max(compiled.circuit.size(), 1)
    most = int(min(_MOST_WORK // work, _MOST_VALUES // 2**compiled.n_measured))
    return min(rows, max(1, most))


def judged(
    frozen: bytes, rows: Sequence[int], counts: NDArray[np.int64], exact: FloatArray
) -> PredictionFacts:
    """A prediction beside what was measured.

    Args:
        frozen: what was written down before, byte for byte.
        rows: of the circuit, one for each row of counts.
        counts: ``(K, 2**m)`` raw.
        exact: ``(K, 2**m)`` without noise, of the same rows.

    Raises:
        ValueError: of a later version.
    """
    told = Prediction.from_bytes(frozen)
    chosen = [place for place, row in enumerate(rows) if row < len(told.predicted)]
    measured = None
    floor, expected, predicted = told.tvd_floor, told.expected, told.tvd
    farthest = told.tvd_uniform
    if chosen and told.tvd is not None:
        frequencies = relative_frequencies(counts[chosen])
        measured = float(total_variation(frequencies, exact[chosen]).mean())
        if len(chosen) < len(told.predicted):  # of rows that failed nothing is compared
            there = np.array([told.predicted[rows[place]] for place in chosen])
            again = told.model_copy(update=_distances(exact[chosen], there, told.shots))
            floor, expected, predicted = again.tvd_floor, again.expected, again.tvd
            farthest = again.tvd_uniform
    inside = None
    if expected is not None and measured is not None:
        inside = expected.low <= measured <= expected.high
    return PredictionFacts(
        role=told.role,
        made=told.made,
        device=told.device,
        taken=told.taken,
        snapshot_sha256=told.snapshot_sha256,
        sha256=hashlib.sha256(frozen).hexdigest(),
        rows=len(chosen),
        floor=floor,
        predicted=predicted,
        interval=expected,
        results=None if told.interval is None else told.interval.results,
        measured=measured,
        inside=inside,
        note=_ONLY_REPORTED if told.values else told.note,
        uniform=farthest,
    )


def snapshot_sha256(device: DeviceSnapshot) -> str:
    """Of a calibration's JSON, as the ledger names it."""
    return hashlib.sha256(device.to_json().encode()).hexdigest()


def _distances(exact: FloatArray, found: FloatArray, shots: int) -> dict[str, object]:
    normal = found / found.sum(axis=1, keepdims=True)  # to rounding they are
    return {
        "exact": tuple(map(tuple, exact.tolist())),
        "predicted": tuple(map(tuple, normal.tolist())),
        "tvd_floor": float(expected_total_variation(exact, exact, shots).mean()),
        "tvd": float(expected_total_variation(normal, exact, shots).mean()),
        "tvd_uniform": float(total_variation(uniform(exact), exact).mean()),
        "tvd_error": _error_of_mean(normal, exact, shots),
    }


def _error_of_mean(p: FloatArray, exact: FloatArray, shots: int) -> float:
    """Standard deviation of the mean distance of frequencies of ``p`` to exact, rows apart."""
    rng = np.random.default_rng(0)
    chosen = np.unique(np.linspace(0, len(p) - 1, min(len(p), _ROWS_DRAWN)).astype(int))
    each = [
        total_variation(rng.multinomial(shots, p[row], size=_DRAWS) / shots, exact[row]).var()
        for row in chosen
    ]
    return float(np.sqrt(np.mean(each) / len(p)))

"""What a device model says of a circuit before it is sent, frozen, and what it was worth after.

The model is the calibration that the circuit was compiled against, as ``aer:`` simulates it. What
is frozen holds the distributions themselves, so that anybody may judge it again: bit ``c`` of an
outcome is classical bit ``c``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

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

SCHEMA_VERSION = 1
_MOST_VALUES = 2**16
"""Probabilities of each kind that are frozen."""
_MOST_WORK = 2**28
"""Entries of density matrices times gates that are computed before a job is sent: seconds."""
_IDEAL = "the device gives no calibration to predict from"
_WIDE = (
    f"more than {MAX_EXACT_QUBITS} qubits: no distribution, only the share of runs without error"
)
_TEXT_AT_MOST = 300


class Prediction(Frozen):
    """What a device model says of a circuit's raw counts.

    Attributes:
        role: which circuit.
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
        interval: in which devices' noise lay, as a multiple of their models'; ``None`` without
            public results of the device's vendor.
        note: why there is no distribution, or one of some rows only; empty for nothing.
        schema_version: of this format.
    """

    role: Role
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
    interval: NoiseInterval | None = None
    note: str = ""
    schema_version: int = SCHEMA_VERSION

    @property
    def expected(self) -> Estimate | None:
        """The distance predicted, in the interval of devices' noise; ``None`` without that."""
        if self.interval is None or self.tvd is None:
            return None
        assert self.tvd_floor is not None and self.tvd_uniform is not None  # with tvd
        low, high = (
            at_noise(self.tvd, self.tvd_floor, self.tvd_uniform, factor)
            for factor in (self.interval.low, self.interval.high)
        )
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
    told = Prediction(
        role=role,
        made=made or datetime.now(UTC),
        version=code_version().version,
        device=None if device is None else device.name,
        taken=None if device is None else device.taken,
        snapshot_sha256=None if device is None else snapshot_sha256(device),
        qubits=compiled.physical_qubits,
        shots=shots,
        rows=len(angles),
        predicted_success=compiled.predicted_success,
        interval=None if device is None else noise_interval(judged_as(device)),
    )
    qubits = compiled.circuit.num_qubits
    if device is None:
        return told.model_copy(update={"note": _IDEAL})
    if qubits > MAX_EXACT_QUBITS or exact.shape != (len(angles), 2**compiled.n_measured):
        return told.model_copy(update={"note": _WIDE})
    work = 4**qubits * max(compiled.circuit.size(), 1)
    most = max(1, min(_MOST_WORK // work, _MOST_VALUES // 2**compiled.n_measured))
    kept = min(len(angles), most)
    note = "" if kept == len(angles) else f"of the first {kept} of {len(angles)} rows"
    try:
        found = AerBackend(device).probabilities(compiled, angles[:kept])
    except BackendError as error:
        return told.model_copy(update={"note": str(error)[:_TEXT_AT_MOST]})
    return told.model_copy(update={**_distances(exact[:kept], found, shots), "note": note})


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
    if chosen and told.tvd is not None:
        frequencies = relative_frequencies(counts[chosen])
        measured = float(total_variation(frequencies, exact[chosen]).mean())
        if len(chosen) < len(told.predicted):  # of rows that failed nothing is compared
            there = np.array([told.predicted[rows[place]] for place in chosen])
            again = told.model_copy(update=_distances(exact[chosen], there, told.shots))
            floor, expected, predicted = again.tvd_floor, again.expected, again.tvd
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
        note=told.note,
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
    }

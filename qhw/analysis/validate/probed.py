"""What probes would have made of the public results: smaller circuits fitted, a larger one judged.

Where a device ran circuits of one family and several sizes on one day, the three that are closest
to half the size of a larger one are its probes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from qhw.analysis.probe.fit import NoiseFit, Probed, fit_noise
from qhw.analysis.validate.records import Record, Results

FAMILY = "qml_kernel"
"""The only family that was published in many sizes; all bits come back 0."""
_PROBES = 3
_LEVEL = 0.8


@dataclass(frozen=True)
class ProbedResult:
    """A result with the noise that smaller circuits showed on the same day.

    Attributes:
        record: the larger circuit.
        predicted: signal by the device model as reported.
        probes: sizes of the smaller circuits, qubits.
        fit: of them.
    """

    record: Record
    predicted: float
    probes: tuple[int, ...]
    fit: NoiseFit

    @property
    def error(self) -> float:
        """``|ln|`` of measured over predicted signal."""
        return abs(self._measured - math.log(self.predicted))

    @property
    def error_left(self) -> float:
        """The same with the noise that the probes showed."""
        return abs(self._measured - self.fit.factor * math.log(self.predicted))

    @property
    def factor_left(self) -> float:
        """Noise measured over the noise that the probes showed."""
        return self._measured / math.log(self.predicted) / self.fit.factor

    @property
    def _measured(self) -> float:
        return math.log(self.record.signal(self.record.measured))


def probed_results(results: Results) -> list[ProbedResult]:
    """Every result of the family that judges a model and has two smaller ones or more."""
    days: dict[object, list[Record]] = defaultdict(list)
    for record in results.records:
        if record.benchmark == FAMILY and record.circuit.n is not None and record.predicted:
            days[record.device, record.date].append(record)
    found = []
    for records in days.values():
        for record in records:
            row = _probed(record, records)
            if row is not None:
                found.append(row)
    return found


def _probed(record: Record, day: Sequence[Record]) -> ProbedResult | None:
    assert record.predicted is not None and record.circuit.n is not None  # chosen by the caller
    if record.unfit(record.predicted.value) is not None:
        return None
    n = record.circuit.n
    smaller = [(size, one) for one in day if (size := one.circuit.n or n) < n]
    near = sorted(smaller, key=lambda pair: (abs(pair[0] - n / 2), pair[0]))[:_PROBES]
    fit = fit_noise([_seen(one) for _, one in near], _LEVEL)
    if fit is None or fit.factor == 0:
        return None
    sizes = tuple(sorted(size for size, _ in near))
    return ProbedResult(record, record.signal(record.predicted.value), sizes, fit)


def _seen(record: Record) -> Probed:
    assert record.predicted is not None  # chosen by the caller
    shots = record.shots * record.circuits
    return Probed(
        predicted=record.signal(record.predicted.value),
        floor=record.floor,
        right=round(record.measured * shots),
        shots=shots,
    )

"""Vendor numbers to physical ones: what is impossible is clamped or masked, and written down.

An error that is missing where others of its kind are reported is taken as their median: as no error
it would draw every layout to the one place of which nothing is known. A readout error of which only
the average, or one direction, is reported is still a readout error.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from calibration.snapshot import Correction, Gate, Qubit

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
"""Length of the units of time that vendors write."""

_CLAMPED_READOUT = "readout probability out of range"
_ABOVE_MODEL = "gate error above what is simulated"
"""d/(d + 1), the infidelity of the strongest depolarising channel: 2/3 and 0.8."""
_NO_ERROR = "gate error missing"
_NO_READOUT = "readout error missing"
_NO_DIRECTIONS = "readout directions not reported"
_ROUNDING = 1e-4
"""Vendors round what they report: an average this far from its directions does not contradict."""


class Cleaner:
    """Collects every correction made while one snapshot is read.

    Attributes:
        corrections: what was changed or found missing so far, in reading order.
    """

    def __init__(self) -> None:
        self.corrections: list[Correction] = []

    def note(
        self,
        kind: str,
        qubits: Sequence[int],
        *,
        gate: str | None = None,
        reported: float | None = None,
        used: float | None = None,
    ) -> None:
        """Write one correction down; a reported NaN or infinity is kept as missing."""
        finite = reported if reported is not None and math.isfinite(reported) else None
        self.corrections.append(
            Correction(kind=kind, qubits=tuple(qubits), gate=gate, reported=finite, used=used)
        )

    def lifetimes(
        self, qubit: int, t1: float | None, t2: float | None
    ) -> tuple[float | None, float | None]:
        """T1 and T2 in seconds, masked when not positive, T2 clamped to 2 T1."""
        t1, t2 = self._positive("T1", qubit, t1), self._positive("T2", qubit, t2)
        if t1 is not None and t2 is not None and t2 > 2 * t1:
            self.note("T2 > 2 T1", [qubit], reported=t2, used=2 * t1)
            t2 = 2 * t1
        return t1, t2

    def _positive(self, name: str, qubit: int, value: float | None) -> float | None:
        value = _finite(value)
        if value is None:
            self.note(f"{name} missing", [qubit])
        elif value < sys.float_info.min:  # its inverse would not be finite
            self.note(f"{name} not positive", [qubit], reported=value)
            return None
        return value

    def readout(
        self, qubit: int, p10: float | None, p01: float | None, mean: float | None = None
    ) -> tuple[float | None, float | None]:
        """Readout errors p(1|0) and p(0|1), clamped to 0..1; masked when nothing is known.

        Args:
            qubit: whose.
            p10: reported, ``None`` (or not finite) when missing.
            p01: likewise.
            mean: of both, likewise: for both where no direction is reported, and to find the
                other where one is.
        """
        up, down = self._directions(qubit, _finite(p10), _finite(p01), _finite(mean))
        if up is None or down is None:
            self.note(_NO_READOUT, [qubit])
            return None, None
        clamped = []
        for value in (up, down):
            clamped.append(min(max(value, 0.0), 1.0))
            if clamped[-1] != value:
                self.note(_CLAMPED_READOUT, [qubit], reported=value, used=clamped[-1])
        if sum(clamped) >= 1:
            average = sum(clamped) / 2
            self.note("readout no better than chance", [qubit], reported=average, used=average)
        return clamped[0], clamped[1]

    def _directions(
        self, qubit: int, p10: float | None, p01: float | None, mean: float | None
    ) -> tuple[float | None, float | None]:
        """Both directions from what is reported of both and their average."""
        if p10 is not None and p01 is not None:
            found = (p10 + p01) / 2
            if mean is not None and abs(found - mean) > _ROUNDING:
                kind = "readout average contradicts its directions"
                self.note(kind, [qubit], reported=mean, used=found)
            return p10, p01
        known = p01 if p10 is None else p10
        if known is None:
            if mean is not None:
                self.note(_NO_DIRECTIONS, [qubit], reported=mean, used=mean)
            return mean, mean
        if mean is None:
            self.note("one readout direction missing", [qubit], reported=known, used=known)
            return known, known
        other = 2 * mean - known
        if -2 * _ROUNDING <= other <= 1 + 2 * _ROUNDING:
            other = min(max(other, 0.0), 1.0)
            self.note("readout direction from the average", [qubit], reported=mean, used=other)
        else:  # no other direction gives this average
            other = mean
            kind = "readout average contradicts its directions"
            self.note(kind, [qubit], reported=mean, used=mean)
        return (other, known) if p10 is None else (known, other)

    def readout_duration(self, qubit: int, seconds: float | None) -> float | None:
        """Duration of a measurement, masked when missing or below 0."""
        if seconds is None or not math.isfinite(seconds) or seconds < 0:
            self.note("readout duration missing", [qubit], reported=seconds)
            return None
        return seconds

    def gate(
        self, name: str, qubits: Sequence[int], error: float | None, duration_s: float | None
    ) -> Gate:
        """A gate whose error is within 0..1; dead (unusable) at a reported error of 1 or above."""
        if error is None or not math.isfinite(error):
            self.note(_NO_ERROR, qubits, gate=name)
            error = None
        elif error < 0:
            self.note("gate error below 0", qubits, gate=name, reported=error, used=0.0)
            error = 0.0
        if duration_s is None or not math.isfinite(duration_s) or duration_s < 0:
            self.note("gate duration missing", qubits, gate=name, reported=duration_s)
            duration_s = None
        usable = error is None or error < 1
        if not usable:
            self.note("dead gate", qubits, gate=name, reported=error)
            error = 1.0
        most = 2 ** len(qubits) / (2 ** len(qubits) + 1)
        if usable and error is not None and error > most:
            self.note(_ABOVE_MODEL, qubits, gate=name, reported=error, used=error)
        return Gate(
            name=name, qubits=tuple(qubits), error=error, duration_s=duration_s, usable=usable
        )

    def filled_gates(self, gates: Sequence[Gate]) -> tuple[Gate, ...]:
        """Missing errors as the median of the same gate's usable ones, where any is known."""
        known: dict[str, list[float]] = defaultdict(list)
        for gate in gates:
            if gate.usable and gate.error is not None:
                known[gate.name].append(gate.error)
        out = []
        for gate in gates:
            if gate.error is None and known[gate.name]:
                gate = gate.model_copy(update={"error": median(known[gate.name])})
                self._used(_NO_ERROR, gate.qubits, gate.error, gate.name)
            out.append(gate)
        return tuple(out)

    def filled_readout(self, qubits: Sequence[Qubit]) -> tuple[Qubit, ...]:
        """Missing readout errors as the medians of both directions, where any is known."""
        known = [(q.p10, q.p01) for q in qubits if q.p10 is not None and q.p01 is not None]
        if not known or len(known) == len(qubits):
            return tuple(qubits)
        up, down = (median(rates) for rates in zip(*known, strict=True))
        out = []
        for index, qubit in enumerate(qubits):
            if qubit.p10 is None:
                qubit = qubit.model_copy(update={"p10": up, "p01": down})
                self._used(_NO_READOUT, (index,), qubit.readout_error)
            out.append(qubit)
        return tuple(out)

    def _used(
        self, kind: str, qubits: tuple[int, ...], used: float | None, gate: str | None = None
    ) -> None:
        """Complete the note that a value was missing."""
        for place, note in enumerate(self.corrections):
            if (note.kind, note.qubits, note.gate) == (kind, qubits, gate):
                self.corrections[place] = note.model_copy(update={"used": used})


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

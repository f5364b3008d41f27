"""The noise that probes showed, as results hold it."""

from __future__ import annotations

from calibration.parts import Frozen, Utc
from qhw.analysis.compare.parsed import Count

LEVEL = 0.8
"""Of the fitted factor's interval, as of real devices' beside it."""


class ProbeCircuit(Frozen):
    """One probe.

    Attributes:
        name: what it is of the circuit.
        qubits: of the device.
        two_qubit_gates: compiled.
        shots: of it.
        predicted: share of right answers by the device model.
        measured: share that came back.
    """

    name: str
    qubits: tuple[Count, ...]
    two_qubit_gates: Count
    shots: Count
    predicted: float
    measured: float


class NoiseOfTheDay(Frozen):
    """The noise that probes showed, as a multiple of the device model's.

    Attributes:
        device: calibration that it multiplies.
        taken: when the probes' counts were complete.
        circuits: the probes.
        factor: that fits them best; ``None`` where fewer than two came back.
        low: lower end, from shots and from how probes differ.
        high: upper end.
        level: of the interval.
        scatter: what probes differ by in units of what shots explain: far above 1 the device's
            qubits differ in ways that no one factor holds.
    """

    device: str
    taken: Utc
    circuits: tuple[ProbeCircuit, ...]
    factor: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = LEVEL
    scatter: float | None = None

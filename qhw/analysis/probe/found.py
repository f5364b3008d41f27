"""What probes say when they are back: each beside its prediction, and the fit of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from backends.aer import MAX_EXACT_QUBITS, AerBackend
from backends.base import ShotResult
from backends.outcomes import Outcomes
from calibration.fitted import fitted_to_counts
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.probe.circuits import Probe
from qhw.analysis.probe.facts import LEVEL, NoiseOfTheDay, ProbeCircuit
from qhw.analysis.probe.fit import NoiseFit, Probed, fit_noise

_ROUNDS = 4
_SAME = 0.01
_MOST = 20.0
"""Factor from which on nothing is left to tell noise by."""


def noise_of_the_day(
    probed: Sequence[tuple[Probe, ShotResult]], base: DeviceSnapshot
) -> NoiseOfTheDay | None:
    """The fit of the probes that came back; ``None`` for none.

    Args:
        probed: each with its counts.
        base: calibration that they were compiled against.
    """
    if not probed:
        return None
    finished: datetime = max(found.finished for _, found in probed)
    rows, seen = [], []
    for probe, found in probed:
        signal, shots = predicted_signal(probe), int(found.counts[0].sum())
        right = _right(probe, found)
        floor = probe.floor
        seen.append(Probed(signal, floor, right, shots))
        compiled = probe.batch.compiled
        rows.append(
            ProbeCircuit(
                name=probe.name,
                qubits=compiled.physical_qubits,
                two_qubit_gates=compiled.two_qubit_gates,
                shots=shots,
                predicted=floor + (1 - floor) * signal,
                measured=right / shots,
            )
        )
    fit = _fit([probe for probe, _ in probed], seen)
    told = NoiseOfTheDay(device=base.name, taken=finished, circuits=tuple(rows))
    if fit is None:
        return told
    return told.model_copy(
        update={name: getattr(fit, name) for name in ("factor", "low", "high", "scatter")}
    )


def _fit(probes: Sequence[Probe], seen: Sequence[Probed]) -> NoiseFit | None:
    """The factor, signals predicted again with each until it stays."""
    fit = fit_noise(seen, LEVEL)
    for _ in range(_ROUNDS):
        if fit is None or not 0 < fit.factor < _MOST:
            return fit
        at = fit.factor
        moved = [
            replace(one, predicted=predicted_signal(probe, at))
            for probe, one in zip(probes, seen, strict=True)
        ]
        again = fit_noise(moved, LEVEL, at)
        if again is None:
            return fit
        fit = again
        if abs(fit.factor / at - 1) < _SAME:
            break
    return fit


def fitted_snapshot(base: DeviceSnapshot, noise: NoiseOfTheDay) -> DeviceSnapshot | None:
    """A calibration with the noise of the day; ``None`` where it has no factor.

    Args:
        base: that the probes were compiled against.
        noise: that they showed.
    """
    if noise.factor is None:
        return None
    counts = f"probes of {noise.taken:%Y-%m-%d %H:%M} UTC"
    return fitted_to_counts(base, noise.factor, taken=noise.taken, counts=counts)


def predicted_signal(probe: Probe, factor: float = 1.0) -> float:
    """By the device model: of its noisy distribution, of wide probes the predicted success.

    Args:
        probe: which.
        factor: on the model's noise.
    """
    compiled = probe.batch.compiled
    assert compiled.snapshot is not None and compiled.predicted_success is not None  # of a device
    if compiled.circuit.num_qubits > MAX_EXACT_QUBITS:
        return float(compiled.predicted_success**factor)
    model = AerBackend(compiled.snapshot, scale=factor)
    found = model.probabilities(compiled, np.empty((1, 0)))[0]
    return float((found[probe.answer] / found.sum() - probe.floor) / (1 - probe.floor))


def _right(probe: Probe, found: ShotResult) -> int:
    """Shots with the right answer."""
    if found.outcomes is None:
        return int(found.counts[0, probe.answer])
    wanted = Outcomes.of_integers([probe.answer], found.outcomes.n_bits)
    (place,), (there,) = found.outcomes.find(wanted)
    return int(found.counts[0, place]) if there else 0

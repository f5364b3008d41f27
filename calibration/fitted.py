"""A calibration whose noise was fitted to counts: the same device, every reported error scaled."""

from __future__ import annotations

import math
from datetime import datetime

from calibration.snapshot import DeviceSnapshot, Gate, Qubit

FITTED = "fitted to counts"
"""What the source of such a snapshot begins with."""
_NAMED = "_fitted"


def fitted_to_counts(
    snapshot: DeviceSnapshot, factor: float, *, taken: datetime, counts: str
) -> DeviceSnapshot:
    """The device with the noise that its counts showed.

    Args:
        snapshot: the calibration that the counts were compared with.
        factor: on all its reported noise, as ``--noise-scale``.
        taken: when the counts were complete, UTC: from then on its age is counted.
        counts: which, in words.

    Raises:
        ValueError: a factor below 0 or not finite.
    """
    if is_fitted(snapshot):  # the words of an earlier fit are not heaped up
        name, source = snapshot.name, snapshot.source
    else:
        name = snapshot.name + _NAMED
        source = f"{snapshot.name} of {snapshot.taken:%Y-%m-%d}, {snapshot.source}"
    told = f"{FITTED} of {counts}: {factor:.4g} times the noise of {source}"
    return scaled(snapshot, factor).model_copy(
        update={"name": name, "taken": taken, "source": told}
    )


def is_fitted(snapshot: DeviceSnapshot) -> bool:
    """Whether a snapshot's noise comes from counts, not from the vendor."""
    return snapshot.source.startswith(FITTED)


def scaled(snapshot: DeviceSnapshot, factor: float) -> DeviceSnapshot:
    """All reported noise times a factor, as :meth:`calibration.noise.NoiseOptions.scaled` has it.

    Errors of gates and readout are multiplied (at most 1), lifetimes divided: what relaxes in a
    time is then what would in ``factor`` times as long.

    Raises:
        ValueError: a factor below 0 or not finite.
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(f"Argument `factor` must be 0 or more, but is {factor}.")
    return snapshot.model_copy(
        update={
            "qubits": tuple(_qubit(q, factor) for q in snapshot.qubits),
            "gates": tuple(_gate(g, factor) for g in snapshot.gates),
        }
    )


def _qubit(qubit: Qubit, factor: float) -> Qubit:
    return qubit.model_copy(
        update={
            "t1_s": _lifetime(qubit.t1_s, factor),
            "t2_s": _lifetime(qubit.t2_s, factor),
            "p10": _error(qubit.p10, factor),
            "p01": _error(qubit.p01, factor),
        }
    )


def _gate(gate: Gate, factor: float) -> Gate:
    # a dead gate stays as it was reported, whatever the factor
    return gate.model_copy(update={"error": _error(gate.error, factor)}) if gate.usable else gate


def _lifetime(seconds: float | None, factor: float) -> float | None:
    """Without noise nothing relaxes, which is what a lifetime not reported means."""
    return None if seconds is None or factor == 0 else seconds / factor


def _error(error: float | None, factor: float) -> float | None:
    return None if error is None else min(error * factor, 1.0)

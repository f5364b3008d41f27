"""What changed on a device between two calibrations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from calibration.snapshot import DeviceSnapshot, Gate


@dataclass(frozen=True)
class Change:
    """A figure before and after; ``None`` where it was not reported or not usable."""

    before: float | None
    after: float | None

    @property
    def ratio(self) -> float | None:
        """After over before; ``None`` unless both are known and before is not 0."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return self.after / self.before

    @property
    def difference(self) -> float | None:
        """After minus before; ``None`` unless both are known."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


@dataclass(frozen=True)
class QubitDrift:
    """Changes of one qubit.

    Attributes:
        label: the vendor's number.
        t1_s: T1, seconds.
        t2_s: T2, seconds.
        p10: probability of reading 1 for 0.
        p01: probability of reading 0 for 1.
        one_qubit_error: worst native one-qubit gate.
    """

    label: int
    t1_s: Change
    t2_s: Change
    p10: Change
    p01: Change
    one_qubit_error: Change


@dataclass(frozen=True)
class CouplingDrift:
    """Change of the best two-qubit gate of one coupling, by the vendor's qubit numbers.

    A coupling that is dead or gone on one side has ``None`` there.
    """

    labels: tuple[int, int]
    error: Change

    @property
    def died(self) -> bool:
        """Whether it was usable and no longer is."""
        return self.error.before is not None and self.error.after is None

    @property
    def revived(self) -> bool:
        """Whether it is usable and was not before."""
        return self.error.before is None and self.error.after is not None


@dataclass(frozen=True)
class Drift:
    """All changes between two snapshots.

    Attributes:
        device: name of the device.
        elapsed: from the first calibration to the second (negative when given in reverse).
        qubits: by label, qubits found in both.
        couplings: by labels, couplings usable in at least one.
        appeared: labels only in the second.
        vanished: labels only in the first.
    """

    device: str
    elapsed: timedelta
    qubits: tuple[QubitDrift, ...]
    couplings: tuple[CouplingDrift, ...]
    appeared: tuple[int, ...]
    vanished: tuple[int, ...]

    def median_two_qubit_ratio(self) -> float | None:
        """Median over couplings of the error after over before; ``None`` when none is known."""
        return _median_ratio(c.error for c in self.couplings)

    def median_t1_ratio(self) -> float | None:
        """Median over qubits of T1 after over before; ``None`` when none is known."""
        return _median_ratio(q.t1_s for q in self.qubits)


def drift(before: DeviceSnapshot, after: DeviceSnapshot) -> Drift:
    """Compare two calibrations of one device, matching qubits by the vendor's numbers.

    Raises:
        ValueError: the snapshots are of different devices.
    """
    if before.name != after.name:
        raise ValueError(
            f"Argument `after` must be a snapshot of {before.name}, but is of {after.name}."
        )
    old = {q.label: i for i, q in enumerate(before.qubits)}
    new = {q.label: i for i, q in enumerate(after.qubits)}
    errors = _edge_errors(before), _edge_errors(after)
    return Drift(
        device=before.name,
        elapsed=after.taken - before.taken,
        qubits=tuple(
            _qubit_drift(label, before, old[label], after, new[label])
            for label in sorted(old.keys() & new.keys())
        ),
        couplings=tuple(
            CouplingDrift(pair, Change(errors[0].get(pair), errors[1].get(pair)))
            for pair in sorted(errors[0].keys() | errors[1].keys())
        ),
        appeared=tuple(sorted(new.keys() - old.keys())),
        vanished=tuple(sorted(old.keys() - new.keys())),
    )


def _qubit_drift(
    label: int, before: DeviceSnapshot, i: int, after: DeviceSnapshot, j: int
) -> QubitDrift:
    a, b = before.qubits[i], after.qubits[j]
    return QubitDrift(
        label=label,
        t1_s=Change(a.t1_s, b.t1_s),
        t2_s=Change(a.t2_s, b.t2_s),
        p10=Change(a.p10, b.p10),
        p01=Change(a.p01, b.p01),
        one_qubit_error=Change(_one_qubit_error(before, i), _one_qubit_error(after, j)),
    )


def _one_qubit_error(device: DeviceSnapshot, qubit: int) -> float | None:
    found: Iterable[Gate | None] = (device.gate(n, [qubit]) for n in device.one_qubit_gates)
    return max((g.error for g in found if g and g.error is not None and g.usable), default=None)


def _edge_errors(device: DeviceSnapshot) -> dict[tuple[int, int], float | None]:
    errors = {}
    for a, b in device.usable_couplings:
        gate = device.two_qubit_gate(a, b)
        ends = device.labels[a], device.labels[b]
        errors[min(ends), max(ends)] = gate.error if gate else None
    return errors


def _median_ratio(changes: Iterable[Change]) -> float | None:
    ratios = [c.ratio for c in changes if c.ratio is not None]
    return median(ratios) if ratios else None

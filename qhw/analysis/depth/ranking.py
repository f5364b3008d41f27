"""Devices in the order in which a circuit is predicted to succeed on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qiskit import QuantumCircuit

from backends.dynamic.circuit import is_dynamic
from backends.plain import measured_form, plain_bound
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.depth.jobs import Compiled, Job, circuit_bytes, run_jobs
from qhw.scheduler import Scheduler


@dataclass(frozen=True)
class Ranked:
    """A device and the best compilation found for it.

    Attributes:
        snapshot: the device.
        best: highest predicted success over seeds; ``None`` when none compiled.
        reason: why none did.
    """

    snapshot: DeviceSnapshot
    best: Compiled | None
    reason: str | None = None


def rank_devices(
    circuit: QuantumCircuit,
    snapshots: Sequence[DeviceSnapshot],
    *,
    level: int = 3,
    seeds: Sequence[int] = (0, 1, 2),
    fractional: bool = False,
    cache: Path | None = None,
    scheduler: Scheduler | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
) -> tuple[Ranked, ...]:
    """Compile a circuit for every device; best predicted success first, failures last.

    Args:
        circuit: bound, measured last.
        snapshots: the devices.
        level: optimisation level.
        seeds: of layout and routing, the best of which counts.
        fractional: allow the gates that must be asked for.
        cache: folder of earlier compilations.
        scheduler: where circuits are compiled; in this process by default.
        done: told how many devices of how many are finished.

    Raises:
        ValueError: no seed.
        BackendError: the circuit can be compiled for no device: free parameters, reset, control.
    """
    if not seeds:
        raise ValueError("Argument `seeds` must hold a seed, but is empty.")
    raw = circuit_bytes(measured_form(circuit) if is_dynamic(circuit) else plain_bound(circuit))
    jobs = [Job(raw, snapshot, level, tuple(seeds), fractional) for snapshot in snapshots]
    found = run_jobs(jobs, cache=cache, scheduler=scheduler, done=done)
    ranked = [_best(snapshot, tries) for snapshot, tries in zip(snapshots, found, strict=True)]
    return tuple(sorted(ranked, key=lambda r: -r.best.success if r.best else 1.0))


def _best(snapshot: DeviceSnapshot, tries: Sequence[Compiled]) -> Ranked:
    good = [c for c in tries if c.reason is None]
    if not good:
        return Ranked(snapshot, None, tries[0].reason)
    return Ranked(snapshot, max(good, key=lambda c: c.success))

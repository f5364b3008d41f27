"""The sweep of a depth report: devices by name, every circuit on each, at every level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from backends.base import BackendError
from backends.compilers.registry import OWN, checked_compiler
from backends.native.levels import LEVELS
from backends.native.routing import region_of
from calibration.catalog import list_snapshots, load_snapshot, snapshot_names
from calibration.closest import closest, quoted
from calibration.snapshot import SnapshotError
from qhw.analysis.depth.asked import check_wanted, checked_levels
from qhw.analysis.depth.jobs import Job, Limit, circuit_bytes, run_jobs, with_noise
from qhw.analysis.depth.merits import checked_merit
from qhw.analysis.depth.observed import Observed, observed
from qhw.analysis.depth.report import (
    NO_DEVICE,
    DepthReport,
    Device,
    Row,
    failed_row,
    make_report,
    make_row,
)
from qhw.analysis.depth.subjects import Subject
from qhw.analysis.depth.waiting import with_waiting
from qhw.scheduler import Scheduler

ALL = "all"


class SweepError(ValueError):
    """A sweep without a single figure; the line names the first reason."""


def sweep(
    subjects: Sequence[Subject],
    names: str,
    *,
    levels: Sequence[int] = LEVELS,
    seeds: int = 5,
    shots: int = 10_000,
    fractional: bool = False,
    cache: Path | None = None,
    scheduler: Scheduler | None = None,
    noise_scale: Callable[[str], float] | None = None,
    compilers: Sequence[str] = (),
    command: str = "",
    by: str = "success",
    error: float | None = None,
    observables: Sequence[str] = (),
    live: bool = False,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
    limit: Limit | None = None,
) -> DepthReport:
    """Compile every circuit for every device; what fails becomes a row with its reason.

    Args:
        subjects: the circuits.
        names: ``all`` (each device of the catalogue once, its newest calibration, if the smallest
            circuit fits on it), or names and ``.json`` files, separated by commas.
        levels: optimisation levels.
        seeds: how many seeds, from 0 on.
        shots: that costs are for.
        fractional: allow the gates that must be asked for.
        cache: folder of earlier compilations.
        scheduler: where circuits are compiled; in this process by default.
        noise_scale: factor on the noise of a vendor's devices; as reported by default. Places and
            seeds are chosen at the noise reported.
        command: kept in the report.
        compilers: others whose results stand as rows of their own beside the house's.
        by: figure of merit of the recommendations, see :mod:`qhw.analysis.depth.recommend`.
        error: total variation distance to exact whose shots and cost are wanted.
        observables: whose error is wanted in place of the distance.
        live: ask vendors, once all is compiled, what waits at their devices.
        done: told how many compilation jobs of how many are finished.
        limit: of time.

    Raises:
        ValueError: no circuit, no seed, no shot, an unknown level, or a compiler that is unknown or
            not installed.
        SweepError: not a single compilation succeeded.
    """
    wanted = checked_levels(levels, seeds=seeds, shots=shots)
    checked_merit(by, live=live)
    check_wanted(by, error, observables)
    makers = tuple(dict.fromkeys(map(checked_compiler, (OWN, *compilers))))
    if not subjects:
        raise ValueError("Argument `subjects` must hold a circuit, but is empty.")
    wanted_of = {s.name: _observed(s, observables) for s in subjects if observables}
    usable = [s for s in subjects if s.circuit is not None]
    devices, left_out = _devices(names, usable)
    tries = tuple(range(seeds))
    rows: list[Row] = []
    places: list[tuple[Subject, Device, int]] = []
    jobs: list[Job] = []
    for subject in subjects:
        if (circuit := subject.compiled_from) is None:
            rows.append(failed_row(subject, NO_DEVICE, subject.reason or "no circuit"))
            continue
        raw = circuit_bytes(circuit)
        for device in devices:
            if device.snapshot is None:
                rows.append(failed_row(subject, device.reference, device.reason or "no snapshot"))
                continue
            for level in wanted:
                for compiler in makers:
                    job = Job(raw, device.snapshot, level, tries, fractional, subject.values)
                    jobs.append(replace(job, compiler=compiler))
                    places.append((subject, device, level))
    if not jobs:
        raise _nothing(rows)
    results = run_jobs(jobs, cache=cache, scheduler=scheduler, done=done, limit=limit)
    for (subject, device, level), found, job in zip(places, results, jobs, strict=True):
        if noise_scale is not None and device.snapshot is not None:
            factor = noise_scale(device.snapshot.vendor)
            found = tuple(with_noise(one, factor) for one in found)
        values = wanted_of.get(subject.name)
        row = make_row(subject, device, level, found, shots, error, values)
        rows.append(row.model_copy(update={"compiler": job.compiler}))
    if all(row.reason is not None for row in rows):
        raise _nothing(rows)
    if live:
        rows = with_waiting(rows)
    return make_report(
        subjects,
        rows,
        shots=shots,
        levels=wanted,
        seeds=tries,
        devices=len(devices),
        left_out=left_out,
        fractional=fractional,
        command=command,
        by=by,
        error=error,
        observables=observables,
    )


def _observed(subject: Subject, texts: Sequence[str]) -> tuple[Observed, ...]:
    if subject.circuit is None:
        return ()
    try:
        return observed(subject.circuit, texts)
    except ValueError as wrong:
        raise ValueError(f"{subject.name}: {wrong}") from wrong


def _nothing(rows: Sequence[Row]) -> SweepError:
    first = rows[0].reason if rows else "no device is large enough"
    return SweepError(f"Nothing could be compiled: {first}")


def _devices(names: str, subjects: Sequence[Subject]) -> tuple[list[Device], str]:
    """Devices of the sweep, and a line on those that ``all`` left out."""
    if names.strip() != ALL:
        return [_device(n.strip()) for n in names.split(",") if n.strip()], ""
    least = min((s.circuit.num_qubits for s in subjects if s.circuit is not None), default=1)
    newest = {row.reference.partition("@")[0]: row.reference for row in list_snapshots()}
    found, small, unusable = [], 0, 0
    for reference in newest.values():
        device = _device(reference)
        connected = _connected(device)
        if connected >= least:
            found.append(device)
        elif device.snapshot is None or device.snapshot.n_qubits >= least:
            unusable += 1
        else:
            small += 1
    left_out = (
        f"{len(found)} of {len(newest)} devices; left out: {small} with fewer than {least} qubits, "
        f"{unusable} without as many connected usable ones"
    )
    return found, left_out


def _device(name: str) -> Device:
    if not name.endswith(".json") and not name.startswith("fake_") and name not in snapshot_names():
        near = closest(name, snapshot_names(), "qhw devices")
        return Device(name, None, f"no device or .json file is called {quoted(name)} ({near})")
    try:
        snapshot = load_snapshot(name)
    except (SnapshotError, OSError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())
        return Device(name, None, said if name in said else f"{name}: {said}")
    return Device(name, snapshot)


def _connected(device: Device) -> int:
    """Qubits of the largest connected usable part, 0 where nothing can be compiled."""
    if device.snapshot is None:
        return 0
    try:
        return len(region_of(device.snapshot).qubits)
    except (BackendError, ValueError):
        return 0

"""Devices by name, from a calibration, or from a Qiskit backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from qiskit.providers import BackendV2

from backends.base import Backend
from backends.engine.backend import EngineBackend
from backends.registry import get_backend, is_vendor
from calibration.catalog import CatalogRow, list_snapshots, load_snapshot
from calibration.readers.ibm import read_ibm_backend
from calibration.readers.target import read_target
from calibration.snapshot import DeviceSnapshot
from qhw.jobs.money import parse_money

DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class Device:
    """Where circuits run: a simulator, a device model, or a device that takes jobs.

    Attributes:
        name: as in reports, for example ``engine:ibm_fez``.
        backend: what runs; ``None`` for a device that takes jobs, which is reached through the
            ledger only.
        budget: the most a run on it may cost, such as ``"30usd"``; ``None`` for the configured
            caps alone.
        project: whose cap runs count against.
    """

    name: str
    backend: Backend | None = field(repr=False)
    budget: str | None = None
    project: str = DEFAULT_PROJECT

    @property
    def takes_jobs(self) -> bool:
        """Whether runs go through the ledger: what costs money, and the rehearsals of that."""
        return self.backend is None

    @property
    def snapshot(self) -> DeviceSnapshot | None:
        """Calibration of a device model; ``None`` of an ideal one, and of one that takes jobs,
        whose calibration is asked for when a circuit is compiled."""
        return None if self.backend is None else self.backend.snapshot


DeviceLike: TypeAlias = str | Path | DeviceSnapshot | BackendV2 | Backend | Device
"""What :func:`device` takes."""


def device(
    what: DeviceLike,
    *,
    budget: str | None = None,
    project: str = DEFAULT_PROJECT,
) -> Device:
    """A device to run on.

    Args:
        what: a name (``exact``; ``engine:ibm_fez`` and ``aer:ibm_fez``, simulators of a device
            model; ``emulator:ibm_fez``, the same behind the ledger; ``ibm:ibm_fez`` and
            ``braket:iqm_garnet``, devices that cost money; ``mine:thing``, what a package or
            :func:`qhw.register` offers as ``mine``), the path of a calibration file, a
            calibration, a Qiskit backend (by its properties, else by its
            target), or any backend of the house.
        budget: the most that a run on it may cost, such as ``"30usd"``.
        project: whose cap runs count against.

    Raises:
        UnknownBackendError: no such device; the line names the closest.
        SnapshotError: a calibration that cannot be read.
        ValueError: a budget that is no amount of money, or one for a device that costs nothing.

    Example:
        >>> device("engine:ibm_fez")
        Device(name='engine:ibm_fez', budget=None, project='default')
    """
    if isinstance(what, Device):
        return what
    if budget is not None:
        parse_money(budget)
    if isinstance(what, str) and is_vendor(what):
        return Device(what, None, budget, project)
    if budget is not None:
        raise ValueError(
            f"Argument `budget` must be left out for {what}, which costs nothing, but is {budget!r}"
        )
    backend = _simulator(what)
    return Device(backend.name, backend, None, project)


def devices(word: str = "") -> tuple[CatalogRow, ...]:
    """Every device model at hand: age of its calibration, qubits, median errors, price.

    Args:
        word: only names that contain this.

    Example:
        >>> [row.n_qubits for row in devices("ibm_fez")]
        [156]
    """
    return tuple(row for row in list_snapshots() if word in row.reference)


def _simulator(what: str | Path | DeviceSnapshot | BackendV2 | Backend) -> Backend:
    if isinstance(what, DeviceSnapshot):
        return EngineBackend(what)
    if isinstance(what, Path) or (isinstance(what, str) and _is_file(what)):
        return EngineBackend(load_snapshot(Path(what)))
    if isinstance(what, str):
        return get_backend(what)
    if isinstance(what, BackendV2):
        return EngineBackend(_calibration(what))
    if isinstance(what, Backend):
        return what
    raise TypeError(
        "Argument `what` must be a device's name, a calibration or its file, or a backend, but is "
        f"{type(what).__name__}"
    )


def _calibration(backend: BackendV2) -> DeviceSnapshot:
    properties = getattr(backend, "properties", None)
    if properties is not None and properties() is not None:
        return read_ibm_backend(backend)
    return read_target(backend)


def _is_file(name: str) -> bool:
    return name.endswith(".json") and ":" not in name

"""Every calibration snapshot at hand: shipped with the house, inside qiskit-ibm-runtime, or a file.

Names are ``ibm_boston`` (IBM's own), ``iqm_garnet`` (the newest shipped), ``iqm_garnet@2025-07-06``
(that date), ``quantinuum_helios`` (from published figures), or the path of a ``.json`` file in our
format or of Braket ``deviceCapabilities``.
"""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from calibration import published
from calibration.closest import closest, quoted
from calibration.documents import read_bounded
from calibration.readers.braket import braket_snapshot
from calibration.readers.ibm import available_ibm, made_up_ibm, read_ibm_fake
from calibration.snapshot import DeviceSnapshot, SnapshotError


@dataclass(frozen=True)
class CatalogRow:
    """One snapshot in a listing; errors are medians, ``None`` where nothing usable is reported.

    Attributes:
        reference: name that :func:`load_snapshot` takes.
        vendor: vendor.
        processor: vendor's processor name.
        taken: time of calibration (UTC).
        n_qubits: number of qubits.
        usable_couplings: pairs with a usable two-qubit gate.
        two_qubit_error: median over usable couplings.
        one_qubit_error: median over native, physical one-qubit gates.
        readout_error: median of the mean of both directions.
        t1_s: median T1, seconds.
        t2_s: median T2, seconds.
        usd_per_shot: price of a shot, ``None`` when not known.
        price_as_of: date of that price.
        corrections: number of values clamped, masked or missing.
        made_up: why no machine stands behind it; ``None`` for a calibration of one.
    """

    reference: str
    vendor: str
    processor: str
    taken: datetime
    n_qubits: int
    usable_couplings: int
    two_qubit_error: float | None
    one_qubit_error: float | None
    readout_error: float | None
    t1_s: float | None
    t2_s: float | None
    usd_per_shot: float | None
    price_as_of: date | None
    corrections: int
    made_up: str | None

    def age(self, now: datetime | None = None) -> timedelta:
        """Time since calibration."""
        return (now or datetime.now(UTC)) - self.taken


def snapshot_names() -> tuple[str, ...]:
    """All names :func:`load_snapshot` knows, sorted, without opening anything."""
    return tuple(sorted({*available_ibm(), *published.DEVICES, *_shipped(), *_newest()}))


def load_snapshot(name: str | Path, *, machine: bool = False) -> DeviceSnapshot:
    """Open a snapshot by name or file.

    Args:
        name: see this module's docstring; ``fake_boston`` means ``ibm_boston``.
        machine: refuse, and do not list, what is made up.

    Raises:
        SnapshotError: no such name (the line has the closest), or a file that cannot be read.
    """
    found = _by_name(name, machine)
    if machine and found.made_up is not None:
        raise SnapshotError(
            f"Argument `name` must be a machine's, but {found.name} is made up: {found.made_up}."
        )
    return found


def _by_name(name: str | Path, machine: bool) -> DeviceSnapshot:
    if isinstance(name, Path) or name.endswith(".json"):
        return _read_file(Path(name))
    known = f"ibm_{name.removeprefix('fake_')}" if name.startswith("fake_") else name
    if known in snapshot_names():
        return _open(known)
    listed = [n for n in snapshot_names() if not machine or n not in made_up_ibm()]
    raise SnapshotError(
        f"Argument `name` must be a device or a .json file, but is {quoted(name)} "
        f"({closest(known, listed, 'qhw devices')})."
    )


def list_snapshots() -> tuple[CatalogRow, ...]:
    """Every snapshot, each date of a device its own row, sorted by name (half a second)."""
    names = sorted({*available_ibm(), *published.DEVICES, *_shipped()})
    collecting = gc.isenabled()
    gc.disable()  # it finds nothing among a million parsed numbers, and takes a quarter of the time
    try:
        return tuple(map(_row, names))
    finally:
        if collecting:
            gc.enable()


@lru_cache(maxsize=16)
def _open(name: str) -> DeviceSnapshot:
    if name in available_ibm():
        return read_ibm_fake(name)
    if name in published.DEVICES:
        return published.DEVICES[name].snapshot()
    file = f"{_newest().get(name, name)}.json"
    text = files("calibration").joinpath("snapshots", file).read_text(encoding="utf-8")
    return DeviceSnapshot.from_json(text, where=file)


def _row(name: str) -> CatalogRow:
    device = _open(name)
    return CatalogRow(
        reference=name,
        vendor=device.vendor,
        processor=device.processor,
        taken=device.taken,
        n_qubits=device.n_qubits,
        usable_couplings=len(device.usable_couplings),
        two_qubit_error=device.median_two_qubit_error(),
        one_qubit_error=device.median_one_qubit_error(),
        readout_error=device.median_readout_error(),
        t1_s=device.median_qubit(lambda q: q.t1_s),
        t2_s=device.median_qubit(lambda q: q.t2_s),
        usd_per_shot=device.price.usd_per_shot if device.price else None,
        price_as_of=device.price.as_of if device.price else None,
        corrections=len(device.corrections),
        made_up=device.made_up,
    )


def _shipped() -> tuple[str, ...]:
    """Dated names of the snapshots in our own format, oldest first for each device."""
    folder = files("calibration").joinpath("snapshots")
    found = (entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    return tuple(sorted(file.removesuffix(".json") for file in found))


def _newest() -> dict[str, str]:
    return {name.partition("@")[0]: name for name in _shipped()}


def _read_file(path: Path) -> DeviceSnapshot:
    try:
        text = read_bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{path} cannot be read: {error}") from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{path} must be JSON, but: {error}") from error
    if isinstance(data, dict) and "schema_version" in data:
        return DeviceSnapshot.from_json(text, where=str(path))
    return braket_snapshot(text, file=str(path))

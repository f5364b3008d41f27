"""Backends by name. A new one is one module and one line in ``_MAKERS``.

What is asked of a device beside its name follows a plus: ``ibm:ibm_boston+fractional`` uses IBM's
``rzz`` and ``rx`` where they are calibrated, ``braket:ionq_forte_enterprise+debias`` IonQ's
debiasing. It is part of the name, so that a run taken up again asks the same.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from backends.aer import AerBackend
from backends.base import DistributionBackend, UnknownBackendError
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.vendor import VendorBackend
from calibration.catalog import load_snapshot, snapshot_names
from calibration.snapshot import DeviceSnapshot, SnapshotError

FRACTIONAL, DEBIAS = "fractional", "debias"


def _aer(device: str) -> DistributionBackend:
    device, fractional = _asked(device, FRACTIONAL)
    return AerBackend(_offering(load_snapshot(device), fractional), fractional=fractional)


def _engine(device: str) -> DistributionBackend:
    device, fractional = _asked(device, FRACTIONAL)
    return EngineBackend(_offering(load_snapshot(device), fractional), fractional=fractional)


def _offering(snapshot: DeviceSnapshot, fractional: bool) -> DeviceSnapshot:
    if fractional and not snapshot.optional_gates:
        raise UnknownBackendError(
            f"Argument `name` must ask for {FRACTIONAL} gates where a device has some, but "
            f"{snapshot.name} has none."
        )
    return snapshot


def _asked(device: str, option: str) -> tuple[str, bool]:
    """The device without the option, and whether it was there."""
    plain = device.removesuffix(f"+{option}")
    return plain, plain != device


_MAKERS: dict[str, Callable[[str], DistributionBackend]] = {
    "exact": lambda _: ExactBackend(),
    "aer": _aer,
    "engine": _engine,
}
"""Maker of each prefix; it is given what follows the colon."""

_DEVICES: dict[str, Callable[[], tuple[str, ...]]] = {
    "aer": snapshot_names,
    "engine": snapshot_names,
}
"""Prefixes that need a device, and the devices they know."""


_NEEDS_BRAKET = "Braket devices need Amazon's packages ({} is missing): pip install 'qhw[braket]'."


def _ibm(device: str) -> VendorBackend:
    from backends.ibm import IBMBackend
    from backends.ibm_program import IBMOptions

    device, fractional = _asked(device, FRACTIONAL)
    return IBMBackend(device, options=IBMOptions(fractional=fractional))


def _braket(device: str) -> VendorBackend:
    try:
        from backends.braket import BraketBackend
    except ModuleNotFoundError as error:
        raise UnknownBackendError(_NEEDS_BRAKET.format(error.name)) from error
    device, debias = _asked(device, DEBIAS)
    return BraketBackend(device, debias=debias)


def _emulator(device: str) -> VendorBackend:
    device, fractional = _asked(device, FRACTIONAL)
    try:
        snapshot = _offering(load_snapshot(device, machine=True), fractional)
    except SnapshotError as error:
        raise UnknownBackendError(f"Argument `name` must name a snapshot, but: {error}") from error
    if snapshot.vendor == "ibm":
        from backends.ibm_emulator import IBMEmulator
        from backends.ibm_program import IBMOptions

        return IBMEmulator(snapshot, options=IBMOptions(fractional=fractional))
    try:
        from backends.braket_emulator import BraketEmulator
    except ModuleNotFoundError as error:
        raise UnknownBackendError(_NEEDS_BRAKET.format(error.name)) from error
    return BraketEmulator(snapshot)


_VENDORS: dict[str, Callable[[str], VendorBackend]] = {
    "ibm": _ibm,
    "braket": _braket,
    "emulator": _emulator,
}
"""Maker of each paid prefix (and of its rehearsal); it is given what follows the colon.

A maker imports its own module when it is called: the vendors' clients take seconds to load.
"""


def backend_names() -> tuple[str, ...]:
    """Every full name that :func:`get_backend` takes, sorted by prefix as registered."""
    return tuple(
        name
        for prefix in _MAKERS
        for name in (
            [f"{prefix}:{device}" for device in _DEVICES[prefix]()]
            if prefix in _DEVICES
            else [prefix]
        )
    )


def get_backend(name: str) -> DistributionBackend:
    """The backend of a name such as ``exact``, ``aer:ibm_boston`` or ``aer:my_snapshot.json``.

    Raises:
        UnknownBackendError: no such backend or device (the line lists what exists, closest
            first), or a snapshot file that cannot be read.
    """
    prefix, _, device = name.partition(":")
    if is_vendor(name):
        raise UnknownBackendError(
            f"Argument `name` must be a simulator here, but {name!r} takes jobs: `qhw estimate` "
            f"prices them, `qhw run` and `qhw submit` send them."
        )
    if prefix not in _MAKERS or (prefix in _DEVICES) != bool(device):
        raise UnknownBackendError(_unknown(name))
    plain = _asked(device, FRACTIONAL)[0]
    if prefix in _DEVICES and plain not in _DEVICES[prefix]() and not _opens_file(plain):
        raise UnknownBackendError(_unknown(name))
    try:
        return _MAKERS[prefix](device)
    except SnapshotError as error:
        raise UnknownBackendError(f"Argument `name` is {name!r}, but: {error}") from error


def is_vendor(name: str) -> bool:
    """Whether a name's prefix is one :func:`get_vendor` knows; nothing is contacted."""
    return name.partition(":")[0] in _VENDORS


def get_vendor(name: str) -> VendorBackend:
    """The paid backend of a name such as ``ibm:ibm_fez`` or ``braket:iqm_garnet``.

    Raises:
        UnknownBackendError: no such prefix, or no device named; the line lists the prefixes.
        VendorError: no credentials, no such device, or the vendor cannot be reached.
    """
    prefix, _, device = name.partition(":")
    if prefix not in _VENDORS or not device:
        kinds = ", ".join(f"{known}:<device>" for known in _VENDORS) or "none installed"
        raise UnknownBackendError(
            f"Argument `name` must be a backend that takes jobs ({kinds}), but is {name!r}."
        )
    return _VENDORS[prefix](device)


def _opens_file(device: str) -> bool:
    return device.endswith(".json") or device.startswith("fake_")


def _unknown(name: str) -> str:
    known = backend_names()
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    first = f"closest: {', '.join(close)}; " if close else ""
    plain = [prefix for prefix in _MAKERS if prefix not in _DEVICES]
    listed = [f"{p}:<device> with {', '.join(devices())}" for p, devices in _DEVICES.items()]
    return (
        f"Argument `name` must be a backend, but is {name!r} "
        f"({first}all: {'; '.join([*plain, *listed])})."
    )

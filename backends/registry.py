"""Backends by name. A new one is one module and one line in ``BACKENDS``, or an entry point.

What is asked of a device beside its name follows a plus: ``ibm:ibm_boston+fractional`` uses IBM's
``rzz`` and ``rx`` where they are calibrated, ``braket:ionq_forte_enterprise+debias`` IonQ's
debiasing, ``engine:ibm_fez+noise=2`` twice the noise reported. It is part of
the name, so that a run taken up again asks the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backends.errors import UnknownBackendError
from calibration.closest import closest, quoted
from calibration.plugins import PluginError, Table

if TYPE_CHECKING:
    from backends.base import Backend
    from backends.vendor import VendorBackend

FRACTIONAL, DEBIAS = "fractional", "debias"
_NOISE = re.compile(r"\+noise=(?P<factor>\d{1,6}(\.\d{1,12})?)$")

BACKENDS = Table(
    "backends",
    "backend",
    {
        "exact": "backends.makers:exact",
        "aer": "backends.makers:aer",
        "engine": "backends.makers:engine",
        "ibm": "backends.makers:ibm",
        "braket": "backends.makers:braket",
        "emulator": "backends.makers:emulator",
    },
    command="qhw devices",
    grammar=r"[a-z0-9][a-z0-9_-]*",
)
"""Maker of each prefix; it is given what follows the colon, empty where there is none."""

_VENDORS = ("ibm", "braket", "emulator")
"""Prefixes of backends that take jobs: they are reached through the ledger only."""
_MODELS = ("aer", "engine")
"""Prefixes of simulators of device models, which take any calibration."""


def backend_names() -> tuple[str, ...]:
    """Every full name that :func:`get_backend` takes, sorted by prefix as registered; of a
    package's backend, which alone knows its devices, the prefix."""
    from calibration.catalog import snapshot_names

    return tuple(
        name
        for prefix in BACKENDS.names()
        if prefix not in _VENDORS
        for name in (
            [f"{prefix}:{device}" for device in snapshot_names()] if prefix in _MODELS else [prefix]
        )
    )


def get_backend(name: str) -> Backend:
    """The backend of a name such as ``exact``, ``aer:ibm_boston`` or ``aer:my_snapshot.json``.

    Raises:
        UnknownBackendError: no such backend or device (the line names the closest), a snapshot
            file that cannot be read, or a package's backend that cannot be used.
    """
    from calibration.snapshot import SnapshotError

    check_simulator(name)
    prefix, _, device = name.partition(":")
    try:
        maker = BACKENDS.get(prefix)
        return _checked(prefix, BACKENDS.call(prefix, maker, device))
    except SnapshotError as error:
        raise UnknownBackendError(f"Argument `name` is {quoted(name)}, but: {error}") from error
    except PluginError as error:
        raise UnknownBackendError(str(error)) from error


def check_simulator(name: str) -> None:
    """Refuse what no simulator can be called; nothing heavy is loaded.

    Raises:
        UnknownBackendError: as :func:`get_backend`, of a name alone.
    """
    prefix, colon, device = name.partition(":")
    if is_vendor(name):
        raise UnknownBackendError(
            f"Argument `name` must be a simulator here, but {name!r} takes jobs: `qhw estimate` "
            f"prices them, `qhw run` and `qhw submit` send them."
        )
    if prefix not in BACKENDS or not _may_be(prefix, device, bool(colon)):
        known = backend_names()
        if prefix not in BACKENDS and device:
            known += tuple(f"{vendor}:{device}" for vendor in _VENDORS)
        raise UnknownBackendError(
            f"Argument `name` must be a backend, but is {quoted(name)} "
            f"({closest(name, known, BACKENDS.command)})."
        )


def is_vendor(name: str) -> bool:
    """Whether a name's prefix is one :func:`get_vendor` knows; nothing is contacted."""
    return name.partition(":")[0] in _VENDORS


def get_vendor(name: str) -> VendorBackend:
    """The paid backend of a name such as ``ibm:ibm_fez`` or ``braket:iqm_garnet``.

    Raises:
        UnknownBackendError: no such prefix, or no device named; the line lists the prefixes.
        VendorError: no credentials, no such device, or the vendor cannot be reached.
    """
    check_vendor(name)
    prefix, _, device = name.partition(":")
    try:
        backend: VendorBackend = BACKENDS.get(prefix)(device)
    except PluginError as error:
        raise UnknownBackendError(str(error)) from error
    return backend


def sold_as(device: str, vendor: str) -> str | None:
    """The backend that sends jobs to a device of a snapshot; ``None`` where none of ours does.

    Args:
        device: name of the snapshot, without its date.
        vendor: that the snapshot names.
    """
    from backends.braket.devices import ARNS

    if vendor == "ibm":
        return f"ibm:{device}"
    return f"braket:{device}" if device in ARNS else None


def check_vendor(name: str) -> None:
    """Refuse what no device that takes jobs can be called; nothing heavy is loaded.

    Raises:
        UnknownBackendError: no such prefix, or no device named; the line lists the prefixes.
    """
    prefix, _, device = name.partition(":")
    if prefix not in _VENDORS or not device:
        kinds = ", ".join(f"{known}:<device>" for known in _VENDORS)
        raise UnknownBackendError(
            f"Argument `name` must be a backend that takes jobs ({kinds}), but is {quoted(name)}."
        )


def check_name(name: str, *, simulators: bool = True, vendors: bool = True) -> None:
    """Refuse what cannot be the name of a backend that is served; nothing heavy is loaded.

    Args:
        name: as given.
        simulators: whether they are served.
        vendors: whether devices that take jobs are.

    Raises:
        UnknownBackendError: as :func:`get_backend` or :func:`get_vendor`, of a name alone.
    """
    if vendors and (is_vendor(name) or not simulators):
        check_vendor(name)
    else:
        check_simulator(name)


def asked(device: str, option: str) -> tuple[str, bool]:
    """A device without what is asked of it, and whether that was there."""
    plain = device.removesuffix(f"+{option}")
    return plain, plain != device


def asked_noise(device: str) -> tuple[str, float]:
    """A device model without its factor on the noise, and that factor (1 where none is asked)."""
    found = _NOISE.search(device)
    return (device, 1.0) if found is None else (device[: found.start()], float(found["factor"]))


def noise_suffix(factor: float) -> str:
    """What a device model's name ends with for a factor on its noise, read by ``asked_noise``."""
    digits = f"{factor:.6f}".rstrip("0").rstrip(".")
    return f"+noise={digits}"


def _may_be(prefix: str, device: str, colon: bool) -> bool:
    """Whether the house's prefix can have such a device; a package's maker judges itself."""
    from calibration.catalog import snapshot_names

    if prefix in _MODELS:
        plain = asked(asked_noise(device)[0], FRACTIONAL)[0]
        return plain in snapshot_names() or plain.endswith(".json") or plain.startswith("fake_")
    return not colon if BACKENDS.is_own(prefix) else colon == bool(device)


def _checked(prefix: str, made: object) -> Backend:
    """A backend that speaks the protocol, and is named so that its name leads back to it."""
    from backends.base import Backend

    if not isinstance(made, Backend):
        fault = f"it must make a backends.base.Backend, but made a {type(made).__name__}"
    elif made.name.partition(":")[0] != prefix:
        fault = f"its backends must be named {prefix}:<device>, but one is {quoted(made.name)}"
    else:
        return made
    refused: Backend = BACKENDS.refuse(prefix, fault)
    return refused

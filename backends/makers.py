"""What makes each backend of the house from what follows the colon of its name.

A maker of a vendor's imports its module when it is called: the clients take seconds to load.
"""

from __future__ import annotations

from backends.aer import AerBackend
from backends.base import DistributionBackend, UnknownBackendError
from backends.engine.backend import EngineBackend
from backends.exact import ExactBackend
from backends.registry import DEBIAS, FRACTIONAL, asked, asked_noise
from backends.vendor import VendorBackend
from calibration.catalog import load_snapshot
from calibration.snapshot import DeviceSnapshot, SnapshotError

_NEEDS_BRAKET = "Braket devices need Amazon's packages ({} is missing): pip install 'qhw[braket]'."


def exact(_: str) -> DistributionBackend:
    """No noise, finite shots."""
    return ExactBackend()


def aer(device: str) -> DistributionBackend:
    """Aer's simulation of a device model."""
    device, scale = asked_noise(device)
    device, fractional = asked(device, FRACTIONAL)
    snapshot = _offering(load_snapshot(device), fractional)
    return AerBackend(snapshot, fractional=fractional, scale=scale)


def engine(device: str) -> DistributionBackend:
    """The house's simulation of a device model."""
    device, scale = asked_noise(device)
    device, fractional = asked(device, FRACTIONAL)
    snapshot = _offering(load_snapshot(device), fractional)
    return EngineBackend(snapshot, fractional=fractional, scale=scale)


def _offering(snapshot: DeviceSnapshot, fractional: bool) -> DeviceSnapshot:
    if fractional and not snapshot.optional_gates:
        raise UnknownBackendError(
            f"Argument `name` must ask for {FRACTIONAL} gates where a device has some, but "
            f"{snapshot.name} has none."
        )
    return snapshot


def ibm(device: str) -> VendorBackend:
    """IBM's own."""
    from backends.ibm.backend import IBMBackend
    from backends.ibm.program import IBMOptions

    device, fractional = asked(device, FRACTIONAL)
    return IBMBackend(device, options=IBMOptions(fractional=fractional))


def braket(device: str) -> VendorBackend:
    """Amazon's."""
    try:
        from backends.braket.backend import BraketBackend
    except ModuleNotFoundError as error:
        raise UnknownBackendError(_NEEDS_BRAKET.format(error.name)) from error
    device, debias = asked(device, DEBIAS)
    return BraketBackend(device, debias=debias)


def emulator(device: str) -> VendorBackend:
    """A device model behind the vendor's own client."""
    device, fractional = asked(device, FRACTIONAL)
    try:
        snapshot = _offering(load_snapshot(device, machine=True), fractional)
    except SnapshotError as error:
        raise UnknownBackendError(f"Argument `name` must name a snapshot, but: {error}") from error
    if snapshot.vendor == "ibm":
        from backends.ibm.emulator import IBMEmulator
        from backends.ibm.program import IBMOptions

        return IBMEmulator(snapshot, options=IBMOptions(fractional=fractional))
    try:
        from backends.braket.emulator import BraketEmulator
    except ModuleNotFoundError as error:
        raise UnknownBackendError(_NEEDS_BRAKET.format(error.name)) from error
    return BraketEmulator(snapshot)

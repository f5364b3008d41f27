"""What ``--noise-scale`` asks for: a factor on a device model's noise, or what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.registry import asked_noise, is_vendor, noise_suffix
from calibration.catalog import load_snapshot
from qhw.analysis.validate.interval import NOTHING_PUBLIC, noise_factors

MEASURED = "measured"
_DIGITS = 3


def noise_scales(text: str, vendor: str | None) -> tuple[float, ...]:
    """Factors on the noise of a vendor's device model.

    Args:
        text: a number, or ``measured`` for the low and the high end of what public results say.
        vendor: whose model it is.

    Raises:
        ValueError: neither, or no public result to judge the vendor's models by.
    """
    if text.strip() == MEASURED:
        found = noise_factors(vendor)
        if found is None:
            raise ValueError(
                f"Argument `noise_scale` must be a number for devices of {vendor or 'no vendor'}: "
                f"{NOTHING_PUBLIC}."
            )
        return round(found.low, _DIGITS), round(found.high, _DIGITS)
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and 0 <= factor <= 1000):
        raise ValueError(
            f"Argument `noise_scale` must be a number from 0 to 1000, or {MEASURED}, "
            f"but is {text!r}."
        )
    return (factor,)


@dataclass(frozen=True)
class VendorScale:
    """A factor on the noise of every vendor's devices.

    Attributes:
        text: a number, or ``measured``.
        end: of what was measured, 0 low and 1 high.
    """

    text: str
    end: int = 0

    def __call__(self, vendor: str) -> float:
        """The factor of a vendor; 1 where nothing public says what was measured."""
        if self.text == MEASURED and noise_factors(vendor) is None:
            return 1.0
        return noise_scales(self.text, vendor)[self.end]

    @property
    def words(self) -> str:
        """What was done to the noise."""
        if self.text != MEASURED:
            return f"noise {self.text} times as reported"
        return (
            f"noise at the {('low', 'high')[self.end]} end of what was measured on the vendor's "
            f"devices; as reported where there is {NOTHING_PUBLIC}"
        )


def vendor_scales(text: str) -> tuple[VendorScale, ...]:
    """One factor for all vendors, or the two ends of what was measured.

    Raises:
        ValueError: as :func:`noise_scales`.
    """
    if text.strip() == MEASURED:
        return VendorScale(MEASURED, 0), VendorScale(MEASURED, 1)
    noise_scales(text, None)
    return (VendorScale(text),)


def scaled_devices(device: str, text: str | None, *, models_only: bool = True) -> tuple[str, ...]:
    """Names of a device model with its noise scaled: one, or two for ``measured``.

    Args:
        device: backend name.
        text: of the option; ``None`` for the device as it is.
        models_only: refuse devices that take jobs, whose noise is what it is.

    Raises:
        ValueError: as :func:`noise_scales`, or a backend whose noise cannot be scaled.
    """
    if text is None:
        return (device,)
    prefix, _, rest = device.partition(":")
    simulated = prefix in ("aer", "engine") or (is_vendor(device) and not models_only)
    if not simulated or not rest or asked_noise(rest)[1] != 1.0:
        raise ValueError(
            "Argument `noise_scale` must come with aer:<device> or engine:<device>, "
            f"but the device is {device}."
        )
    vendor = load_snapshot(rest.partition("+")[0]).vendor
    scales = noise_scales(text, vendor)
    return tuple(device if s == 1.0 else f"{device}{noise_suffix(s)}" for s in scales)

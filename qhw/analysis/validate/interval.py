"""What real devices made of a model's predictions before, as an interval beside the next one.

A result's noise factor ``f`` is ``ln`` of the measured over ``ln`` of the predicted signal, signal
being 1 for the exact answer and 0 for a random one: ``measured = predicted ** f``. The interval
is the shortest one of ``ln f`` that holds the stated share of a vendor's public results, widened to
what leaves that share of results on *left-out devices* inside (a split by device: machines differ
more than runs do).

Source: Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018), section 2.2, conformal prediction of
regression residuals.

The public interface::

    interval_for(vendor, predicted_success)  -> Interval | None   # success, signal
    interval_of_distance(vendor, tvd, spread) -> Interval | None  # TVD to exact, simulated
    distance_interval_of_success(vendor, success, spread)         # TVD to exact, by success
    noise_factors(vendor)                    -> NoiseFactors | None
    judged_as(snapshot)                      -> str               # the ``vendor`` of all of these
    words(interval)                          -> "on real IBM devices 0.27 to 0.67 (80 %, N = 108)"
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from calibration.fitted import is_fitted
from calibration.parts import Frozen
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.validate.probed import probed_results
from qhw.analysis.validate.records import Results, shipped_results

LEVEL = 0.8
"""Of every interval."""
HELD = 0.84
"""Share of the known results that the shortest interval holds: of results on a device left out
about :data:`LEVEL` are then inside (78 % for IBM; with 0.80 it would be 76 %)."""
FEWEST = 10
"""Usable results from which on a vendor has an interval."""
_FITTED = " fitted"
"""After a vendor: of its models after a fit to probes."""
NOTHING_PUBLIC = "no public result to judge by"
DEEP = 100
"""Two-qubit gates from which on waiting, which a model without gate times leaves out, matters."""


class Interval(Frozen):
    """Where a real device's value lies, by public results.

    Attributes:
        low: lower end.
        high: upper end.
        level: share of results expected inside.
        n: usable public results behind it.
        devices: machines they come from.
        vendor: whose they are, as the vendor writes itself.
    """

    low: float
    high: float
    level: float
    n: int
    devices: int
    vendor: str


@dataclass(frozen=True)
class NoiseFactors:
    """A vendor's interval of the noise factor.

    Attributes:
        vendor: as the vendor writes itself.
        low: lower end; below 1 is less noise than predicted.
        median: of the results.
        high: upper end.
        n: usable results.
        devices: machines.
    """

    vendor: str
    low: float
    median: float
    high: float
    n: int
    devices: int


def interval_for(vendor: str | None, predicted_success: float | None) -> Interval | None:
    """Interval of a real device's success (or signal) where a model predicts one.

    Args:
        vendor: of the device, as in a snapshot; any case.
        predicted_success: probability that nothing goes wrong, or a signal, 0 to 1.

    Returns:
        ``None`` where no public result judges the vendor's models, or nothing is predicted.

    Raises:
        ValueError: not between 0 and 1.
    """
    if predicted_success is None:
        return None
    if not 0 <= predicted_success <= 1:
        raise ValueError(
            f"Argument `predicted_success` must be between 0 and 1, but is {predicted_success}."
        )
    found = noise_factors(vendor)
    if found is None:
        return None
    return interval_of(found, predicted_success**found.high, predicted_success**found.low)


def interval_of_distance(
    vendor: str | None, tvd: float | None, spread: float | None
) -> Interval | None:
    """Interval of a real device's total variation distance to exact.

    Args:
        vendor: as :func:`interval_for`.
        tvd: predicted distance.
        spread: distance of the uniform distribution to exact, where a signal is gone.

    Returns:
        ``None`` as :func:`interval_for`; also where the uniform distribution is exact, or no
        better than predicted.
    """
    found = noise_factors(vendor)
    if found is None or tvd is None or spread is None or not 0 <= tvd < spread:
        return None
    ends = [distance_with(factor, tvd, spread) for factor in (found.low, found.high)]
    return interval_of(found, *ends)


def distance_interval_of_success(
    vendor: str | None, predicted_success: float | None, spread: float | None
) -> Interval | None:
    """Interval of the distance ``(1 - success) spread`` that a predicted success stands for."""
    found = interval_for(vendor, predicted_success)
    if found is None or spread is None:
        return None
    ends = {"low": (1 - found.high) * spread, "high": (1 - found.low) * spread}
    return found.model_copy(update=ends)


def distance_with(factor: float, tvd: float, spread: float) -> float:
    """Distance to exact where noise is ``factor`` times what gives ``tvd``."""
    left: float = (1 - tvd / spread) ** factor
    return spread * (1 - left)


def judged_as(snapshot: DeviceSnapshot) -> str:
    """By which results a device model is judged: its vendor's, or those of models fitted to counts.

    A fitted model stands for one device on one day, so real devices lie closer to it.
    """
    return snapshot.vendor + (_FITTED if is_fitted(snapshot) else "")


def noise_factors(vendor: str | None) -> NoiseFactors | None:
    """Noise factors of a vendor's devices by the shipped results; ``None`` for too few of them."""
    return _by_vendor().get((vendor or "").lower())


def factors_of(values: Sequence[float], held: float = HELD) -> tuple[float, float]:
    """Ends of the shortest interval (in ``ln``) that holds a share of noise factors.

    Args:
        values: noise factors, above 0.
        held: share, of one more than there are.
    """
    logs = np.sort(np.log(values))
    n = len(logs)
    k = min(n, math.ceil(held * (n + 1)))
    widths = logs[k - 1 :] - logs[: n - k + 1]
    at = int(np.argmin(widths))
    return float(np.exp(logs[at])), float(np.exp(logs[at + k - 1]))


def usable(results: Results) -> list[tuple[str, str, str, float]]:
    """Vendor, device, benchmark and noise factor of every result that judges a model."""
    found = []
    for record in results.records:
        value = record.predicted.value if record.predicted else None
        if value is not None and record.unfit(value) is None:
            factor = record.noise_factor(value)
            found.append((record.vendor, record.device, record.benchmark, factor))
    return found


@lru_cache(maxsize=1)
def _by_vendor() -> dict[str, NoiseFactors]:
    shipped = shipped_results()
    rows = usable(shipped)
    fitted = [
        (row.record.vendor, row.record.device, row.record.benchmark, row.factor_left)
        for row in probed_results(shipped)
    ]
    found = {}
    for vendor in {row[0] for row in rows}:
        for key, of in ((vendor, rows), (vendor + _FITTED, fitted)):
            own = [row for row in of if row[0] == vendor]
            if len(own) >= FEWEST:
                found[key.lower()] = _factors(vendor, own)
    return found


def _factors(vendor: str, rows: Sequence[tuple[str, str, str, float]]) -> NoiseFactors:
    values = [row[3] for row in rows]
    low, high = factors_of(values)
    devices = len({row[1] for row in rows})
    return NoiseFactors(vendor, low, float(np.median(values)), high, len(rows), devices)


def interval_of(found: NoiseFactors, low: float, high: float) -> Interval:
    """Two ends by a vendor's factors, with the results that they rest on."""
    return Interval(
        low=low, high=high, level=LEVEL, n=found.n, devices=found.devices, vendor=found.vendor
    )


def words(interval: Interval | None, *, percent: bool = False) -> str:
    """An interval as people read it.

    Args:
        interval: or ``None`` where nothing is known.
        percent: write shares in per cent.
    """
    if interval is None:
        return NOTHING_PUBLIC
    ends = [f"{100 * v:.0f} %" if percent else f"{v:.2g}" for v in (interval.low, interval.high)]
    machines = "" if interval.devices > 1 else ", one device"
    return (
        f"on real {interval.vendor} devices {ends[0]} to {ends[1]} "
        f"({100 * interval.level:.0f} %, N = {interval.n}{machines})"
    )


def untimed_warning(duration_s: float | None, two_qubit_gates: float) -> str | None:
    """A plain warning where a deep circuit's waits are left out, else ``None``.

    Args:
        duration_s: of the compiled circuit, 0 or ``None`` where the vendor publishes no gate times.
        two_qubit_gates: in it.
    """
    if duration_s or two_qubit_gates < DEEP:
        return None
    return (
        f"no gate times are known here, so decay while {two_qubit_gates:.0f} two-qubit gates run "
        f"is left out: expect worse"
    )

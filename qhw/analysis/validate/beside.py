"""What stands beside a comparison on a device model: where real devices of the vendor would lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibration.parts import Frozen
from qhw.analysis.validate.interval import (
    NOTHING_PUBLIC,
    Interval,
    interval_for,
    interval_of_distance,
    noise_factors,
    untimed_warning,
    words,
)

if TYPE_CHECKING:
    from qhw.analysis.compare.facts import CircuitFacts
    from qhw.analysis.compare.result import Metric, Section


class OnHardware(Frozen):
    """Where real devices would lie whose model gives a result's numbers.

    Attributes:
        vendor: of the device model.
        source: what the distance and skill below are of.
        tvd: mean total variation distance to exact; ``None`` where no public result judges the
            vendor's models, or the result has none.
        skill: against the same baseline.
        success: predicted success of each circuit, in the result's order.
        warnings: what the model leaves out.
        words: all of it, a line each.
    """

    vendor: str
    source: str = "device_raw"
    tvd: Interval | None = None
    skill: Interval | None = None
    success: tuple[Interval | None, ...] = ()
    warnings: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def on_hardware(
    vendor: str | None, circuits: Sequence[CircuitFacts], section: Section | None
) -> OnHardware | None:
    """What public results say of a comparison on a device model.

    Args:
        vendor: of the model; ``None`` for an ideal simulator.
        circuits: of the result.
        section: that the verdict is about.

    Returns:
        ``None`` for an ideal simulator.
    """
    if vendor is None:
        return None
    success = tuple(interval_for(vendor, _share(c.predicted_success)) for c in circuits)
    metric = section.metric("total_variation") if section is not None else None
    tvd = None if metric is None else _distance(vendor, metric)
    skill = None if metric is None or tvd is None else _skill(metric, tvd)
    warnings = [
        f"{c.role}: {warning}"
        for c in circuits
        if (warning := untimed_warning(c.duration_s, c.two_qubit_gates)) is not None
    ]
    lines = [
        f"{c.role}, predicted success {100 * c.predicted_success:.3g} %: {words(i, percent=True)}"
        for c, i in zip(circuits, success, strict=True)
        if c.predicted_success is not None
    ]
    lines += [f"raw distance to exact: {words(tvd)}"] if tvd is not None else []
    lines += [f"raw skill: {words(skill)}"] if skill is not None else []
    return OnHardware(
        vendor=vendor,
        tvd=tvd,
        skill=skill,
        success=success,
        warnings=tuple(warnings),
        words=(*lines, *warnings) if lines else (NOTHING_PUBLIC, *warnings),
    )


def _share(success: float | None) -> float | None:
    return None if success is None else min(max(success, 0.0), 1.0)


def _mean(metric: Metric, source: str) -> float | None:
    row = next((row for row in metric.rows if row.source == source), None)
    known = [value for value in row.values if value is not None] if row else []
    return sum(known) / len(known) if known else None


def _distance(vendor: str, metric: Metric) -> Interval | None:
    """Of the raw counts' mean distance; never below what shots alone leave."""
    raw, floor = _mean(metric, "device_raw"), _mean(metric, "shots_only")
    found = interval_of_distance(vendor, raw, _mean(metric, "uniform"))
    if found is None or raw is None:
        return None
    least = min(floor or 0.0, raw)
    return found.model_copy(update={"low": max(found.low, least)})


def _skill(metric: Metric, tvd: Interval) -> Interval | None:
    """``1 - distance / best baseline``, so its ends change places."""
    baselines = [_mean(metric, source) for source in ("uniform", "prior_mean")]
    known = [value for value in baselines if value]
    if not known or noise_factors(tvd.vendor) is None:
        return None
    best = min(known)
    return tvd.model_copy(update={"low": 1 - tvd.high / best, "high": 1 - tvd.low / best})

"""A finished run read whole and taken apart, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from calibration.documents import MAX_BYTES
from qhw.analysis.bench.result import BenchResult
from qhw.analysis.compare.result import ComparisonResult, Estimate
from qhw.analysis.depth.report import DepthReport
from qhw.analysis.drift.effect import DriftEffect
from qhw.analysis.expect.result import ExpectResult
from qhw.analysis.validate.validation import Validation
from qhw.saved.entry import Kind, SavedRun
from qhw.saved.figures_compared import DEVICE, comparison_parts
from qhw.saved.figures_expected import expectation_parts
from qhw.saved.inside import open_inside
from qhw.saved.parts import Figure, FigureKey, Parts, settings_of
from qhw.saved.shelf import RESULTS, ShelfError, read_entry

_NORMAL = 1.96
"""Standard errors on either side of a 95 % interval."""


@dataclass(frozen=True)
class WholeRun:
    """A finished run.

    Attributes:
        entry: what a list says of it.
        parts: everything that is laid beside other runs.
    """

    entry: SavedRun
    parts: Parts


def read_whole(folder: Path, name: str) -> WholeRun:
    """Read a run's folder.

    Args:
        folder: of runs.
        name: of one of them.

    Raises:
        ShelfError: it holds no result that can be read; one line says why.
    """
    entry = read_entry(folder, name)
    if entry.problem is not None:
        raise ShelfError(f"Run {name}: {entry.problem}")
    file = RESULTS[entry.kind == "noise study"]
    try:
        with open_inside(folder, (name, file)) as opened:
            text = opened.read(MAX_BYTES)
        return WholeRun(entry, _READ[entry.kind](text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        raise ShelfError(f"Run {name}: {file}: `{place}`: {first['msg'][:200]}") from error
    except (OSError, ValueError) as error:
        raise ShelfError(f"Run {name}: {file}: {str(error)[:300]}") from error


def _compared(text: bytes) -> Parts:
    return comparison_parts(ComparisonResult.from_json(text))


def _expected(text: bytes) -> Parts:
    return expectation_parts(ExpectResult.from_json(text))


def _benched(text: bytes) -> Parts:
    result = BenchResult.from_json(text.decode("utf-8"))
    figures: dict[FigureKey, Figure] = {}
    for device in result.devices:
        for budget in device.budgets:
            title = f"{device.device}, {budget.shots:,} shots"
            for cell in budget.cells:
                if cell.tvd is None:
                    continue
                half = _NORMAL * cell.tvd.error
                estimate = Estimate(
                    value=cell.tvd.value, low=cell.tvd.value - half, high=cell.tvd.value + half
                )
                figures[title, cell.asked, DEVICE] = Figure(cell.asked, "device", "lower", estimate)
            for label, value in (("shot floor", budget.floor), ("baseline", device.constant)):
                point = Estimate(value=value, low=value, high=value)
                figures[title, label, label] = Figure(label, "no QPU", "lower", point)
    facts = {
        ("calibration", d.device): None if d.taken is None else f"{d.taken:%Y-%m-%d %H:%M UTC}"
        for d in result.devices
    }
    return Parts(settings_of(result.settings.model_dump(mode="json")), facts, figures)


def _swept(text: bytes) -> Parts:
    report = DepthReport.model_validate_json(text)
    asked = report.model_dump(
        mode="json", include={"shots", "levels", "seeds", "fractional", "devices", "left_out"}
    )
    figures: dict[FigureKey, Figure] = {}
    for circuit in report.circuits:
        row = report.best_row(circuit.name)
        if row is None or row.best is None:
            continue
        point = Estimate(value=row.best.success, low=row.best.success, high=row.best.success)
        label = "best predicted success"
        figures[circuit.name, label, DEVICE] = Figure(
            label, f"on {row.device}", "higher", point, share=True
        )
    return Parts(settings_of(asked), {}, figures)


def _validated(text: bytes) -> Parts:
    found = Validation.model_validate_json(text)
    figures: dict[FigureKey, Figure] = {}
    for group in found.groups:
        for label, value in (
            ("median noise factor", group.median_factor),
            ("median |ln(measured signal / predicted)|", group.median_error),
        ):
            point = Estimate(value=value, low=value, high=value)
            figures[f"{group.kind} {group.name}", label, DEVICE] = Figure(
                label, "public results", "lower", point
            )
    return Parts(settings_of({"data": found.data, "level": found.level}), {}, figures)


class _DriftPair(BaseModel):
    device: str
    before: str
    after: str
    circuits: tuple[DriftEffect, ...] = ()


class _Drifts(BaseModel):
    pairs: tuple[_DriftPair, ...]


_DRIFTS = TypeAdapter(_Drifts)


def _drifted(text: bytes) -> Parts:
    figures: dict[FigureKey, Figure] = {}
    pairs = _DRIFTS.validate_json(text).pairs
    for pair in pairs:
        for effect in pair.circuits:
            for day, value in (("first day", effect.before), ("second day", effect.after)):
                if value is not None:
                    label = f"predicted success, {day}"
                    point = Estimate(value=value, low=value, high=value)
                    title = f"{pair.before[:10]} to {pair.after[:10]}: {effect.circuit}"
                    figures[title, label, DEVICE] = Figure(
                        label, "predicted", "higher", point, share=True
                    )
    days = [f"{pair.before[:16]} to {pair.after[:16]}" for pair in pairs]
    return Parts(settings_of({"device": pairs[0].device, "calibrations": days}), {}, figures)


def _studied(text: bytes) -> Parts:
    from qhw.study.summary import StudySummary  # pyarrow takes long to load

    summary = StudySummary.model_validate_json(text)
    figures: dict[FigureKey, Figure] = {}
    for curve in summary.curves:
        point = next((p for p in curve.points if p.scale == 1), None)
        if point is None:
            continue
        shots = "infinite" if curve.shots is None else f"{curve.shots:,}"
        title = f"{curve.model} on {curve.device}, noise as reported"
        label = f"distance to exact, {curve.mitigation}, {shots} shots"
        figures[title, label, DEVICE] = Figure(label, "device", "lower", point.tvd)
        floor = Estimate(value=point.shot_floor, low=point.shot_floor, high=point.shot_floor)
        figures[title, label, "floor"] = Figure(label, "shot floor", "lower", floor)
        constant = min(point.prior_mean, point.uniform)
        flat = Estimate(value=constant, low=constant, high=constant)
        figures[title, label, "constant"] = Figure(label, "best baseline", "lower", flat)
    return Parts(settings_of(summary.config.model_dump(mode="json")), {}, figures)


_READ: dict[Kind, Callable[[bytes], Parts]] = {
    "comparison": _compared,
    "expectation": _expected,
    "mitigation bench": _benched,
    "depth report": _swept,
    "drift": _drifted,
    "model validation": _validated,
    "noise study": _studied,
}

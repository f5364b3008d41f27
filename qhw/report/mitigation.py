"""The mitigation bench's report: one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from qhw.analysis.bench.result import (
    BEST_RULE,
    BenchResult,
    Budget,
    Cell,
    Comparison,
    DeviceBench,
)
from qhw.analysis.scores.crossed import Measured
from qhw.report.mitigation_figures import distance_figure
from qhw.report.page import asset, environment


def write_bench(result: BenchResult, folder: Path, run_id: str) -> None:
    """Write ``result.json`` and ``report.html``.

    Args:
        result: a finished bench.
        folder: existing folder.
        run_id: name of the run.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / "result.json").write_text(result.to_json(), encoding="utf-8")
    (folder / "report.html").write_text(render_bench(result, run_id), encoding="utf-8")


def render_bench(result: BenchResult, run_id: str) -> str:
    """The report's HTML text.

    Args:
        result: of a bench.
        run_id: name of its folder.
    """
    return (
        environment()
        .get_template("mitigation.html.j2")
        .render(
            r=result,
            s=result.settings,
            run_id=run_id,
            css=asset("report.css"),
            figure=Markup(distance_figure(result.devices)),
            verdicts=[(verdict_level(d), verdict_words(d)) for d in result.devices],
            angles=result.settings.task == "encode",
            measured=measured,
            against=AGAINST,
            molecules=MOLECULES,
            best_rule=BEST_RULE,
        )
    )


def measured(value: Measured | None, digits: int = 4) -> str:
    """``0.0231 ± 0.0005``; empty for nothing."""
    return "" if value is None else f"{value.value:.{digits}f} ± {value.error:.{digits}f}"


def _told(word: Comparison | None) -> str:
    return "not significant" if word == "not told apart" else word or ""


AGAINST: dict[str, Callable[[Cell], str]] = {
    "than raw": lambda cell: _told(cell.against_raw),
    "than readout": lambda cell: _told(cell.against_readout),
}
"""Columns that say how a pipeline does beside raw counts and readout correction alone."""


MOLECULES: dict[str, Callable[[Cell], str]] = {
    "strict valid": lambda cell: measured(cell.valid, 3),
    "− raw": lambda cell: measured(cell.valid_over_raw, 3),
    "valid than raw": lambda cell: _told(cell.valid_against_raw),
}
"""Columns of molecules, of models with a linear head."""


def verdict_level(device: DeviceBench) -> str:
    """``better``, ``same`` or ``worse``: the best at most shots, else raw, beside the constant."""
    last = device.budgets[-1]
    best = last.best or last.cell("none")
    if best is None or best.tvd is None:
        return "worse"
    margin = device.constant - best.tvd.value
    if abs(margin) < 2 * best.tvd.error:
        return "same"
    return "better" if margin > 0 else "worse"


def verdict_words(device: DeviceBench) -> str:
    """One sentence a device: which pipeline is best where, and whether that is worth anything."""
    parts = "; ".join(_best_words(budget) for budget in device.budgets)
    nearer = "".join(f" {_nearer_words(budget)}" for budget in device.budgets)
    word = {
        "better": "Closer to exact than the best constant",
        "same": "Not to be told from the best constant",
        "worse": "Further from exact than the best constant",
    }[verdict_level(device)]
    told = f"{device.device}: {parts}.{nearer.rstrip()} {word} ({device.constant:.3f})."
    return told if device.valid is None else f"{told} {_molecule_words(device, device.valid)}"


def _molecule_words(device: DeviceBench, exact: float) -> str:
    """Which pipeline keeps the most molecules."""
    parts = []
    for budget in device.budgets:
        best, raw = budget.most_valid, budget.cell("none")
        beside = "" if raw is None or raw.valid is None else f"raw {100 * raw.valid.value:.0f} %"
        if best is None or best.valid is None:
            parts.append(f"none significantly more than raw at {budget.shots:,} shots ({beside})")
        else:
            share = f"{100 * best.valid.value:.0f} %"
            parts.append(f"most with {best.asked} at {budget.shots:,} shots ({share}, {beside})")
    return f"Valid molecules, exact {100 * exact:.0f} %: {'; '.join(parts)}."


def _nearer_words(budget: Budget) -> str:
    """What is less far than the best but not named."""
    best, least = budget.best, budget.least
    if best is None or least is None or least is best or least.tvd is None:
        return ""
    beside = "worse than" if least.against_raw == "worse" else "not significantly different from"
    return (
        f"At {budget.shots:,} shots {least.asked} is nearer ({least.tvd.value:.3f}), but "
        f"{beside} raw."
    )


def _best_words(budget: Budget) -> str:
    """A pipeline is named only where the paired test tells it better than raw counts."""
    at = f"at {budget.shots:,} shots"
    best = budget.best
    if best is not None and best.tvd is not None:
        ratio = "" if best.ratio is None else f", raw {best.ratio.value:.2f} times as far"
        return f"{at} best {best.asked} ({best.tvd.value:.3f}{ratio}, floor {budget.floor:.3f})"
    raw = budget.cell("none")
    found = "" if raw is None or raw.tvd is None else f"{raw.tvd.value:.3f}, "
    worse = any(cell.against_raw == "worse" for cell in budget.cells)
    beside = "better than raw" if worse else "significantly different from raw"
    return f"{at} none is {beside} ({found}floor {budget.floor:.3f})"

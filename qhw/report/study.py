"""The noise study's report: one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qhw.analysis.validate.interval import NOTHING_PUBLIC
from qhw.models.checkpoint import code_version
from qhw.provenance import versions
from qhw.report.format import number, percent
from qhw.report.page import asset, environment
from qhw.report.study_figures import (
    budget_figure,
    crossing_figure,
    distance_figure,
    skill_figure,
    validity_figure,
)
from qhw.study.summary import JUDGED_MITIGATION, BudgetTable, Curve, Point, StudySummary

_REASON = 200
"""Characters of a failure's reason on the page; the table has all."""


@dataclass(frozen=True)
class Verdicts:
    """What a model does on all devices at the noise as reported.

    Attributes:
        model: name.
        level: ``better``, ``same`` or ``worse``: that of most devices, the worst on a tie.
        text: one sentence or two.
    """

    model: str
    level: str
    text: str


def render_study(summary: StudySummary, command: str) -> str:
    """The report's HTML text.

    Args:
        summary: of the study.
        command: that made it.
    """
    shots = headline_shots(summary)
    curves = [curve for curve in summary.curves if curve.shots == shots]
    budgets = headline_budgets(summary)
    molecules = all(curve.exact_valid is not None for curve in curves)
    return (
        environment()
        .get_template("study.html.j2")
        .render(
            s=summary,
            config=summary.config,
            command=command,
            code=code_version(),
            versions=versions(),
            css=asset("report.css"),
            shots=shots_words(shots),
            molecules=molecules,
            rows_word=ROW_WORDS[summary.config.task],
            verdicts=verdicts(summary),
            curves=curves,
            budgets=[b for b in summary.budgets if b.shots == shots],
            figures={
                "skill": Markup(skill_figure(curves)) if curves else None,
                "distance": Markup(distance_figure(curves)) if curves else None,
                "crossing": Markup(crossing_figure(curves)) if curves else None,
                "validity": Markup(validity_figure(curves)) if curves and molecules else None,
                "budget": Markup(budget_figure(budgets)) if budgets else None,
            },
            budget_counts=counts_words(budgets[0].mitigation) if budgets else "",
            shots_words=shots_words,
            crossing_words=crossing_words,
            crossing_range=crossing_range,
            cut=cut,
            real_devices=real_devices,
            no_durations=sorted({c.device for c in curves if c.decoder_duration_s == 0}),
        )
    )


def headline_shots(summary: StudySummary) -> int | None:
    """The shots shown in figures: infinite if there, else the most."""
    counts = {curve.shots for curve in summary.curves}
    return None if None in counts or not counts else max(c for c in counts if c is not None)


def headline_budgets(summary: StudySummary) -> list[BudgetTable]:
    """Budgets drawn: headline shots, raw where there is raw, the scale nearest to 1."""
    shots = headline_shots(summary)
    found = [b for b in summary.budgets if b.shots == shots]
    if not found:
        return []
    mitigation = "none" if any(b.mitigation == "none" for b in found) else found[0].mitigation
    scale = min((b.scale for b in found), key=lambda value: abs(value - 1))
    return [b for b in found if b.mitigation == mitigation and b.scale == scale]


def headline_curves(summary: StudySummary) -> list[Curve]:
    """One curve a model and device: headline shots, the strongest mitigation."""
    shots = headline_shots(summary)
    chosen = summary.config.strongest
    return [c for c in summary.curves if c.shots == shots and c.mitigation == chosen]


def verdicts(summary: StudySummary) -> list[Verdicts]:
    """In words, for each model: on how many devices it is below the baseline, and from where."""
    out = []
    for model in summary.config.models:
        curves = [c for c in headline_curves(summary) if c.model == model and c.verdict]
        if not curves:
            continue
        count = {level: [c.device for c in curves if c.verdict == level] for level in _LEVELS}
        level = max(reversed(_LEVELS), key=lambda name: len(count[name]))
        parts = [
            f"{_WORDS[name]} on {len(count[name])} of {len(curves)} devices "
            f"({', '.join(count[name])})"
            for name in _LEVELS
            if count[name]
        ]
        text = f"At the reported noise {model} is {'; '.join(parts).rstrip(',')}. {_valid(curves)}"
        out.append(Verdicts(model, level, text.strip()))
    return out


def _valid(curves: Sequence[Curve]) -> str:
    """What becomes of its molecules, a distance being no molecule; empty where it has none."""
    points = [(c.point(1.0), c.device) for c in curves]
    shares = [(p.valid.value, device) for p, device in points if p is not None and p.valid]
    if not shares or curves[0].exact_valid is None:
        return ""
    (least, worst), (most, best) = min(shares), max(shares)
    exact = f"where exact gives {percent(curves[0].exact_valid)}"
    if least == most:
        return f"Of its molecules {percent(most)} are valid {exact}."
    shown = f"{percent(least)} ({worst}) to {percent(most)} ({best})"
    return f"Of its molecules {shown} are valid {exact}."


ROW_WORDS = {"generate": "latents", "reconstruct": "molecules", "circuit": "rows of angles"}
"""What the rows of a task are."""
_LEVELS = ("better", "same", "worse")
_WORDS = {
    "better": "closer to exact than the best constant",
    "same": "not to be told from a constant guess",
    "worse": "below the baseline, so that a constant that needs no QPU is closer to exact,",
}


def counts_words(mitigation: str) -> str:
    """What distances were measured on, for the beginning of a sentence."""
    known = {"none": "Raw counts", "readout": "Readout-corrected counts"}
    return known.get(mitigation, f"Counts mitigated by {mitigation}")


def shots_words(shots: int | None) -> str:
    """``10,000`` or ``infinite``."""
    return "infinite" if shots is None else f"{shots:,}"


def crossing_words(curve: Curve) -> str:
    """A crossing for a table cell."""
    found = curve.crossing
    if found.state == "above":
        return f"beyond {found.largest:g}"
    if found.state == "below":
        return f"below at {found.least:g} already"
    return "–" if found.scale is None else f"{found.scale:.2f}"


def crossing_range(curve: Curve) -> str:
    """The interval of a crossing for a table cell."""
    found = curve.crossing
    if found.state != "crosses":
        return ""
    low = f"under {found.least:g}" if found.low is None else f"{found.low:.2f}"
    high = f"over {found.largest:g}" if found.high is None else f"{found.high:.2f}"
    return f"{low} to {high}"


def real_devices(point: Point, mitigation: str) -> str:
    """Where real devices lie, for a table cell."""
    if point.real_tvd is not None:
        ends = point.real_tvd
        return f"{number(ends.low)} to {number(ends.high)} (N = {ends.n})"
    return NOTHING_PUBLIC if mitigation in JUDGED_MITIGATION else "of raw counts only"


def cut(text: str) -> str:
    """A reason short enough for a page."""
    return text if len(text) <= _REASON else f"{text[:_REASON].rstrip()} …"

"""One honest sentence about a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qhw.analysis.compare.result import (
    DEVICE_SOURCES,
    SOURCE_LABELS,
    Metric,
    Section,
    Skill,
    Verdict,
)

_MAIN_SECTIONS = ("pipeline", "decoder", "encoder", "circuit")
"""The section that decides, first found."""


_UNKNOWN = (
    "Nothing can be said against a constant: a baseline that needs no QPU is exact here (or on one "
    "of few circuits), so no device could be closer."
)


def verdict(sections: Sequence[Section]) -> Verdict:
    """Judge the device's best row by its skill score and interval.

    The score is that of the total variation distance; of wide circuits that of linear
    cross-entropy. Without an exact reference nothing is judged.

    Args:
        sections: of a result; ``pipeline``, ``decoder``, ``encoder`` or ``circuit`` among them.

    Raises:
        ValueError: no such section.
    """
    by_key = {section.key: section for section in sections}
    section = next((by_key[key] for key in _MAIN_SECTIONS if key in by_key), None)
    if section is not None and not section.metrics:
        return Verdict(level="unknown", text=section.text, section=section.key, skill=None)
    metric = section.leading if section else None
    if section is None or metric is None:
        raise ValueError(
            f"Argument `sections` must have one of {', '.join(_MAIN_SECTIONS)}, but has "
            f"{', '.join(by_key) or 'none'}"
        )
    skills = {skill.source: skill for skill in metric.skills}
    skill = next((skills[s] for s in reversed(DEVICE_SOURCES) if s in skills), None)
    if skill is None:
        return Verdict(
            level="unknown", text=_UNKNOWN, section=section.key, skill=None, metric=metric.key
        )
    level, text = _words(skill, metric)
    return Verdict(level=level, text=text, section=section.key, skill=skill, metric=metric.key)


def _words(skill: Skill, metric: Metric) -> tuple[Literal["better", "same", "worse"], str]:
    found = skill.estimate
    baseline = SOURCE_LABELS[skill.baseline].removeprefix("baseline: ")
    told = "" if metric.key == "total_variation" else f" by {metric.label}"
    numbers = (
        f"skill score {found.value:.2f} against the {baseline}{told}, "
        f"{100 * found.level:.0f} % interval {found.low:.2f} to {found.high:.2f}"
    )
    if found.low > 0.0:
        return "better", (
            f"The device is closer to exact than the best baseline that needs no QPU: {numbers}."
        )
    if found.high < 0.0:
        return "worse", (
            f"The device is below the best baseline: a constant that needs no QPU is closer to "
            f"exact ({numbers})."
        )
    return "same", (
        f"The device cannot be told from the best baseline, a constant that needs no QPU "
        f"({numbers})."
    )

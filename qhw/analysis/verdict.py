"""One honest sentence about a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qhw.analysis.result import DEVICE_SOURCES, SOURCE_LABELS, Section, Skill, Verdict

_MAIN_SECTIONS = ("pipeline", "decoder", "encoder")
"""The section that decides, first found."""


def verdict(sections: Sequence[Section]) -> Verdict:
    """Judge the device's best row by its total variation skill score and interval.

    Args:
        sections: of a result; one of ``pipeline``, ``decoder`` and ``encoder`` at least.

    Raises:
        ValueError: no such section, or rows so alike that a baseline is exact.
    """
    by_key = {section.key: section for section in sections}
    section = next((by_key[key] for key in _MAIN_SECTIONS if key in by_key), None)
    metric = section.metric("total_variation") if section else None
    skills = {skill.source: skill for skill in metric.skills} if metric else {}
    skill = next((skills[s] for s in reversed(DEVICE_SOURCES) if s in skills), None)
    if section is None or skill is None:
        raise ValueError(
            "Argument `molecules` must give rows that differ, but a baseline is exact on one"
        )
    level, text = _words(skill)
    return Verdict(level=level, text=text, section=section.key, skill=skill)


def _words(skill: Skill) -> tuple[Literal["better", "same", "worse"], str]:
    found = skill.estimate
    baseline = SOURCE_LABELS[skill.baseline].removeprefix("baseline: ")
    numbers = (
        f"skill score {found.value:.2f} against the {baseline}, "
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

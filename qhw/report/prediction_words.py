"""A predicted success with what real devices made of such predictions, in words and for JSON."""

from __future__ import annotations

from backends.base import CompiledTemplate
from qhw.analysis.validate.interval import Interval, interval_for, judged_as, untimed_warning, words
from qhw.report.format import percent


def predicted_lines(compiled: CompiledTemplate) -> list[str]:
    """Predicted success and its interval, then a warning where there is one."""
    if compiled.predicted_success is None:
        return []
    said = words(_interval(compiled), percent=True)
    warning = _warning(compiled)
    lines = [f"predicted success {percent(compiled.predicted_success)}; {said}"]
    return lines if warning is None else [*lines, warning]


def predicted_document(compiled: CompiledTemplate) -> dict[str, object]:
    """Fields of a JSON document."""
    found = _interval(compiled)
    return {
        "predicted_success": compiled.predicted_success,
        "success_interval": None if found is None else found.model_dump(mode="json"),
        "warning": _warning(compiled),
    }


def _interval(compiled: CompiledTemplate) -> Interval | None:
    snapshot = compiled.snapshot
    vendor = None if snapshot is None else judged_as(snapshot)
    return interval_for(vendor, compiled.predicted_success)


def _warning(compiled: CompiledTemplate) -> str | None:
    if compiled.snapshot is None:
        return None
    return untimed_warning(compiled.duration_s, compiled.two_qubit_gates)

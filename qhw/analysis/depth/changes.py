"""What changed since an earlier depth report: calibrations, software, figures, advice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from calibration.documents import read_bounded

if TYPE_CHECKING:
    from qhw.analysis.depth.report import DepthReport, Row


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Frozen):
    """One circuit on one device at one level, before and now; ``None`` where there was no figure.

    Attributes:
        circuit: name.
        device: without the date of its calibration.
        level: optimisation level.
        compiler: that made both.
        gates: two-qubit gates.
        success: predicted.
        usd: of each report's own shots.
        calibrated: dates of the calibrations.
    """

    circuit: str
    device: str
    level: int
    gates: tuple[int | None, int | None]
    success: tuple[float | None, float | None]
    usd: tuple[float | None, float | None]
    calibrated: tuple[str, str]
    compiler: str = "qhw"


class Changes(_Frozen):
    """Between two reports.

    Attributes:
        against: when the earlier one was made.
        versions: software that differs, before and now; empty text where it was not there.
        rows: that differ, the largest change of success first.
        same: how many rows are as they were.
        added: circuits on devices that only the later one has.
        gone: that only the earlier one has.
        advice: circuits whose recommended device differs, before and now.
    """

    against: str
    versions: dict[str, tuple[str, str]]
    rows: tuple[Change, ...]
    same: int
    added: int
    gone: int
    advice: dict[str, tuple[str, str]]


def read_report(path: Path) -> DepthReport:
    """An earlier report's ``result.json``, of this or an earlier version.

    Raises:
        ValueError: it cannot be read, or is no depth report; one line names the file.
    """
    from qhw.analysis.depth.report import DepthReport

    try:
        return DepthReport.model_validate_json(read_bounded(path))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise ValueError(f"{path} must be a depth report, but {place}: {first['msg']}") from error


def changes(before: DepthReport, now: DepthReport) -> Changes:
    """What differs; rows are matched by circuit, device (of any date), level and compiler."""
    old, new = _by_place(before), _by_place(now)
    both = [(place, old[place], row) for place, row in new.items() if place in old]
    found = [_change(place, *rows) for place, *rows in both]
    differ = [c for c in found if _differs(c)]
    differ.sort(key=lambda c: -abs((c.success[1] or 0.0) - (c.success[0] or 0.0)))
    names = sorted(before.versions.keys() | now.versions.keys())
    versions = {n: (before.versions.get(n, ""), now.versions.get(n, "")) for n in names}
    return Changes(
        against=f"{before.created:%Y-%m-%d %H:%M UTC}",
        versions={name: pair for name, pair in versions.items() if pair[0] != pair[1]},
        rows=tuple(differ),
        same=len(found) - len(differ),
        added=len(new.keys() - old.keys()),
        gone=len(old.keys() - new.keys()),
        advice=_advice(before, now),
    )


_Place = tuple[str, str, int, str]


def _by_place(report: DepthReport) -> dict[_Place, Row]:
    return {
        (row.circuit, row.device.partition("@")[0], row.level, row.compiler): row
        for row in report.rows
        if row.level is not None
    }


def _change(place: _Place, before: Row, now: Row) -> Change:
    rows = (before, now)
    gates = [None if row.best is None else row.best.two_qubit_gates for row in rows]
    success = [None if row.best is None else row.best.success for row in rows]
    usd = [None if row.cost is None else row.cost.usd for row in rows]
    taken = ["" if row.taken is None else f"{row.taken:%Y-%m-%d}" for row in rows]
    circuit, device, level, compiler = place
    return Change(
        circuit=circuit,
        device=device,
        level=level,
        compiler=compiler,
        gates=(gates[0], gates[1]),
        success=(success[0], success[1]),
        usd=(usd[0], usd[1]),
        calibrated=(taken[0], taken[1]),
    )


def _differs(change: Change) -> bool:
    pairs = (change.gates, change.success, change.usd, change.calibrated)
    return any(before != now for before, now in pairs)


def _advice(before: DepthReport, now: DepthReport) -> dict[str, tuple[str, str]]:
    """Of highest predicted success: an earlier version's reports recommend nothing."""
    found = {}
    for facts in now.circuits:
        rows = (before.best_row(facts.name), now.best_row(facts.name))
        first, last = ("" if row is None else row.device.partition("@")[0] for row in rows)
        if first and first != last:
            found[facts.name] = (first, last or "none")
    return found

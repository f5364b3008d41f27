"""Which head decoded what, in words."""

from __future__ import annotations

from qhw.analysis.compare.facts import HeadFacts, HeadFit
from qhw.report.format import number

_WHAT = {"encoder": "latents", "decoder": "molecules"}
_FROM = {"device_raw": "raw counts", "device_readout": "readout-corrected counts"}


def head_lines(head: HeadFacts) -> list[str]:
    """Where a refitted head comes from, and one line for every read-out that was refitted."""
    word = "would have cost" if head.rehearsal else "cost"
    run = "" if head.run is None else f" (run {head.run})"
    rehearsed = ", in a rehearsal" if head.rehearsal else ""
    return [
        f"refitted head: measured {head.taken:%Y-%m-%d %H:%M} UTC{run}{rehearsed}, "
        f"{number(head.age_hours)} h before, with {head.total_shots:,} shots beside those of the "
        f"rows, which {word} ${head.usd:.2f} once",
        *map(_line, head.fits),
    ]


def _line(fit: HeadFit) -> str:
    to = f"{fit.role}, {_FROM.get(fit.source, fit.source)}"
    if fit.strength is None:
        return f"{to}: the model's own head stays, no worse on left-out rows of the {fit.rows}"
    return (
        f"{to}: {_WHAT.get(fit.role, fit.role)} refitted to {fit.rows} rows of known outcome, "
        f"squared error of left-out rows {number(fit.error)} of the model's own"
    )

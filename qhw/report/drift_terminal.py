"""Drift on the terminal and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from qhw.report.drift import Pair, quantities
from qhw.report.format import duration, number, percent, printable
from qhw.report.tables import WholeTable


def drift_document(pair: Pair) -> dict[str, object]:
    """Everything that changed, as JSON values; times in seconds."""
    found = pair.drift
    return {
        "device": found.device,
        "before": pair.before.taken.isoformat(),
        "after": pair.after.taken.isoformat(),
        "medians": [vars(q) for q in quantities(found)],
        "couplings": [
            {"labels": c.labels, "before": c.error.before, "after": c.error.after}
            for c in found.couplings
        ],
        "qubits": [
            {
                "label": q.label,
                **{
                    key: [getattr(q, key).before, getattr(q, key).after]
                    for key in ("t1_s", "t2_s", "p10", "p01", "one_qubit_error")
                },
            }
            for q in found.qubits
        ],
        "appeared": found.appeared,
        "vanished": found.vanished,
        "circuits": [e.model_dump(mode="json") for e in pair.effects],
    }


def drift_summary(pair: Pair) -> Iterator[RenderableType]:
    """Medians before and after, and what the circuits meet."""
    dates = f"{pair.before.taken:%Y-%m-%d} to {pair.after.taken:%Y-%m-%d}"
    yield Text(f"{pair.drift.device}: {dates}", style="bold")
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    table.add_column("median")
    for heading in ("before", "after", "worsened"):
        table.add_column(heading, justify="right")
    for q in quantities(pair.drift):
        if q.before is None or q.after is None:
            table.add_row(q.name, "–", "–", "not reported")
            continue
        ends = (duration(v) if q.unit else number(v) for v in (q.before, q.after))
        table.add_row(q.name, *ends, f"{q.worse} of {q.both}")
    yield table
    for e in pair.effects:
        if e.before is None:
            yield Text(f"{e.circuit}: {printable(str(e.reason))}")
            continue
        kept = percent(e.kept) if e.kept is not None else f"none, {e.reason}"
        yield Text(
            f"{e.circuit}: predicted success {percent(e.before)} then {percent(e.after)}; "
            f"old compiled circuit kept: {kept}"
        )

"""Of a comparison under a condition: which molecules have the property that was asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.compare.result import Metric, Row, Section, SourceKey
from qhw.analysis.scores.molecules import Reports, wilson
from qhw.chem.bonds import Protocol
from qhw.chem.gap import surrogate
from qhw.chem.properties import PROPERTIES, estimated_values
from qhw.models.conditions import window_of

FloatArray = NDArray[np.float64]
_PROTOCOLS: tuple[Protocol, ...] = ("released", "strict")
_TEXT = (
    "Share of each source's valid molecules whose property lies in the window around what was "
    "asked for; values are 1 for a hit, 0 for none, none where there is no valid molecule. Wilson "
    "intervals."
)


def condition_sections(
    condition: Mapping[str, float], judged: Mapping[SourceKey, Reports]
) -> tuple[Section, ...]:
    """Hits of every source under both protocols; none without a condition.

    Args:
        condition: what was asked for, by property.
        judged: molecules of every source.
    """
    metrics = []
    for name, asked in condition.items():
        half = window_of(name, None)
        of_graph = PROPERTIES[name].of_graph is not None
        metrics += [
            Metric(
                key=f"hit_{name}_{protocol}",
                label=f"{name} in [{asked - half:g}, {asked + half:g}), {protocol}",
                better="higher",
                rows=tuple(
                    _row(source, estimated_values(name, reports[protocol].smiles), asked, half)
                    for source, reports in judged.items()
                ),
                note=PROPERTIES[name].text if of_graph else surrogate().name,
            )
            for protocol in _PROTOCOLS
        ]
    if not metrics:
        return ()
    return (Section(key="condition", title="Condition", text=_TEXT, metrics=tuple(metrics)),)


def _row(source: SourceKey, values: FloatArray, asked: float, half: float) -> Row:
    known = np.isfinite(values)
    hits = (values >= asked - half) & (values < asked + half)
    return Row(
        source=source,
        values=tuple(float(hit) if k else None for hit, k in zip(hits, known, strict=True)),
        mean=wilson(int(hits.sum()), int(known.sum())) if known.any() else None,
    )

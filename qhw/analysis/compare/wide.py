"""Circuits of more than twenty qubits: how their exact distribution is known, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backends.exact import ExactBackend
from backends.outcomes import Outcomes
from backends.reference.base import ExactReference, ReferenceFacts
from qhw.analysis.compare.result import (
    MissingRow,
    Reference,
    Section,
    SeenOutcome,
    SourceKey,
)
from qhw.analysis.compare.stage import Stage, StageRunner
from qhw.analysis.compare.synthesis import evolves
from qhw.analysis.compare.tasks import INTERVAL_STREAM, Outcome
from qhw.analysis.scores.wide import nothing_to_score, wide_section
from qhw.circuits.workload import ROLE, Workload

FloatArray = NDArray[np.float64]

_TITLE = "Outcome distribution"
_EVOLVES = (
    " The circuit holds evolutions: exact is that of the product formulas that run in their place; "
    "what those change is not known at this width."
)
_SHOWN_ROWS, _SHOWN = 5, 10
"""Rows, and outcomes of each, that a result lists."""


@dataclass(frozen=True, eq=False)
class WideReference:
    """Exact distributions of all rows, or why there are none.

    Attributes:
        rows: one each; empty where there is no reference.
        facts: of the worst row.
    """

    rows: tuple[ExactReference, ...]
    facts: ReferenceFacts


def wide_reference(workload: Workload) -> WideReference:
    """The exact distributions of a wide workload's rows, by whatever method there is."""
    ideal = ExactBackend()
    compiled = ideal.compile(workload.circuit)
    order = [workload.parameter_names.index(name) for name in compiled.parameter_names]
    found = ideal.references(compiled, workload.angles[:, order])
    if isinstance(found, ReferenceFacts):
        return WideReference((), found)
    return WideReference(found, max((r.facts for r in found), key=lambda f: f.discarded_weight))


def wide_outcome(
    workload: Workload, stage: Stage, runner: StageRunner, reference: WideReference
) -> Outcome:
    """Score what was measured on the outcomes seen.

    Args:
        workload: what ran.
        stage: what came of it.
        runner: that ran it.
        reference: of all rows.
    """
    outcomes = stage.outcomes or Outcomes.all_of(workload.n_bits)
    stage = replace(stage, exact=np.full(stage.counts.shape, np.nan))
    rows = [reference.rows[row] for row in stage.kept] if reference.rows else []
    if rows:
        stage = replace(stage, exact=np.stack([row.probabilities(outcomes) for row in rows]))
    return replace(
        outcome_of(workload, stage, _section(stage, runner, reference, rows, outcomes)),
        reference=Reference(
            method=reference.facts.method,
            detail=reference.facts.detail,
            discarded_weight=reference.facts.discarded_weight,
            distinct=len(outcomes),
            seen=_most_seen(workload, stage, outcomes),
        ),
    )


def outcome_of(workload: Workload, stage: Stage, section: Section) -> Outcome:
    """The outcome of a workload's one stage."""
    return Outcome(
        stages=(stage,),
        sections=(section,),
        molecules={},
        names=tuple(workload.row_names[row] for row in stage.kept),
        rows=stage.kept,
        missing=tuple(
            MissingRow(index=row, name=workload.row_names[row], role=ROLE, text=text)
            for row, text in sorted(stage.missing.items())
        ),
    )


def _section(
    stage: Stage,
    runner: StageRunner,
    reference: WideReference,
    rows: Sequence[ExactReference],
    outcomes: Outcomes,
) -> Section:
    if not rows:
        return nothing_to_score(ROLE, _TITLE, reference.facts.detail)
    words = _EVOLVES if evolves(stage.circuit) else ""
    measured: dict[SourceKey, FloatArray] = stage.distributions()
    seen = np.flatnonzero(np.any([table.any(axis=0) for table in measured.values()], axis=0))
    own_error = stage.pipeline.mitigated.own_error[:, seen]
    found = wide_section(
        ROLE,
        _TITLE,
        rows,
        outcomes.take(seen),
        {source: table[:, seen] for source, table in measured.items()},
        stage.shots,
        runner.stream(INTERVAL_STREAM),
        errors={} if stage.best_source == "device_raw" else {stage.best_source: own_error},
    )
    return found.model_copy(update={"text": found.text + words})


def _most_seen(workload: Workload, stage: Stage, outcomes: Outcomes) -> tuple[SeenOutcome, ...]:
    found = []
    for row, counts in enumerate(stage.counts[:_SHOWN_ROWS]):
        order = np.argsort(-counts, kind="stable")[:_SHOWN]
        order = order[counts[order] > 0]
        exact = stage.exact[row, order]
        for column, index, p in zip(order, outcomes.take(order).integers(), exact, strict=True):
            found.append(
                SeenOutcome(
                    index=int(stage.kept[row]),
                    outcome=workload.outcome(index),
                    count=int(counts[column]),
                    exact=None if np.isnan(p) else float(p),
                )
            )
    return tuple(found)

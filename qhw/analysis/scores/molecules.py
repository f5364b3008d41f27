"""Sections of a result about molecules: distances, atom types, graphs, validity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from qhw.analysis.compare.result import (
    Estimate,
    Metric,
    MoleculeRecord,
    Row,
    Section,
    SourceKey,
    Validity,
)
from qhw.analysis.scores.distributions import make_row
from qhw.chem.bonds import Protocol, check_protocol, same_graph
from qhw.chem.molecule import MAX_ATOMS, MoleculeBatch
from qhw.chem.novelty import Known
from qhw.chem.rmsd import kabsch_rmsd
from qhw.chem.validity import ValidityReport, check_positions, judge
from qhw.scheduler import Scheduler, in_order

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
PROTOCOLS: tuple[Protocol, ...] = ("strict", "released")
_JUDGED_TOGETHER = 500
"""Molecules of a piece: a second or so."""
Reports = Mapping[Protocol, ValidityReport]
"""Judgement of one batch, by protocol."""


def molecule_section(
    key: str,
    title: str,
    text: str,
    reference: MoleculeBatch,
    decoded: Mapping[SourceKey, MoleculeBatch],
    rng: np.random.Generator,
) -> Section:
    """Compare decoded molecules with a reference, atom by atom in order.

    Args:
        key: of the section.
        title: of the section.
        text: of the section.
        reference: K molecules.
        decoded: by source, K molecules each.
        rng: of the intervals.
    """
    wanted = padded(reference)
    batches = {source: padded(batch) for source, batch in decoded.items()}
    rmsd = {source: kabsch_rmsd(batch, wanted) for source, batch in batches.items()}
    types = {source: type_accuracy(batch, wanted) for source, batch in batches.items()}
    graph = {
        source: same_graph(batch, wanted).astype(np.float64) for source, batch in batches.items()
    }
    metrics = (
        Metric(
            key="rmsd",
            label="coordinate RMSD",
            unit="Å",
            better="lower",
            rows=tuple(make_row(source, v, rng) for source, v in rmsd.items()),
            note="after the best rotation and translation (mirror images stay apart); defined only "
            "where the atom counts agree",
        ),
        Metric(
            key="type_accuracy",
            label="atom types right",
            better="higher",
            rows=tuple(make_row(source, v, rng, within=(0.0, 1.0)) for source, v in types.items()),
            note="share of each molecule's atoms; missing and surplus atoms count as wrong",
        ),
        Metric(
            key="same_graph",
            label="same molecular graph",
            better="higher",
            rows=tuple(_share_row(source, v) for source, v in graph.items()),
            note="elements and strict bonds agree atom by atom; Wilson interval",
        ),
    )
    return Section(key=key, title=title, text=text, metrics=metrics)


def type_accuracy(molecules: MoleculeBatch, reference: MoleculeBatch) -> FloatArray:
    """Share of atoms with the right element, missing and surplus atoms counted as wrong.

    Args:
        molecules: K molecules.
        reference: K molecules, same padding.

    Returns:
        ``(K,)``; 1 where both are empty.
    """
    either = (molecules.types >= 0) | (reference.types >= 0)
    right = (molecules.types == reference.types) & either
    atoms = either.sum(axis=1)
    return np.where(atoms > 0, right.sum(axis=1) / np.maximum(atoms, 1), 1.0)


def wilson(successes: float, trials: float, level: float = 0.95) -> Estimate:
    """A share with its Wilson score interval, which stays honest at 0 and 1.

    Args:
        successes: how many of
        trials: above zero; effective numbers need not be whole.
        level: nominal coverage.

    Source: Wilson, Journal of the American Statistical Association 22, 209 (1927).
    """
    z = float(ndtri(0.5 + 0.5 * level))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials)
    half *= float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)))
    low, high = min(share, centre - half), max(share, centre + half)
    return Estimate(value=share, low=max(0.0, low), high=min(1.0, high), level=level)


def paired_shares(first: BoolArray, second: BoolArray, level: float = 0.95) -> Estimate:
    """The second share minus the first, of the same rows; honest where no row differs, too.

    Args:
        first: ``(K,)`` whether each row succeeded, K >= 1.
        second: ``(K,)`` likewise, the same rows.
        level: nominal coverage.

    Source: Bonett and Price, Journal of Educational and Behavioral Statistics 37, 479 (2012).
    """
    rows = len(first)
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    more, less = (won + 1) / (rows + 2), (lost + 1) / (rows + 2)
    half = float(ndtri(0.5 + 0.5 * level))
    half *= float(np.sqrt((more + less - (more - less) ** 2) / (rows + 2)))
    value, centre = (won - lost) / rows, more - less
    low, high = min(value, centre - half), max(value, centre + half)
    return Estimate(value=value, low=max(-1.0, low), high=min(1.0, high), level=level)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Work: molecules to judge."""

    molecules: MoleculeBatch
    protocol: Protocol


def reports(
    batch: MoleculeBatch,
    *,
    reference: Known | None = None,
    scheduler: Scheduler | None = None,
) -> Reports:
    """A batch under both protocols, see :func:`judge_on`."""
    return {p: judge_on(scheduler, batch, p, reference=reference) for p in PROTOCOLS}


def judge_on(
    scheduler: Scheduler | None,
    batch: MoleculeBatch,
    protocol: Protocol,
    *,
    reference: Known | None = None,
) -> ValidityReport:
    """:func:`qhw.chem.validity.judge`, wherever.

    Args:
        scheduler: where pieces of the batch are judged; ``None`` for all of it in this process.
        batch: as there.
        protocol: as there.
        reference: as there.

    Raises:
        ValueError: as there.
        SchedulerError: a piece that its workers did not survive.
    """
    if scheduler is None:
        return judge(batch, protocol, reference=reference)
    check_protocol(protocol)
    check_positions(batch)
    starts = range(0, max(len(batch), 1), _JUDGED_TOGETHER)
    pieces = [_Piece(batch[start : start + _JUDGED_TOGETHER], protocol) for start in starts]
    parts = in_order(scheduler, _judged, pieces)
    statuses = tuple(status for part in parts for status in part.statuses)
    smiles = tuple(text for part in parts for text in part.smiles)
    return ValidityReport(protocol, statuses, smiles).against(reference)


def _judged(piece: _Piece) -> ValidityReport:
    return judge(piece.molecules, piece.protocol)


def validity_rows(judged: Mapping[SourceKey, Reports]) -> tuple[Validity, ...]:
    """Every source under both protocols."""
    rows = []
    for protocol in PROTOCOLS:
        for source, by_protocol in judged.items():
            report = by_protocol[protocol]
            rows.append(
                Validity(
                    source=source,
                    protocol=protocol,
                    samples=report.samples,
                    kept=report.kept,
                    valid=report.valid,
                    unique=report.unique,
                    reasons=report.reasons,
                    novelty=report.novelty,
                )
            )
    return tuple(rows)


def molecule_records(
    names: Sequence[str],
    rows: Sequence[int],
    molecules: Mapping[SourceKey, MoleculeBatch],
    judged: Mapping[SourceKey, Reports],
    device: SourceKey,
) -> tuple[MoleculeRecord, ...]:
    """What each row's molecules are, under the strict protocol.

    Args:
        names: of the B rows.
        rows: their numbers in the run.
        molecules: B by source: ``exact``, ``device``, and ``input`` if molecules went in.
        judged: the same sources.
        device: source that stands for the device.
    """
    exact_report, device_report = judged["exact"]["strict"], judged[device]["strict"]
    nothing = (None,) * len(names)
    given_smiles = judged["input"]["strict"].smiles if "input" in judged else nothing
    rmsd = kabsch_rmsd(padded(molecules[device]), padded(molecules["exact"]))
    return tuple(
        MoleculeRecord(
            index=row,
            name=names[place],
            input_smiles=given_smiles[place],
            exact_smiles=exact_report.smiles[place],
            device_smiles=device_report.smiles[place],
            exact_status=exact_report.statuses[place],
            device_status=device_report.statuses[place],
            rmsd=float(rmsd[place]) if np.isfinite(rmsd[place]) else None,
        )
        for place, row in enumerate(rows)
    )


def _share_row(source: SourceKey, values: FloatArray) -> Row:
    return Row(
        source=source,
        values=tuple(float(v) for v in values),
        mean=wilson(int(values.sum()), len(values)),
    )


def padded(batch: MoleculeBatch) -> MoleculeBatch:
    """The batch with exactly :data:`MAX_ATOMS` places (decoders may return other paddings)."""
    return batch.padded(MAX_ATOMS)

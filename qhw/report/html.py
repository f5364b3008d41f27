"""The report: one HTML file that opens offline and asks nobody for anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.result import (
    REHEARSAL,
    SOURCE_LABELS,
    TASK_TITLES,
    TASK_WAYS,
    Estimate,
    Metric,
    SourceKey,
    Validity,
)
from qhw.analysis.scores.molecules import padded, wilson
from qhw.chem.bonds import same_graph
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.rmsd import superposed
from qhw.report.chip import chip_figure
from qhw.report.drawing import structure_svg, view_json
from qhw.report.figures import key_figure
from qhw.report.foreign import foreign_lines
from qhw.report.head import head_lines
from qhw.report.missing import missing_groups, rows_said
from qhw.report.outcomes import likeliest
from qhw.report.page import asset, environment
from qhw.report.pipeline import fit_lines
from qhw.report.prediction import prediction_words, three_columns
from qhw.report.probe import fitted_file, noise_words

Likeness = Literal["identical molecule", "same connectivity", "differs"]
Tone = Literal["yes", "near", "no"]
_HARDWARE = ("ibm:", "braket:")
"""Names of backends whose counts a vendor measured; all others compute them here."""
_CONNECTED: Likeness = "same connectivity"
_OTHER_ORDERS = ", other bond orders"
MAX_PAIRS = 24
"""Molecules drawn, in row order; the SDF has all."""


_TITLES: dict[SourceKey, str] = {
    "input": "input",
    "exact": "exact",
    "device_raw": "device, raw",
    "device_readout": "device, corrected",
    "device_mitigated": "device, mitigated",
    "device_raw_head": "device, raw, refitted head",
    "device_readout_head": "device, corrected, refitted head",
}


@dataclass(frozen=True)
class Side:
    """One molecule of a pair, ready for the page.

    Attributes:
        title: where it comes from.
        drawing: flat structure, ``None`` when the geometry is not valid.
        reason: why not.
        smiles: of a valid one.
        view: JSON of the turning view.
    """

    title: str
    drawing: Markup | None
    reason: str
    smiles: str | None
    view: str


@dataclass(frozen=True)
class Pair:
    """The molecules of a row: input if there is one, exact, device.

    Attributes:
        row: of the run.
        name: of the row.
        rmsd: device against exact, Å.
        likeness: of the device's molecule to the exact one.
        valid: whether the device's structure is.
        sides: the molecules.
    """

    row: int
    name: str
    rmsd: float | None
    likeness: Likeness
    valid: bool
    sides: tuple[Side, ...]

    @property
    def told(self) -> str:
        """What the card says."""
        if self.valid:
            return f"{self.likeness}{_OTHER_ORDERS if self.likeness == _CONNECTED else ''}"
        return f"{_CONNECTED}, not valid" if self.likeness == _CONNECTED else "not valid"

    @property
    def tone(self) -> Tone:
        """Its colour: green for the very same molecule only, never where it is not valid."""
        if not self.valid or self.likeness == "differs":
            return "no"
        return "yes" if self.likeness == "identical molecule" else "near"


def render(comparison: Comparison, run_id: str) -> str:
    """The report's HTML text.

    Args:
        comparison: a finished comparison.
        run_id: name of its folder.
    """
    result = comparison.result
    snapshot, task = comparison.snapshot, comparison.result.settings.task
    used: dict[str, tuple[int, ...]] = {c.role: c.qubits for c in result.circuits}
    main = result.section(result.verdict.section)
    assert main is not None
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            run_id=run_id,
            main=main,
            labels=SOURCE_LABELS,
            heading=None if task == "measure" else TASK_TITLES[task],
            way=None if task == "measure" else TASK_WAYS[task],
            new_molecules=next((v.novelty for v in result.validity if v.novelty), None),
            css=asset("report.css"),
            script=asset("viewer.js"),
            figure=Markup(key_figure(main, [row.index for row in result.named_rows]))
            if main.leading is not None
            else None,
            chip=Markup(chip_figure(snapshot, used)) if snapshot is not None else None,
            pairs=pairs(comparison) if comparison.outcome.molecules else [],
            outcomes=likeliest(comparison),
            skill_of=skill_of,
            validity_share=validity_share,
            headline=result.device_source,
            rows_said=rows_said(result),
            on_hardware=result.device.backend.startswith(_HARDWARE) and not result.rehearsal,
            rehearsal=REHEARSAL if result.rehearsal else None,
            missing=missing_groups(result),
            mitigated=[c for c in result.circuits if c.mitigation is not None],
            fit_lines=fit_lines,
            foreign=[] if result.foreign is None else foreign_lines(result.foreign),
            three_columns=three_columns(comparison),
            prediction_words=prediction_words,
            noise_words=noise_words,
            fitted_file=fitted_file,
            head_lines=[] if result.head is None else head_lines(result.head),
            molecule_source=result.molecule_source,
        )
    )


def skill_of(metric: Metric, source: SourceKey) -> Estimate | None:
    """Skill score of a row, ``None`` if it has none."""
    return next((s.estimate for s in metric.skills if s.source == source), None)


def validity_share(row: Validity, whole: int) -> Estimate | None:
    """Valid molecules of ``whole`` with the Wilson interval."""
    return wilson(row.valid, whole) if whole else None


def pairs(comparison: Comparison) -> list[Pair]:
    """The first :data:`MAX_PAIRS` rows, every molecule laid onto the exact one."""
    batches = comparison.outcome.molecules
    own, source = comparison.result.device_source, comparison.outcome.device
    exact = padded(batches["exact"])
    shown = dict.fromkeys(("input", "exact", own, source))
    laid = {key: superposed(padded(batches[key]), exact) for key in shown if key in batches}
    reports = {key: comparison.outcome.judged[key]["strict"] for key in laid}
    graph = same_graph(laid[source], laid["exact"])
    out = []
    for row, record in enumerate(comparison.result.molecules[:MAX_PAIRS]):
        sides = tuple(
            _side(_TITLES[key], batch, row, reports[key].smiles[row], reports[key].statuses[row])
            for key, batch in laid.items()
        )
        likeness: Likeness = _CONNECTED if graph[row] else "differs"
        if record.identical:
            likeness = "identical molecule"
        valid = record.device_status == "valid"
        out.append(Pair(record.index, record.name, record.rmsd, likeness, valid, sides))
    return out


def _side(title: str, batch: MoleculeBatch, row: int, smiles: str | None, status: str) -> Side:
    drawing = Markup(structure_svg(smiles, f"structure {smiles}")) if smiles else None
    return Side(title, drawing, status, smiles, view_json(*batch.molecule(row)))

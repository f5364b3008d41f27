"""What a comparison found, as frozen, versioned JSON.

A number from a device never stands alone: each :class:`Metric` holds, for the same latents, the
device's rows, the shot floor and the baselines. Angles are degrees, distances Å, durations
seconds, ages days, money US dollars.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from calibration.documents import read_document
from calibration.parts import Frozen, Utc
from qhw.analysis.compare.facts import Agreement as Agreement
from qhw.analysis.compare.facts import (
    CircuitFacts,
    CircuitRole,
    DeviceFacts,
    ForeignFacts,
    HeadFacts,
    Level,
    ModelFacts,
    PredictionFacts,
    ProbeFacts,
)
from qhw.analysis.compare.facts import Count as Count
from qhw.analysis.compare.facts import Estimate as Estimate
from qhw.analysis.compare.facts import KappaPoint as KappaPoint
from qhw.analysis.compare.settings import MeasureSettings, Settings, Task
from qhw.analysis.validate.beside import OnHardware
from qhw.chem.novelty import Novelty

SCHEMA_VERSION = 4
"""Version written by this code; every version up to it is read."""

SourceKey = Literal[
    "exact",
    "shots_only",
    "device_raw",
    "device_readout",
    "device_mitigated",
    "device_raw_head",
    "device_readout_head",
    "uniform",
    "prior_mean",
    "input",
    "qm9",
]
DeviceSource = Literal["device_raw", "device_readout", "device_mitigated"]
DEVICE_SOURCES: tuple[DeviceSource, ...] = ("device_raw", "device_readout", "device_mitigated")
"""What a device gave, from the counts outwards; the last there is stands for the device."""
HEAD_OF: dict[DeviceSource, SourceKey] = {
    "device_raw": "device_raw_head",
    "device_readout": "device_readout_head",
}
"""What a refitted read-out makes of each of these: molecules and directions, no distribution."""
MOLECULE_SOURCES: tuple[SourceKey, ...] = (*DEVICE_SOURCES, *HEAD_OF.values())
"""Molecules of a device; the last there is stands for it."""


SOURCE_LABELS: dict[SourceKey, str] = {
    "exact": "exact (infinite shots, no noise)",
    "shots_only": "shot floor (no noise, same shots)",
    "device_raw": "device, raw",
    "device_readout": "device, readout corrected",
    "device_mitigated": "device, mitigated",
    "device_raw_head": "device, raw, refitted head",
    "device_readout_head": "device, readout corrected, refitted head",
    "uniform": "baseline: uniform distribution",
    "prior_mean": "baseline: mean of the others",
    "input": "input molecules",
    "qm9": "QM9's own geometries",
}
"""Words for where numbers come from. The baselines need no QPU."""


TASK_TITLES: dict[Task, str] = {
    "generate": "Generated molecules",
    "encode": "Molecules rebuilt from a measured encoder",
    "reconstruct": "Reconstructed molecules, end to end",
}
TASK_WAYS: dict[Task, str] = {
    "generate": "new molecules from latents of a prior, decoded on the device; no molecule goes in",
    "encode": "input molecules through the encoder on the device; an exact decoder rebuilds them",
    "reconstruct": "input molecules through encoder, latent draw and decoder, all on the device",
}
"""What a task makes, and where: generated from a prior, or rebuilt from an input molecule."""


REHEARSAL = "Rehearsal: a vendor simulated on this machine; no device ran and nothing was charged"
"""Said wherever a result of a rehearsal is shown."""


class ResultError(ValueError):
    """A result file cannot be used; one line says where and why."""


class Row(Frozen):
    """One source's values of a metric.

    Attributes:
        source: where they come from.
        values: one a latent or molecule; ``None`` where undefined (other atom count).
        mean: over the defined ones; ``None`` with fewer than two.
    """

    source: SourceKey
    values: tuple[float | None, ...]
    mean: Estimate | None

    @property
    def defined(self) -> int:
        """How many values there are."""
        return sum(value is not None for value in self.values)


class Skill(Frozen):
    """``1 - mean error / mean error of the best baseline``: 1 perfect, 0 no better, < 0 worse."""

    source: SourceKey
    baseline: SourceKey
    estimate: Estimate


class Metric(Frozen):
    """A metric of every source, on the same rows.

    Attributes:
        key: for code.
        label: for people.
        unit: ``""`` where there is none.
        better: which direction is good.
        rows: device, floor and baselines.
        skills: of the device rows and of the shot floor, against the best baseline.
        note: definition where it is not plain.
    """

    key: str
    label: str
    unit: str = ""
    better: Literal["lower", "higher"]
    rows: tuple[Row, ...]
    skills: tuple[Skill, ...] = ()
    note: str = ""

    def row(self, source: SourceKey) -> Row | None:
        """The row of a source, ``None`` if it has none."""
        return next((row for row in self.rows if row.source == source), None)


class Section(Frozen):
    """Metrics that belong together.

    Attributes:
        key: ``encoder``, ``decoder``, ``pipeline``, ``direction``, ``molecules_exact``,
            ``molecules_input``, ``kept`` of what is post-selected, or ``condition``.
        title: heading.
        text: what is compared with what, in a sentence or two.
        metrics: the numbers.
    """

    key: str
    title: str
    text: str
    metrics: tuple[Metric, ...]

    @property
    def leading(self) -> Metric | None:
        """What a verdict rests on: linear cross-entropy of wide circuits, else total variation."""
        return self.metric("linear_xeb") or self.metric("total_variation")

    def metric(self, key: str) -> Metric | None:
        """The metric of that key, ``None`` if it has none."""
        return next((metric for metric in self.metrics if metric.key == key), None)


class Validity(Frozen):
    """One source judged under one protocol, with every denominator.

    Attributes:
        source: what was judged.
        protocol: ``strict`` or ``released``.
        samples: all molecules.
        kept: those of two atoms or more; the released protocol divides by these.
        valid: valid ones.
        unique: different SMILES among the valid.
        reasons: how many molecules have each status.
        novelty: what of the valid is new; of generated molecules only (since version 4).
    """

    source: SourceKey
    protocol: str
    samples: Count
    kept: Count
    valid: Count
    unique: Count
    reasons: dict[str, int]
    novelty: Novelty | None = None


class MoleculeRecord(Frozen):
    """One row's molecules under the strict protocol.

    Attributes:
        index: row of the run; those of :attr:`ComparisonResult.missing` are left out.
        name: of the row.
        input_smiles: of what went in, ``None`` if nothing did or it is not valid.
        exact_smiles: of the exact way, ``None`` if not valid.
        device_smiles: of the device, readout corrected or with a refitted head if that was asked
            for.
        exact_status: ``valid`` or the first reason against.
        device_status: ``valid`` or the first reason against.
        rmsd: device against exact, Å, ``None`` where the atom counts differ.
    """

    index: Count
    name: str
    input_smiles: str | None
    exact_smiles: str | None
    device_smiles: str | None
    exact_status: str
    device_status: str
    rmsd: float | None

    @property
    def identical(self) -> bool:
        """Whether the device gave the exact reference's molecule, and that is a valid one."""
        return self.device_smiles is not None and self.device_smiles == self.exact_smiles


class MissingRow(Frozen):
    """A row without a result because its circuit failed.

    Attributes:
        index: row of the run.
        name: of the row.
        role: circuit that failed.
        text: the vendor's words.
    """

    index: Count
    name: str
    role: CircuitRole
    text: str


class RowName(Frozen):
    """A row that is compared.

    Attributes:
        index: row of the run.
        name: of it.
    """

    index: Count
    name: str


class SeenOutcome(Frozen):
    """One of the outcomes that a row gave most often.

    Attributes:
        index: row of the run.
        outcome: as Qiskit writes it.
        count: raw.
        exact: its probability; ``None`` without an exact reference.
    """

    index: Count
    outcome: str
    count: Count
    exact: float | None


class Reference(Frozen):
    """How the exact distribution of a wide circuit is known, if it is.

    Attributes:
        method: ``statevector``, ``stabilizer``, ``matrix product state`` or ``none``.
        detail: one line of the worst row: sizes and truncation, or why there is none.
        discarded_weight: that truncation left out, of the worst row.
        distinct: different outcomes seen, of all rows.
        seen: the most frequent ones of the first rows.
    """

    method: str
    detail: str
    discarded_weight: float
    distinct: Count
    seen: tuple[SeenOutcome, ...]


class Draw(Frozen):
    """The vMF draw of ``reconstruct``.

    Attributes:
        kappa: intended concentration, ``None`` when the mean direction itself was used.
        kappa_used: smallest and largest concentration after the correction for shots; ``None``
            where no draw was needed because shots already spread as much.
        unattainable: rows whose shots alone spread more than intended.
        expected_angle: mean rms angle of mu-hat from shots alone, degrees.
    """

    kappa: float | None
    kappa_used: tuple[float | None, float | None]
    unattainable: int
    expected_angle: float


class Provenance(Frozen):
    """How to get this result again; the only part that differs between equal runs."""

    created: Utc
    command: str
    versions: dict[str, str]
    git_revision: str | None
    git_dirty: bool | None
    platform: str
    wall_s: float
    snapshot_age_days: float | None


class Verdict(Frozen):
    """The one sentence at the top.

    Attributes:
        level: ``better``, ``same`` or ``worse`` than the best baseline; ``unknown`` where no
            device could be better, because a baseline is exact (since version 3).
        text: the sentence.
        section: section it rests on.
        skill: skill score of the device; ``None`` where it is unknown.
        metric: key of the metric of that score (since version 3).
    """

    level: Level
    text: str
    section: str
    skill: Skill | None
    metric: str = "total_variation"


class ComparisonResult(Frozen):
    """Everything a comparison found.

    Attributes:
        model: ``None`` for a person's own circuit (since version 3).
        row_names: of the rows compared, with their places in the run (since version 3).
        missing: rows that did not come all the way because a circuit of theirs failed; where it
            was the decoder, the row still counts in the encoder's sections.
        rehearsal: the vendor was a server on this machine: counts are simulated, and money is what
            the run would have cost (since version 2; earlier files do not say).
        reference: of a wide circuit how exact is known; ``None`` where it is a statevector of all
            rows (since version 3).
        kappas: of a model whose kappa is assumed, what the verdict of ``reconstruct`` is at others
            (since version 4).
        agreement: rows whose molecules are the same (since version 4; ``None`` of a person's own
            circuit).
        head: where refitted read-outs come from, if there are any (since version 4).
        on_hardware: of a device model, where real devices would lie (since version 4; earlier files
            of that version do not say).
        predictions: what the device's model said of each circuit before it was sent to a paid
            device, and whether that was so (since version 4).
        foreign: of counts that were made elsewhere, where they are from (since version 4).
        probes: of a run with ``--probe``, the noise of the day and what it predicts of each circuit
            (since version 4).
    """

    schema_version: int = SCHEMA_VERSION
    settings: Annotated[Settings | MeasureSettings, Field(discriminator="task")]
    verdict: Verdict
    model: ModelFacts | None
    device: DeviceFacts
    circuits: tuple[CircuitFacts, ...]
    sections: tuple[Section, ...]
    validity: tuple[Validity, ...]
    molecules: tuple[MoleculeRecord, ...]
    draw: Draw | None
    provenance: Provenance
    missing: tuple[MissingRow, ...] = ()
    rehearsal: bool = False
    row_names: tuple[RowName, ...] = ()
    reference: Reference | None = None
    agreement: Agreement | None = None
    kappas: tuple[KappaPoint, ...] = ()
    head: HeadFacts | None = None
    on_hardware: OnHardware | None = None
    predictions: tuple[PredictionFacts, ...] = ()
    foreign: ForeignFacts | None = None
    probes: tuple[ProbeFacts, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that came all the way and are compared."""
        return self.settings.rows - len(self.missing)

    @property
    def named_rows(self) -> tuple[RowName, ...]:
        """The rows compared; of files before version 3 those of their molecules."""
        return self.row_names or tuple(RowName(index=m.index, name=m.name) for m in self.molecules)

    @property
    def subject(self) -> str:
        """What ran: the model, or the circuit."""
        if self.model is not None:
            return self.model.name
        return self.settings.circuit if isinstance(self.settings, MeasureSettings) else "circuit"

    @property
    def device_source(self) -> SourceKey:
        """The row that stands for the device: what was made of its counts, if anything."""
        section = self.section(self.verdict.section)
        metric = None if section is None else section.metric("total_variation")
        there = [] if metric is None else [row.source for row in metric.rows]
        return next((s for s in reversed(DEVICE_SOURCES) if s in there), "device_raw")

    @property
    def molecule_source(self) -> SourceKey:
        """Whose molecules stand for the device: those of a refitted head, if there is one."""
        there = {row.source for row in self.validity}
        return next((s for s in reversed(MOLECULE_SOURCES) if s in there), self.device_source)

    def section(self, key: str) -> Section | None:
        """The section of that key, ``None`` if it has none."""
        return next((section for section in self.sections if section.key == key), None)

    def to_json(self) -> str:
        """JSON text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "result") -> ComparisonResult:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Args:
            text: JSON text.
            where: name of the file, used in errors.

        Raises:
            ResultError: not JSON, another version, or a value out of place.
        """
        return read_document(cls, text, SCHEMA_VERSION, where, ResultError)

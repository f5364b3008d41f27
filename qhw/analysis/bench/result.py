"""What a bench of mitigation pipelines found, as frozen, versioned JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    computed_field,
    model_validator,
)

from calibration.documents import read_document
from calibration.parts import Frozen, Utc
from qhw.analysis.compare.parsed import Parsed
from qhw.analysis.compare.settings import Preparation
from qhw.analysis.scores.crossed import Measured

SCHEMA_VERSION = 3
"""Version written by this code; every version up to it is read."""

BEST_RULE = (
    "best is the least distance among the pipelines told better than raw counts "
    "(paired row by row, at 5 %, Holm)"
)
"""How :attr:`Budget.best` is chosen, in the words of tables, pages and JSON."""

BenchTask = Literal["generate", "encode", "circuit"]
"""Which circuit of a model, or a person's own."""
Comparison = Literal["better", "not told apart", "worse"]


def _as_now(word: object) -> object:
    """Version 1 said "same" of what no test tells apart."""
    return "not told apart" if word == "same" else word


_Told = Annotated[Comparison | None, BeforeValidator(_as_now)]


def _different(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values or len(set(values)) != len(values):
        raise ValueError(f"must list at least one value and none twice, but is {list(values)}")
    return values


class BenchSettings(Parsed):
    """What was asked for.

    Attributes:
        model: shipped name or path of a checkpoint.
        devices: backend names.
        shots: budgets: shots of each row on average, calibration and training counted.
        rows: latents, or molecules.
        repeats: of everything random but rows and circuits.
        pipelines: as text; ``default`` is resolved for every device. With ``+head`` at the end,
            molecules are decoded by a head refitted to what the pipeline gives of rows whose
            outcome is known, their shots counted.
        task: ``generate`` (decoder) or ``encode`` (encoder) of a model; ``circuit``: a person's
            own, whose name stands in place of the model's.
        preparation: how amplitudes are loaded.
        prior: that latents are drawn from; ``None`` takes the model's own.
        share: of all shots for readout calibration, in pipelines that do not say how much.
        noise: changed strengths by name, see :class:`calibration.noise.NoiseOptions`.
        seed: of everything random.
    """

    model: str
    devices: Annotated[tuple[str, ...], AfterValidator(_different)]
    shots: Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_different)]
    pipelines: Annotated[tuple[str, ...], AfterValidator(_different)]
    rows: Annotated[int, Field(ge=2)] = 20
    repeats: Annotated[int, Field(ge=2)] = 5
    task: BenchTask = "generate"
    preparation: Preparation = "brickwork"
    prior: str | None = None
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    noise: Annotated[dict[str, float], Field(default_factory=dict)]
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _prior_of_latents(self) -> Self:
        if self.prior is not None and self.task != "generate":
            raise ValueError(
                f"Argument `prior` must be left out of task {self.task}, but is given; it belongs "
                "to generate"
            )
        return self

    @property
    def row_word(self) -> str:
        """What the rows are, in a word."""
        return {"generate": "latents", "encode": "molecules"}.get(self.task, "circuits")


class Cell(Frozen):
    """One pipeline at one budget.

    Attributes:
        asked: pipeline as asked for.
        pipeline: as run; empty where it was refused before it could be read.
        refused: why it cannot run here; everything below is then ``None``.
        tvd: total variation distance to the circuit's exact distribution.
        ratio: raw distance over this one.
        over_readout: distance of readout correction alone minus this one, paired by row.
        p_value: of that difference being none.
        against_readout: in words, at 5 %, Holm-corrected over the budget's pipelines.
        against_raw: likewise beside raw counts; ``None`` in version 1.
        angle_deg: between exact and measured mean directions; encoder only.
        valid: share of strictly valid molecules; of models with a linear head only.
        valid_over_raw: that minus the share of raw counts, paired by row.
        valid_against_raw: in words, at 5 %, Holm-corrected over the budget's pipelines.
        coverage: share of exact values within 1.96 standard errors of the estimate; outcomes
            expected about once or less are nearly always covered.
        negative_mass: of quasi-distributions, mean.
        circuits: run for one row, calibration and training not counted.
        multiplier: shots of everything over those on the rows' own circuit.
        total_shots: of all rows, everything counted.
    """

    asked: str
    pipeline: str = ""
    refused: str | None = None
    tvd: Measured | None = None
    ratio: Measured | None = None
    over_readout: Measured | None = None
    p_value: float | None = None
    against_readout: _Told = None
    against_raw: _Told = None
    angle_deg: Measured | None = None
    valid: Measured | None = None
    valid_over_raw: Measured | None = None
    valid_against_raw: _Told = None
    coverage: float | None = None
    negative_mass: float | None = None
    circuits: int | None = None
    multiplier: float | None = None
    total_shots: int | None = None


class Budget(Frozen):
    """All pipelines at one number of shots.

    Attributes:
        shots: of each row on average.
        floor: distance of a perfect device with all these shots on the circuit itself.
        floor_angle_deg: likewise; encoder only.
        cells: one a pipeline.
        best_pipeline: as asked for; derived, in JSON for its readers.
        best_rule: how it is chosen; derived likewise.
    """

    shots: int
    floor: float
    floor_angle_deg: float | None = None
    cells: tuple[Cell, ...]

    def cell(self, asked: str) -> Cell | None:
        """A pipeline's, as asked for."""
        return next((cell for cell in self.cells if cell.asked == asked), None)

    @property
    def least(self) -> Cell | None:
        """The one with the smallest distance, told from the others or not."""
        return _least(self.cells)

    @property
    def most_valid(self) -> Cell | None:
        """With the most valid molecules, if it is told better than raw counts in these."""
        better = [c for c in self.cells if c.valid_against_raw == "better" and c.valid is not None]
        return max(better, key=lambda cell: cell.valid.value if cell.valid else 0.0, default=None)

    @property
    def best(self) -> Cell | None:
        """By :data:`BEST_RULE`; ``None`` where no pipeline is told better than raw counts."""
        return _least([cell for cell in self.cells if cell.against_raw == "better"])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def best_pipeline(self) -> str | None:
        """As asked for."""
        return None if self.best is None else self.best.asked

    @computed_field  # type: ignore[prop-decorator]
    @property
    def best_rule(self) -> str:
        """How it is chosen."""
        return BEST_RULE

    @model_validator(mode="before")
    @classmethod
    def _without_derived(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if k not in cls.model_computed_fields}


def _least(cells: Sequence[Cell]) -> Cell | None:
    ran = [(c.tvd.value, i) for i, c in enumerate(cells) if c.tvd is not None]
    return cells[min(ran)[1]] if ran else None


class DeviceBench(Frozen):
    """All budgets on one device.

    Attributes:
        device: backend name.
        taken: time of its calibration; ``None`` when ideal.
        two_qubit_gates: of the compiled circuit.
        two_qubit_depth: likewise.
        duration_s: likewise.
        expected_errors: sum of the two-qubit gates' reported errors; ``None`` when ideal.
        uniform: distance of the uniform distribution, which needs no QPU.
        prior_mean: of the mean exact distribution of the other rows, likewise.
        prior_mean_angle_deg: likewise; encoder only.
        loading: distance between the circuit's exact distribution and the model's.
        default: what ``default`` is here.
        valid: share of strictly valid molecules of the exact distributions, as for a cell.
        budgets: ascending.
    """

    device: str
    taken: Utc | None
    two_qubit_gates: int
    two_qubit_depth: int
    duration_s: float | None
    expected_errors: float | None
    uniform: float
    prior_mean: float
    prior_mean_angle_deg: float | None = None
    loading: float
    default: str
    valid: float | None = None
    budgets: tuple[Budget, ...]

    @property
    def constant(self) -> float:
        """Distance of the better baseline."""
        return min(self.uniform, self.prior_mean)


class BenchResult(Frozen):
    """A whole bench.

    Attributes:
        settings: what was asked for.
        devices: in that order.
        created: when.
        command: that made it.
        git_revision: of the code, where known.
        versions: of packages.
        wall_s: seconds it took.
        schema_version: of this format.
    """

    settings: BenchSettings
    devices: tuple[DeviceBench, ...]
    created: Utc
    command: str
    git_revision: str | None
    versions: dict[str, str]
    wall_s: float
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Indented JSON text."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> BenchResult:
        """Read :meth:`to_json`'s text.

        Raises:
            ValueError: not a bench, or of a later version.
        """
        return read_document(cls, text, SCHEMA_VERSION, "A bench")

"""What a study's table says: curves over noise, error budgets, and who is below the baseline.

Intervals are bootstraps over latents (molecules, rows of angles); layout seeds are averaged for
each first. Seeds bring latents of their own; a person's own circuit has the same rows for every
seed, which are averaged too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from calibration.parts import Frozen, Utc
from qhw.analysis.compare.result import Estimate
from qhw.analysis.scores.bootstrap import (
    Interval,
    always_something_to_beat,
    mean_interval,
    skill_interval,
)
from qhw.analysis.scores.molecules import wilson
from qhw.analysis.validate.interval import Interval as RealInterval
from qhw.analysis.validate.interval import interval_of_distance
from qhw.study.config import StudyConfig
from qhw.study.crossing import Crossing, crossing
from qhw.study.grid import ALL_ON

FloatArray = NDArray[np.float64]
Row = Mapping[str, Any]
SCHEMA_VERSION: Literal[2] = 2
"""Version 1 knew models alone: what is of molecules was never missing."""
JUDGED_MITIGATION = ("none", "readout")
"""Mitigation whose distance still is that of the device's noise, so public results judge it."""
NEED_DURATIONS = ("gate_relaxation", "idle", "detuning")
"""Sources that no device shows that reports no gate times."""
_SEED = 41
_DISTANCE = (0.0, 1.0)
"""What a total variation distance cannot leave."""


class Point(Frozen):
    """One noise scale of a curve; distances are total variation to exact, means over rows.

    Attributes:
        scale: factor on the reported noise.
        tvd: of the device.
        skill: against the best baseline; ``None`` where a baseline is exact on a row.
        shot_floor: of a noiseless device with these shots.
        prior_mean: baseline: mean of the other rows.
        uniform: baseline.
        valid: share of molecules valid by the strict protocol, of all samples; this and what
            follows is ``None`` of a person's own circuit.
        unique: distinct valid molecules.
        samples: molecules behind ``valid``.
        type_accuracy: share of atoms of the right element.
        rmsd: Å, where atom counts agree.
        real_tvd: where real devices of the vendor lie, at scale 1, of counts raw or corrected for
            readout; ``None`` elsewhere, or where no public result judges its models. This and
            ``real_skill`` are not in earlier files.
        real_skill: likewise.
    """

    scale: float
    tvd: Estimate
    skill: Estimate | None
    shot_floor: float
    prior_mean: float
    uniform: float
    valid: Estimate | None
    unique: int | None
    samples: int | None
    type_accuracy: float | None
    rmsd: float | None
    real_tvd: RealInterval | None = None
    real_skill: RealInterval | None = None


class Curve(Frozen):
    """A model on a device over noise scales.

    Attributes:
        model: name.
        device: name.
        vendor: of the device.
        snapshot_taken: time of its calibration.
        shots: ``None`` for infinite.
        mitigation: applied.
        decoder_two_qubit_gates: range over layout seeds.
        encoder_two_qubit_gates: likewise, ``None`` where no encoder runs.
        decoder_duration_s: shortest over layout seeds; 0 where the device reports no durations.
        points: by scale.
        crossing: where it meets the best baseline.
        exact_valid: share of molecules valid without any noise or shots; ``None`` of a circuit.
        prior_mean_valid: share valid of the baseline's molecules (they are nearly all the same);
            ``None`` likewise.
        verdict: at the noise as reported, ``None`` if the study has no scale 1.
        words: one sentence.
    """

    model: str
    device: str
    vendor: str
    snapshot_taken: Utc
    shots: int | None
    mitigation: str
    decoder_two_qubit_gates: tuple[int, int]
    encoder_two_qubit_gates: tuple[int, int] | None
    decoder_duration_s: float
    points: tuple[Point, ...]
    crossing: Crossing
    exact_valid: float | None
    prior_mean_valid: float | None
    verdict: Literal["better", "same", "worse"] | None
    words: str

    def point(self, scale: float) -> Point | None:
        """The point of a scale."""
        return next((p for p in self.points if p.scale == scale), None)


class SourceCost(Frozen):
    """What one source of noise costs, in total variation distance.

    Attributes:
        source: name.
        only: distance with this source alone (shots included).
        saved: distance that goes away without it, paired by row.
    """

    source: str
    only: Estimate | None
    saved: Estimate | None


class BudgetTable(Frozen):
    """The error budget of a model on a device.

    Attributes:
        model: name.
        device: name.
        shots: ``None`` for infinite.
        mitigation: applied.
        scale: factor on the noise.
        total: distance with everything on.
        shot_floor: distance with everything off.
        prior_mean: baseline.
        costs: by source.
        idle_known: whether the device reports the durations that idle noise needs.
    """

    model: str
    device: str
    shots: int | None
    mitigation: str
    scale: float
    total: Estimate
    shot_floor: float
    prior_mean: float
    costs: tuple[SourceCost, ...]
    idle_known: bool

    def known(self, source: str) -> bool:
        """Whether the device reports enough to say what a source costs."""
        return self.idle_known or source not in NEED_DURATIONS


class Failure(Frozen):
    """Rows that have no numbers.

    Attributes:
        model: name.
        device: name.
        reason: why.
        rows: how many.
    """

    model: str
    device: str
    reason: str
    rows: int


class StudySummary(Frozen):
    """A study in numbers.

    Attributes:
        schema_version: of this format.
        config: the study.
        rows: of the table.
        curves: in the study's order.
        budgets: likewise.
        failures: likewise.
    """

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    config: StudyConfig
    rows: int
    curves: tuple[Curve, ...]
    budgets: tuple[BudgetTable, ...]
    failures: tuple[Failure, ...]


class _Series(NamedTuple):
    model: str
    device: str
    shots: int | None
    mitigation: str


_Setting = tuple[float, str]
_Groups = dict[_Series, dict[_Setting, list[Row]]]


def summarise(config: StudyConfig, table: pa.Table) -> StudySummary:
    """Read a study's table.

    Args:
        config: the study.
        table: from :func:`qhw.study.run.run_study`.
    """
    rows = table.to_pylist()
    groups: _Groups = defaultdict(lambda: defaultdict(list))
    failures: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row["status"] != "done":
            failures[row["model"], row["device"], row["reason"]] += 1
            continue
        series = _Series(row["model"], row["device"], row["shots"], row["mitigation"])
        groups[series][row["scale"], row["sources"]].append(row)
    return StudySummary(
        config=config,
        rows=len(rows),
        curves=tuple(
            _curve(series, settings, config)
            for series, settings in groups.items()
            if any((scale, ALL_ON) in settings for scale in config.scales)
        ),
        budgets=tuple(
            budget
            for series, settings in groups.items()
            for budget in _budgets(series, settings, config)
        ),
        failures=tuple(
            Failure(model=model, device=device, reason=reason, rows=count)
            for (model, device, reason), count in failures.items()
        ),
    )


def _curve(series: _Series, settings: Mapping[_Setting, list[Row]], config: StudyConfig) -> Curve:
    scales = sorted(s for s in config.scales if (s, ALL_ON) in settings)
    points = tuple(
        _on_real_devices(
            _point(scale, settings[scale, ALL_ON]), series.mitigation, settings[scale, ALL_ON]
        )
        for scale in scales
    )
    all_rows = [row for scale in scales for row in settings[scale, ALL_ON]]
    first = all_rows[0]
    where = crossing(
        np.array(scales),
        *_paired([settings[scale, ALL_ON] for scale in scales]),
        np.random.default_rng(_SEED),
    )
    verdict, words = _judge(next((p for p in points if p.scale == 1.0), None))
    clean = settings[scales[0], ALL_ON]
    return Curve(
        **series._asdict(),
        vendor=first["vendor"],
        snapshot_taken=first["snapshot_taken"],
        decoder_two_qubit_gates=_range([row["decoder_two_qubit_gates"] for row in all_rows]),
        encoder_two_qubit_gates=None
        if first["encoder_two_qubit_gates"] is None
        else _range([row["encoder_two_qubit_gates"] for row in all_rows]),
        decoder_duration_s=min(row["decoder_duration_s"] for row in all_rows),
        points=points,
        crossing=where,
        exact_valid=_share(clean, "exact_valid"),
        prior_mean_valid=_share(clean, "prior_mean_valid"),
        verdict=verdict,
        words=f"{words} {where.words}".strip(),
    )


def _point(scale: float, rows: Sequence[Row]) -> Point:
    rng = np.random.default_rng(_SEED)
    tvd = _by_latent(rows, "tvd_rows")
    baselines = np.stack([_by_latent(rows, f"{name}_rows") for name in ("uniform", "prior_mean")])
    known = [(row["rmsd"], row["rmsd_defined"]) for row in rows if row["rmsd_defined"]]
    samples = sum(row["molecules"] for row in rows)
    decoded = all(row["valid"] is not None for row in rows)
    return Point(
        scale=scale,
        tvd=_estimate(mean_interval(tvd, rng, within=_DISTANCE)),
        skill=_estimate(skill_interval(tvd, baselines, rng))
        if always_something_to_beat(baselines)
        else None,
        shot_floor=_mean(rows, "shot_floor_tvd"),
        prior_mean=float(baselines[1].mean()),
        uniform=float(baselines[0].mean()),
        valid=wilson(sum(row["valid"] for row in rows), samples) if decoded else None,
        unique=sum(row["unique"] for row in rows) if decoded else None,
        samples=samples if decoded else None,
        type_accuracy=_mean(rows, "type_accuracy") if decoded else None,
        rmsd=sum(r * n for r, n in known) / sum(n for _, n in known) if known else None,
    )


def _on_real_devices(point: Point, mitigation: str, rows: Sequence[Row]) -> Point:
    """With where real devices lie, if anything public says."""
    if point.scale != 1.0 or mitigation not in JUDGED_MITIGATION:
        return point
    tvd = interval_of_distance(rows[0]["vendor"], point.tvd.value, point.uniform)
    if tvd is None:
        return point
    tvd = tvd.model_copy(update={"low": max(tvd.low, min(point.shot_floor, point.tvd.value))})
    best = min(point.uniform, point.prior_mean)
    ends = {"low": 1 - tvd.high / best, "high": 1 - tvd.low / best} if best else None
    skill = None if ends is None else tvd.model_copy(update=ends)
    return point.model_copy(update={"real_tvd": tvd, "real_skill": skill})


def _judge(point: Point | None) -> tuple[Literal["better", "same", "worse"] | None, str]:
    """A verdict at the noise as reported, and a sentence for it."""
    if point is None or point.skill is None:
        return None, ""
    skill = point.skill
    numbers = f"skill {skill.value:.2f}, 95 % interval {skill.low:.2f} to {skill.high:.2f}"
    if skill.low > 0:
        return (
            "better",
            f"At the reported noise closer to exact than the best baseline ({numbers}).",
        )
    if skill.high < 0:
        return "worse", (
            "At the reported noise below the baseline: a constant that needs no QPU is closer to "
            f"exact ({numbers})."
        )
    return "same", f"At the reported noise it cannot be told from a constant guess ({numbers})."


def _budgets(
    series: _Series, settings: Mapping[_Setting, list[Row]], config: StudyConfig
) -> list[BudgetTable]:
    budget = config.budget
    out = []
    for scale in budget.scales if budget else ():
        whole = settings.get((scale, ALL_ON))
        if budget is None or not whole:
            continue
        rng = np.random.default_rng(_SEED)
        costs = []
        for source in budget.sources:
            only = settings.get((scale, f"only {source}"))
            without = settings.get((scale, f"without {source}"))
            costs.append(
                SourceCost(
                    source=source,
                    only=_estimate(
                        mean_interval(_by_latent(only, "tvd_rows"), rng, within=_DISTANCE)
                    )
                    if only
                    else None,
                    saved=_difference(whole, without, rng) if without else None,
                )
            )
        out.append(
            BudgetTable(
                **series._asdict(),
                scale=scale,
                total=_estimate(
                    mean_interval(_by_latent(whole, "tvd_rows"), rng, within=_DISTANCE)
                ),
                shot_floor=_mean(whole, "shot_floor_tvd"),
                prior_mean=_mean(whole, "prior_mean_tvd"),
                costs=tuple(costs),
                idle_known=all(row["decoder_duration_s"] > 0 for row in whole),
            )
        )
    return out


def _difference(
    whole: Sequence[Row], without: Sequence[Row], rng: np.random.Generator
) -> Estimate | None:
    tvd, _ = _paired([whole, without])
    return _estimate(mean_interval(tvd[0] - tvd[1], rng)) if tvd.shape[1] >= 2 else None


def _paired(groups: Sequence[Sequence[Row]]) -> tuple[FloatArray, FloatArray]:
    """``(S, K)`` distances and ``(2, K)`` baselines of the seeds that every group has."""
    common = set.intersection(*({row["seed"] for row in rows} for rows in groups))
    kept = [[row for row in rows if row["seed"] in common] for rows in groups]
    if not common:
        return np.empty((len(groups), 0)), np.empty((2, 0))
    baselines = [_by_latent(kept[0], f"{name}_rows") for name in ("uniform", "prior_mean")]
    return np.stack([_by_latent(rows, "tvd_rows") for rows in kept]), np.stack(baselines)


def _by_latent(rows: Sequence[Row], column: str) -> FloatArray:
    """One value a latent: mean over layout seeds, seeds one after another.

    Rows of a person's own circuit are the same for every seed: mean over these too.
    """
    seeds: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        seeds[0 if row["task"] == "circuit" else row["seed"]].append(row[column])
    return np.concatenate([np.mean(values, axis=0) for _, values in sorted(seeds.items())])


def _mean(rows: Sequence[Row], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _share(rows: Sequence[Row], column: str) -> float | None:
    """Of all molecules of the rows; ``None`` where there are none."""
    if any(row[column] is None for row in rows):
        return None
    found: float = sum(row[column] for row in rows) / sum(row["molecules"] for row in rows)
    return found


def _range(values: Sequence[int]) -> tuple[int, int]:
    return min(values), max(values)


def _estimate(found: Interval) -> Estimate:
    return Estimate(value=found.value, low=found.low, high=found.high, level=found.level)

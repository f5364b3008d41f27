"""Mitigation pipelines at equal total shots, against exact, the shot floor and the baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendError, stream_seed
from backends.figures import expected_errors
from calibration.noise import NoiseOptions
from qhw.analysis.bench.counts import CountSource
from qhw.analysis.bench.result import (
    BenchResult,
    BenchSettings,
    Budget,
    Cell,
    Comparison,
    DeviceBench,
)
from qhw.analysis.bench.subject import model_workload, noisy_backend
from qhw.analysis.head.bench import HEAD, Decoding, check_heads, decoding_of
from qhw.analysis.scores.baselines import constant_distances, prior_mean, shot_floor_total_variation
from qhw.analysis.scores.crossed import Measured, crossed_mean, paired_difference, paired_ratio
from qhw.analysis.scores.metrics import mean_direction_angle, total_variation
from qhw.circuits.workload import Workload
from qhw.mitigation.base import MitigationError
from qhw.mitigation.default import default_pipeline, resolve
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import Mitigated, Program
from qhw.models.checkpoint import code_version
from qhw.provenance import versions
from qhw.scheduler import Done, LocalScheduler, Progress, Scheduler, untold

FloatArray = NDArray[np.float64]

RAW, READOUT = "none", "readout"
"""Pipelines that every bench has: all others are judged against them."""
LABEL = "circuit"
"""First part of every circuit's label, whichever circuit of a model it is."""
_LEVEL = 0.05
_NORMAL_95 = 1.96


@dataclass(frozen=True, eq=False)
class _Planned:
    """What a pipeline runs: for the rows, and for those that a head is refitted to, if any."""

    program: Program
    known: Program | None = None

    @property
    def programs(self) -> tuple[Program, ...]:
        return (self.program,) if self.known is None else (self.program, self.known)


@dataclass(frozen=True, eq=False)
class _Ran:
    """Numbers of one pipeline at one budget, ``(K, R)`` each; molecules that are valid are 1."""

    asked: str
    planned: _Planned
    tvd: FloatArray
    angle: FloatArray | None
    valid: FloatArray | None
    covered: float
    negative: float


def run_bench(
    settings: BenchSettings,
    workload: Workload | None = None,
    *,
    command: str = "",
    scheduler: Scheduler | None = None,
    done: Done = untold,
) -> BenchResult:
    """Measure pipelines on devices.

    Args:
        settings: what to do.
        workload: what runs; the model's rows that the settings name, by default.
        command: written into the result.
        scheduler: where circuits are simulated; in this process by default.
        done: told how many pieces of work (simulations, pipelines) of how many are finished.

    Raises:
        ValueError: unknown noise option.
        MitigationError: a text that is no pipeline.
        CheckpointError: no such model.
        BackendError: no such device, or one that the circuit does not fit.
    """
    start = time.monotonic()
    noise = noise_options(settings.noise)
    backends = [noisy_backend(name, noise) for name in settings.devices]
    work = workload or workload_of(settings)
    asked = with_references(settings.pipelines)
    decoding = None
    if workload is None:
        parts = (settings.model, settings.task, settings.preparation, settings.seed)
        decoding = decoding_of(*parts)
    progress = Progress(done, 0, len(backends) * len(settings.shots) * len(asked))
    devices = []
    for backend in backends:
        subject = Placed.on(backend, work, seed=settings.seed)
        found = bench_device(
            subject, asked, settings, decoding=decoding, scheduler=scheduler, progress=progress
        )
        devices.append(found)
    return BenchResult(
        settings=settings,
        devices=tuple(devices),
        created=datetime.now(UTC).replace(microsecond=0),
        command=command,
        git_revision=code_version().revision,
        versions=versions(),
        wall_s=round(time.monotonic() - start, 1),
    )


def workload_of(settings: BenchSettings) -> Workload:
    """The rows of a model that settings ask for.

    Raises:
        CheckpointError: no such model.
        ValueError: more molecules than there are.
    """
    return model_workload(
        settings.model,
        settings.task,
        settings.rows,
        settings.preparation,
        prior=settings.prior,
        seed=settings.seed,
    )


def noise_options(values: dict[str, float]) -> NoiseOptions:
    """Noise options of names and numbers.

    Raises:
        ValueError: no such option, or a value out of range.
    """
    known = NoiseOptions.__dataclass_fields__
    for name in values:
        if name not in known:
            raise ValueError(
                f"Argument `noise` must have options among {', '.join(known)}, but has {name!r}"
            )
    given: dict[str, Any] = dict(values)
    return NoiseOptions(**given)


def with_references(pipelines: Sequence[str]) -> tuple[str, ...]:
    """The pipelines, raw and readout correction before them where they are missing."""
    return (*(p for p in (RAW, READOUT) if p not in pipelines), *pipelines)


def bench_device(
    subject: Placed,
    asked: Sequence[str],
    settings: BenchSettings,
    *,
    decoding: Decoding | None = None,
    scheduler: Scheduler | None = None,
    progress: Progress | None = None,
) -> DeviceBench:
    """All pipelines at all budgets on one device.

    Args:
        subject: circuit and rows.
        asked: pipelines, ``none`` and ``readout`` among them.
        settings: budgets, repeats, share, seed.
        decoding: makes molecules of the rows; by default none are made.
        scheduler: where circuits are simulated; in this process by default.
        progress: told of every simulation and every pipeline.

    Raises:
        MitigationError: a text that is no pipeline.
        BackendError: the device refuses the circuit itself.
    """
    check_heads(asked, decoding)
    for text in asked:
        resolve(text.removesuffix(HEAD), subject.compiled)
    progress = progress or Progress(untold, 0, len(settings.shots) * len(asked))
    exact, compiled = subject.exact, subject.compiled
    by_budget = {
        shots: {text: _planned(subject, text, settings, shots, decoding) for text in asked}
        for shots in sorted(settings.shots)
    }
    source = CountSource(subject.backend)
    wanted = [
        (program, _seeds(settings, program))
        for planned in by_budget.values()
        for found in planned.values()
        if isinstance(found, _Planned)
        for program in found.programs
    ]
    source.fetch(wanted, scheduler or LocalScheduler(0), progress)
    budgets = tuple(
        _budget(subject, source, planned, settings, shots, decoding, progress)
        for shots, planned in by_budget.items()
    )
    constants = constant_distances(exact).mean(axis=1)
    known = subject.workload.known
    snapshot = subject.backend.snapshot
    return DeviceBench(
        device=subject.backend.name,
        taken=None if snapshot is None else snapshot.taken,
        two_qubit_gates=compiled.two_qubit_gates,
        two_qubit_depth=compiled.two_qubit_depth,
        duration_s=compiled.duration_s or None,  # gate times unknown
        expected_errors=expected_errors(compiled),
        uniform=float(constants[0]),
        prior_mean=float(constants[1]),
        prior_mean_angle_deg=_angle(subject, prior_mean(exact)),
        loading=0.0 if known is None else float(total_variation(exact, known).mean()),
        default=str(default_pipeline(compiled)),
        valid=None if decoding is None else float(decoding.valid(exact).mean()),
        budgets=budgets,
    )


def _planned(
    subject: Placed, text: str, settings: BenchSettings, shots: int, decoding: Decoding | None
) -> _Planned | Cell:
    """Everything that a pipeline runs, or a cell that says why it cannot run."""
    own = text.removesuffix(HEAD)
    pipeline = subject.pipeline(own, shots, share=settings.share)
    try:
        if own == text or decoding is None:
            found = subject.program(pipeline, shots=shots, seed=settings.seed, label=LABEL)
            return _Planned(found)
        known, each, left = decoding.split(subject, shots)
        return _Planned(
            subject.program(pipeline, shots=left, seed=settings.seed, label=LABEL),
            known.program(pipeline, shots=each, seed=settings.seed, label=f"{LABEL}-known"),
        )
    except (MitigationError, BackendError) as error:
        return _refused(text, pipeline, error)


def _refused(text: str, pipeline: Pipeline, error: MitigationError | BackendError) -> Cell:
    if text == RAW:
        raise error
    return Cell(asked=text, pipeline=str(pipeline), refused=str(error))


def _seeds(settings: BenchSettings, program: Program) -> list[int]:
    """Of every repeat."""
    return [
        stream_seed(settings.seed, f"bench {program.total_shots} {repeat}")
        for repeat in range(settings.repeats)
    ]


def _budget(
    subject: Placed,
    source: CountSource,
    planned: dict[str, _Planned | Cell],
    settings: BenchSettings,
    shots: int,
    decoding: Decoding | None,
    progress: Progress,
) -> Budget:
    ran: dict[str, _Ran | Cell] = {}
    for text, found in planned.items():
        ran[text] = (
            found
            if isinstance(found, Cell)
            else _measure(subject, source, text, found, settings, decoding)
        )
        progress.step()
    rng = np.random.default_rng([settings.seed, shots])
    floor = rng.multinomial(shots, subject.exact) / shots
    return Budget(
        shots=shots,
        floor=float(shot_floor_total_variation(subject.exact, shots).mean()),
        floor_angle_deg=_angle(subject, floor),
        cells=_judged(ran),
    )


def _measure(
    subject: Placed,
    source: CountSource,
    text: str,
    planned: _Planned,
    settings: BenchSettings,
    decoding: Decoding | None,
) -> _Ran | Cell:
    """A pipeline's numbers, or a cell that says why it cannot run."""
    try:
        return _repeated(subject, source, text, planned, settings, decoding)
    except (MitigationError, BackendError) as error:
        return _refused(text, planned.program.pipeline, error)


def _repeated(
    subject: Placed,
    source: CountSource,
    text: str,
    planned: _Planned,
    settings: BenchSettings,
    decoding: Decoding | None,
) -> _Ran:
    tvd, angles, valid, covered, negative = [], [], [], [], []
    direction, exact = subject.workload.direction, subject.exact
    for found, known in _with_known(source, planned, settings):
        assert found.probabilities is not None and found.negative_mass is not None
        tvd.append(total_variation(exact, found.probabilities))
        if direction is not None:
            angles.append(mean_direction_angle(direction(exact), direction(found.probabilities)))
        if decoding is not None:
            of_known = None if known is None else known.probabilities
            valid.append(decoding.valid(found.probabilities, of_known))
        off = np.abs(found.values - exact)
        covered.append(float((off <= _NORMAL_95 * found.standard_error).mean()))
        negative.append(float(found.negative_mass.mean()))
    return _Ran(
        asked=text,
        planned=planned,
        tvd=np.stack(tvd, axis=1),
        angle=np.stack(angles, axis=1) if angles else None,
        valid=np.stack(valid, axis=1) if valid else None,
        covered=float(np.mean(covered)),
        negative=float(np.mean(negative)),
    )


def _with_known(
    source: CountSource, planned: _Planned, settings: BenchSettings
) -> Iterator[tuple[Mitigated, Mitigated | None]]:
    """Every repeat, beside that of the rows that a head is refitted to."""
    own = source.repeated(planned.program, _seeds(settings, planned.program))
    if planned.known is None:
        return ((found, None) for found in own)
    known = source.repeated(planned.known, _seeds(settings, planned.known))
    return zip(own, known, strict=True)


def _judged(ran: dict[str, _Ran | Cell]) -> tuple[Cell, ...]:
    """Every pipeline against raw and readout correction, Holm's correction over all of them."""
    raw = ran.get(RAW)
    heads = tuple(text for text in ran if text.endswith(HEAD))  # no distribution is refitted
    than_raw = _told(ran, RAW, (RAW, *heads), _distance)
    than_readout = _told(ran, READOUT, (RAW, READOUT, *heads), _distance)
    molecules = _told(ran, RAW, (RAW,), _invalid)
    cells = []
    for text, found in ran.items():
        if isinstance(found, Cell):
            cells.append(found)
            continue
        told: dict[str, object] = {}
        if text in than_raw:
            told["against_raw"] = than_raw[text][2]
        if text in than_readout:
            difference, p, word = than_readout[text]
            told |= {"over_readout": difference, "p_value": p, "against_readout": word}
        if text in molecules:
            told |= {"valid_over_raw": molecules[text][0], "valid_against_raw": molecules[text][2]}
        cell = _cell(found, raw.tvd if isinstance(raw, _Ran) else None)
        cells.append(cell.model_copy(update=told))
    return tuple(cells)


def _distance(ran: _Ran) -> FloatArray | None:
    return ran.tvd


def _invalid(ran: _Ran) -> FloatArray | None:
    return None if ran.valid is None else 1 - ran.valid


def _told(
    ran: dict[str, _Ran | Cell],
    reference: str,
    without: tuple[str, ...],
    error_of: Callable[[_Ran], FloatArray | None],
) -> dict[str, tuple[Measured, float, Comparison]]:
    """What each pipeline gains on a reference, the p-value of nothing, and that in a word."""
    beside = ran.get(reference)
    errors = {
        text: error_of(found)
        for text, found in ran.items()
        if isinstance(found, _Ran) and text not in without
    }
    there = error_of(beside) if isinstance(beside, _Ran) else None
    if there is None:
        return {}
    differences = {
        text: paired_difference(there, error) for text, error in errors.items() if error is not None
    }
    significant = holm({text: p for text, (_, p) in differences.items()})
    told: dict[str, tuple[Measured, float, Comparison]] = {}
    for text, (difference, p) in differences.items():
        word: Comparison = "not told apart"
        if text in significant:
            word = "better" if difference.value > 0 else "worse"
        told[text] = (difference, p, word)
    return told


def _cell(found: _Ran, raw: FloatArray | None) -> Cell:
    program, programs = found.planned.program, found.planned.programs
    total = sum(one.total_shots for one in programs)
    own = sum(len(b.angles) * b.shots for b in program.unscaled)
    return Cell(
        asked=found.asked,
        pipeline=str(program.pipeline) + (HEAD if len(programs) > 1 else ""),
        tvd=crossed_mean(found.tvd),
        ratio=None if raw is None else paired_ratio(raw, found.tvd),
        angle_deg=None if found.angle is None else crossed_mean(found.angle),
        valid=None if found.valid is None else crossed_mean(found.valid),
        coverage=found.covered,
        negative_mass=found.negative,
        circuits=program.pipeline.circuits,
        multiplier=total / max(own, 1),
        total_shots=total,
    )


def holm(p_values: dict[str, float], level: float = _LEVEL) -> set[str]:
    """Names whose null hypothesis falls, the chance of any false one at most ``level``.

    Source: Holm, Scand. J. Stat. 6, 65 (1979).
    """
    fallen: set[str] = set()
    for place, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        if p_values[name] > level / (len(p_values) - place):
            break
        fallen.add(name)
    return fallen


def _angle(subject: Placed, distributions: FloatArray) -> float | None:
    direction = subject.workload.direction
    if direction is None:
        return None
    exact = direction(subject.exact)
    return float(mean_direction_angle(exact, direction(distributions)).mean())

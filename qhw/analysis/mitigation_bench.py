"""Mitigation pipelines at equal total shots, against exact, the shot floor and the baselines."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendError, stream_seed
from backends.figures import expected_errors
from calibration.noise import NoiseOptions
from qhw.analysis.baselines import prior_mean, shot_floor_total_variation, uniform
from qhw.analysis.bench_counts import CountSource
from qhw.analysis.bench_result import (
    BenchResult,
    BenchSettings,
    Budget,
    Cell,
    Comparison,
    DeviceBench,
)
from qhw.analysis.bench_subject import (
    BenchSubject,
    model_rows,
    noisy_backend,
    on_device,
)
from qhw.analysis.crossed import Measured, crossed_mean, paired_difference, paired_ratio
from qhw.analysis.metrics import mean_direction_angle, total_variation
from qhw.analysis.provenance import versions
from qhw.mitigation.base import MitigationError
from qhw.mitigation.default import default_pipeline, resolve
from qhw.mitigation.program import Program, build_program
from qhw.models.checkpoint import code_version

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

RAW, READOUT = "none", "readout"
"""Pipelines that every bench has: all others are judged against them."""
_LEVEL = 0.05
_NORMAL_95 = 1.96


@dataclass(frozen=True, eq=False)
class _Ran:
    """Numbers of one pipeline at one budget, ``(K, R)`` each."""

    asked: str
    program: Program
    tvd: FloatArray
    angle: FloatArray | None
    covered: float
    negative: float


def run_bench(
    settings: BenchSettings,
    *,
    command: str = "",
    done: Progress = lambda _finished, _total: None,
) -> BenchResult:
    """Measure pipelines on devices.

    Args:
        settings: what to do.
        command: written into the result.
        done: told how many of how many are finished.

    Raises:
        ValueError: unknown noise option.
        MitigationError: a text that is no pipeline.
        CheckpointError: no such model.
        BackendError: no such device, or one that the circuit does not fit.
    """
    start = time.monotonic()
    noise = noise_options(settings.noise)
    backends = [noisy_backend(name, noise) for name in settings.devices]
    rows = model_rows(settings.model, settings.task, settings.rows, seed=settings.seed)
    asked = with_references(settings.pipelines)
    total = len(backends) * len(settings.shots) * len(asked)
    finished = 0

    def step() -> None:
        nonlocal finished
        finished += 1
        done(finished, total)

    devices = []
    for backend in backends:
        subject = on_device(rows, backend, settings.preparation, seed=settings.seed)
        devices.append(bench_device(subject, asked, settings, step=step))
    return BenchResult(
        settings=settings,
        devices=tuple(devices),
        created=datetime.now(UTC).replace(microsecond=0),
        command=command,
        git_revision=code_version().revision,
        versions=versions(),
        wall_s=round(time.monotonic() - start, 1),
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
    return NoiseOptions(**values)


def with_references(pipelines: Sequence[str]) -> tuple[str, ...]:
    """The pipelines, raw and readout correction before them where they are missing."""
    return (*(p for p in (RAW, READOUT) if p not in pipelines), *pipelines)


def bench_device(
    subject: BenchSubject,
    asked: Sequence[str],
    settings: BenchSettings,
    *,
    step: Callable[[], None] = lambda: None,
) -> DeviceBench:
    """All pipelines at all budgets on one device.

    Args:
        subject: circuit and rows.
        asked: pipelines, ``none`` and ``readout`` among them.
        settings: budgets, repeats, share, seed.
        step: called after every pipeline.

    Raises:
        MitigationError: a text that is no pipeline.
        BackendError: the device refuses the circuit itself.
    """
    for text in asked:
        resolve(text, subject.compiled)
    source = CountSource(subject.backend)
    exact, compiled = subject.exact, subject.compiled
    budgets = tuple(
        _budget(subject, source, asked, settings, shots, step) for shots in sorted(settings.shots)
    )
    mean = prior_mean(exact)
    snapshot = subject.backend.snapshot
    return DeviceBench(
        device=subject.backend.name,
        taken=None if snapshot is None else snapshot.taken,
        two_qubit_gates=compiled.two_qubit_gates,
        two_qubit_depth=compiled.two_qubit_depth,
        duration_s=compiled.duration_s,
        expected_errors=expected_errors(compiled),
        uniform=float(total_variation(exact, uniform(exact)).mean()),
        prior_mean=float(total_variation(exact, mean).mean()),
        prior_mean_angle_deg=_angle(subject, mean),
        loading=subject.loading,
        default=str(default_pipeline(compiled)),
        budgets=budgets,
    )


def _budget(
    subject: BenchSubject,
    source: CountSource,
    asked: Sequence[str],
    settings: BenchSettings,
    shots: int,
    step: Callable[[], None],
) -> Budget:
    ran: dict[str, _Ran | Cell] = {}
    for text in asked:
        ran[text] = _measure(subject, source, text, settings, shots)
        step()
    rng = np.random.default_rng([settings.seed, shots])
    floor = rng.multinomial(shots, subject.exact) / shots
    return Budget(
        shots=shots,
        floor=float(shot_floor_total_variation(subject.exact, shots).mean()),
        floor_angle_deg=_angle(subject, floor),
        cells=_judged(ran),
    )


def _measure(
    subject: BenchSubject, source: CountSource, text: str, settings: BenchSettings, shots: int
) -> _Ran | Cell:
    """A pipeline's numbers, or a cell that says why it cannot run."""
    total = shots * len(subject.angles)
    pipeline = resolve(text, subject.compiled, share=settings.share, total_shots=total)
    try:
        program = build_program(
            pipeline,
            subject.backend,
            subject.compiled,
            subject.angles,
            shots=shots,
            seed=settings.seed,
        )
        return _repeated(subject, source, text, program, settings)
    except (MitigationError, BackendError) as error:
        if text == RAW:
            raise
        return Cell(asked=text, pipeline=str(pipeline), refused=str(error))


def _repeated(
    subject: BenchSubject,
    source: CountSource,
    text: str,
    program: Program,
    settings: BenchSettings,
) -> _Ran:
    tvd, angles, covered, negative = [], [], [], []
    for repeat in range(settings.repeats):
        seed = stream_seed(settings.seed, f"bench {program.total_shots} {repeat}")
        found = program.combine(source.counts(program, seed))
        if found.probabilities is None or found.negative_mass is None:
            raise MitigationError(f"A bench must have distributions, but {text} gives none")
        tvd.append(total_variation(subject.exact, found.probabilities))
        if subject.direction is not None:
            exact = subject.direction(subject.exact)
            angles.append(mean_direction_angle(exact, subject.direction(found.probabilities)))
        off = np.abs(found.values - subject.exact)
        covered.append(float((off <= _NORMAL_95 * found.standard_error).mean()))
        negative.append(float(found.negative_mass.mean()))
    return _Ran(
        asked=text,
        program=program,
        tvd=np.stack(tvd, axis=1),
        angle=np.stack(angles, axis=1) if angles else None,
        covered=float(np.mean(covered)),
        negative=float(np.mean(negative)),
    )


def _judged(ran: dict[str, _Ran | Cell]) -> tuple[Cell, ...]:
    """Every pipeline against raw and readout correction, Holm's correction over all of them."""
    raw = ran.get(RAW)
    than_raw, than_readout = _told(ran, RAW, (RAW,)), _told(ran, READOUT, (RAW, READOUT))
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
        cell = _cell(found, raw.tvd if isinstance(raw, _Ran) else None)
        cells.append(cell.model_copy(update=told))
    return tuple(cells)


def _told(
    ran: dict[str, _Ran | Cell], reference: str, without: tuple[str, ...]
) -> dict[str, tuple[Measured, float, Comparison]]:
    """What each pipeline gains on a reference, the p-value of nothing, and that in a word."""
    beside = ran.get(reference)
    if not isinstance(beside, _Ran):
        return {}
    differences = {
        text: paired_difference(beside.tvd, found.tvd)
        for text, found in ran.items()
        if isinstance(found, _Ran) and text not in without
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
    return Cell(
        asked=found.asked,
        pipeline=str(found.program.pipeline),
        tvd=crossed_mean(found.tvd),
        ratio=None if raw is None else paired_ratio(raw, found.tvd),
        angle_deg=None if found.angle is None else crossed_mean(found.angle),
        coverage=found.covered,
        negative_mass=found.negative,
        circuits=found.program.pipeline.circuits,
        multiplier=found.program.shot_multiplier,
        total_shots=found.program.total_shots,
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


def _angle(subject: BenchSubject, distributions: FloatArray) -> float | None:
    if subject.direction is None:
        return None
    exact = subject.direction(subject.exact)
    return float(mean_direction_angle(exact, subject.direction(distributions)).mean())

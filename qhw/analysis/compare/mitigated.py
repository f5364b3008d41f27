"""A pipeline around one circuit of a model: what is run, and what its counts become.

Raw numbers stand beside mitigated ones. A simulated device runs the circuit itself with as many
shots as the whole pipeline; on a paid one that is asked for, and else the counts that the pipeline
takes at the device's own noise anyway are shown, with fewer shots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from backends.aer import AerBackend
from backends.base import (
    BackendError,
    BatchBackend,
    CircuitBatch,
    CompiledTemplate,
    ShotResult,
    run_batches,
    same_columns,
    stream_seed,
)
from backends.readout import readout_matrices
from calibration.documents import read_bounded
from calibration.readout import ReadoutCalibration
from qhw.analysis.compare.facts import MitigationFacts
from qhw.analysis.compare.simulations import simulated_shots
from qhw.analysis.probe.circuits import Probe
from qhw.mitigation.base import PSEUDO_COUNTS, MitigationError
from qhw.mitigation.calibrate import measured_device_qubits
from qhw.mitigation.program import Mitigated, Program
from qhw.scheduler import Scheduler

FloatArray = NDArray[np.float64]

_LEAST_VARIANCE = 1e-12
_LONGEST_FIT = 64
"""Numbers of one fit that a result holds; the run's folder has all."""


@dataclass(frozen=True, eq=False)
class MitigationPlan:
    """Everything a pipeline runs for one circuit, raw counts included.

    Attributes:
        program: the pipeline's circuits.
        raw: the circuit itself with all shots, ``None`` where the program's own counts serve.
        probes: smaller circuits of known answer beside it, from which the noise is fitted.
    """

    program: Program
    raw: CircuitBatch | None
    probes: tuple[Probe, ...] = ()

    @property
    def batches(self) -> tuple[CircuitBatch, ...]:
        """In the order they are run."""
        return (*self.program.batches, *(() if self.raw is None else (self.raw,)))

    @property
    def sent(self) -> tuple[CircuitBatch, ...]:
        """:attr:`batches`, and probes after them: all that runs, is priced and counted."""
        return (*self.batches, *(probe.batch for probe in self.probes))

    @property
    def raw_batches(self) -> tuple[CircuitBatch, ...]:
        """Batches whose counts, added up, are the raw counts."""
        return self.program.unscaled if self.raw is None else (self.raw,)

    @property
    def itself(self) -> CircuitBatch | None:
        """The batch that runs the circuit itself with all shots, if one does."""
        if self.raw is not None:
            return self.raw
        first, *others = self.program.batches
        return None if others or first.compiled is not self.program.compiled else first

    @property
    def alone(self) -> bool:
        """Whether that is all that runs, probes apart."""
        return self.raw is None and self.itself is not None


@dataclass(frozen=True, eq=False)
class MitigatedRun:
    """A plan and what came of it.

    Attributes:
        plan: what was run.
        mitigated: of the rows that have counts.
        raw_counts: ``(K, 2**m)`` int64 of the same rows.
        raw_shots: behind each of them.
        probed: the plan's probes that have counts, each with its counts.
        approximation: what the simulator left out, in words; empty for nothing.
    """

    plan: MitigationPlan
    mitigated: Mitigated
    raw_counts: NDArray[np.int64]
    raw_shots: int
    probed: tuple[tuple[Probe, ShotResult], ...] = ()
    approximation: str = ""

    @property
    def probabilities(self) -> FloatArray:
        """``(K, 2**m)`` valid distributions."""
        assert self.mitigated.probabilities is not None  # no features were asked for
        return self.mitigated.probabilities

    @property
    def readout_source(self) -> str:
        """Where confusion matrices come from."""
        calibration = self.mitigated.calibration
        if calibration is None:
            source = readout_matrices(self.plan.program.compiled).source
        else:
            source = calibration_words(calibration)
        fit = self.mitigated.record.get("readout")
        return f"{source}; {fit['method']}" if fit else source

    @property
    def effective_shots(self) -> int:
        """Raw shots whose frequencies would be as noisy as the mitigated ones.

        The errors of a measured calibration, the same in all rows, are no noise of that kind.
        """
        return equivalent_shots(self.probabilities, self.mitigated.own_error)

    def facts(self) -> MitigationFacts:
        """For the result."""
        program, found = self.plan.program, self.mitigated
        calibration, raw = found.calibration, self.plan.raw
        return MitigationFacts(
            pipeline=found.pipeline,
            templates=len(program.batches),
            executions=sum(len(batch.angles) for batch in program.batches),
            total_shots=found.total_shots,
            shot_multiplier=program.shot_multiplier,
            needs=program.pipeline.needs,
            raw_shots=self.raw_shots,
            raw_from="the circuit itself, run beside" if raw else "the pipeline's own circuits",
            raw_extra_shots=0 if raw is None else len(raw.angles) * raw.shots,
            standard_error=float(found.standard_error.mean()),
            effective_shots=self.effective_shots,
            calibration=None if calibration is None else calibration_words(calibration),
            fits={name: plain(fit, _LONGEST_FIT) for name, fit in found.record.items()},
        )


def equivalent_shots(probabilities: FloatArray, own_error: FloatArray) -> int:
    """Raw shots whose frequencies would be as noisy as mitigated ones, all rows together.

    The trace of a multinomial's covariance as :func:`.linear_variance` estimates it, ``(1 - sum
    p^2) / N`` and what stands for outcomes not seen, set equal to that of the estimate. What that
    adds is counted once: many circuits of few shots each come out noisier than they are.

    Args:
        probabilities: ``(B, 2**m)`` mitigated distributions.
        own_error: ``(B, 2**m)`` of each row by itself, before their projection.
    """
    variance = max(float((own_error**2).sum()), _LEAST_VARIANCE)
    spread = float((1.0 - (probabilities**2).sum(axis=1)).sum())
    unseen = PSEUDO_COUNTS * own_error.size
    # the positive root of spread / N + unseen / N^2 = variance
    return max(1, round((spread + math.sqrt(spread**2 + 4 * variance * unseen)) / (2 * variance)))


def plan_mitigation(program: Program, *, shots: int, own_raw: bool) -> MitigationPlan:
    """Decide where raw counts come from.

    Args:
        program: of the pipeline.
        shots: per row, of the whole program.
        own_raw: run the circuit itself with as many shots, unless the program does just that.

    Raises:
        MitigationError: no raw counts among the program's circuits, and none were asked for.
    """
    plan = MitigationPlan(program, None)
    if own_raw and not plan.alone:
        label = f"{program.label}/raw"
        return MitigationPlan(program, CircuitBatch(label, program.compiled, program.angles, shots))
    if not program.unscaled:
        raise MitigationError(
            f"Argument `with_raw` must be given for {program.pipeline}, which runs the circuit "
            "itself nowhere, so that raw numbers would be missing"
        )
    return plan


def run_plan(
    plan: MitigationPlan, *, seed: int, scheduler: Scheduler | None = None
) -> dict[str, ShotResult]:
    """Run everything, together where the backend can.

    Args:
        plan: what to run.
        seed: of simulated shots; those of the circuit itself with all shots are the same whatever
            else runs.
        scheduler: where devices are simulated; in this process by default.

    Returns:
        Results by label.

    Raises:
        BackendError: the backend refuses.
    """
    backend = plan.program.context.backend
    own = None if isinstance(backend, BatchBackend) else plan.itself
    together = [batch for batch in plan.sent if batch is not own]
    if scheduler is not None and isinstance(backend, AerBackend):
        seeds = {batch: stream_seed(seed, batch.label) for batch in together}
        return simulated_shots(backend, seeds | ({} if own is None else {own: seed}), scheduler)
    results = run_batches(backend, together, seed=seed)
    out = {batch.label: found for batch, found in zip(together, results, strict=True)}
    if own is not None:
        out[own.label] = backend.run(own.compiled, own.angles, shots=own.shots, seed=seed)
    return out


def row_errors(plan: MitigationPlan, results: Mapping[str, ShotResult]) -> dict[int, str]:
    """Rows that failed in any circuit, with the vendor's words.

    Raises:
        BackendError: a circuit that serves all rows failed: calibration or training.
    """
    errors: dict[int, str] = {}
    for batch in plan.batches:
        found = results[batch.label].row_errors
        if batch is plan.raw or plan.program.of_rows(batch):
            errors = {**found, **errors}
        elif found:
            row, words = next(iter(sorted(found.items())))
            raise BackendError(
                f"Backend `{plan.program.context.backend.name}` must give counts of every circuit "
                f"that serves all rows, but {batch.label}, circuit {row}, failed: {words}"
            )
    return errors


def combine_plan(
    plan: MitigationPlan, results: Mapping[str, ShotResult], kept: NDArray[np.int64]
) -> MitigatedRun:
    """What the counts of the rows ``kept`` become."""
    own = {batch.label: results[batch.label] for batch in plan.batches}
    counts, outcomes = same_columns(own)
    finished = max(result.finished for result in own.values())
    mitigated = plan.program.combine(counts, finished=finished, kept=kept, outcomes=outcomes)
    raw = sum(counts[batch.label][kept] for batch in plan.raw_batches)
    shots = sum(batch.shots for batch in plan.raw_batches)
    words = "; ".join(dict.fromkeys(r.approximation for r in own.values() if r.approximation))
    # a probe that failed is left out: what the circuit gave stands without it
    probes = ((probe, results[probe.batch.label]) for probe in plan.probes)
    probed = tuple((probe, found) for probe, found in probes if not found.row_errors)
    return MitigatedRun(plan, mitigated, np.asarray(raw, dtype=np.int64), shots, probed, words)


def read_calibrations(paths: Sequence[str], device: str) -> tuple[ReadoutCalibration, ...]:
    """Files of ``qhw calibrate``.

    Args:
        paths: of the files.
        device: backend they must be of.

    Raises:
        ValueError: a file that cannot be read, or is of another device.
    """
    found = []
    for path in paths:
        try:
            text = read_bounded(Path(path)).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"Argument `calibrations` must be files, but {path}: {error}"
            ) from error
        calibration = ReadoutCalibration.from_json(text, path)
        if calibration.device != device:
            raise ValueError(
                f"Argument `calibrations` must be of {device}, but {path} is of "
                f"{calibration.device}"
            )
        found.append(calibration)
    return tuple(found)


def choose_calibration(
    calibrations: Sequence[ReadoutCalibration], compiled: CompiledTemplate
) -> ReadoutCalibration | None:
    """The first that covers a circuit's measured qubits; ``None`` where none is given.

    Raises:
        ValueError: some are given, but none covers them.
    """
    qubits = measured_device_qubits(compiled)
    for calibration in calibrations:
        if {q.qubit for q in calibration.qubits}.issuperset(qubits):
            return calibration
    if not calibrations:
        return None
    raise ValueError(
        f"Argument `calibrations` must cover the measured qubits {list(qubits)}, but none of "
        f"the {len(calibrations)} given does; `qhw calibrate --qubits` measures them"
    )


def calibration_words(calibration: ReadoutCalibration) -> str:
    """Where measured confusion matrices come from."""
    return f"measured on {calibration.device}, {calibration.taken:%Y-%m-%d %H:%M} UTC"


def plain(value: Any, longest: int | None = None) -> JsonValue:
    """A record as JSON values.

    Args:
        value: numbers, text, arrays, mappings and lists of them.
        longest: arrays and lists of more numbers are left out, their size said; all by default.
    """
    if isinstance(value, Mapping):
        return {str(name): plain(item, longest) for name, item in value.items()}
    if isinstance(value, np.generic):
        return plain(value.item(), longest)
    if isinstance(value, np.ndarray | list | tuple):
        size = int(np.size(np.asarray(value, dtype=object)))
        if longest is not None and size > longest:
            return f"{size} values"
        return [plain(item, longest) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)

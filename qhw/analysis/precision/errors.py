"""What shots are expected to leave of noise in a pipeline's results, on a device's model."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qhw.analysis.precision.modelled import Modelled, draw, without_shot_noise
from qhw.analysis.scores.baselines import shot_floor_total_variation
from qhw.analysis.scores.metrics import total_variation
from qhw.mitigation.expectation import ExpectationProgram
from qhw.mitigation.program import Program

FloatArray = NDArray[np.float64]
Error = Callable[[FloatArray, FloatArray], float]
"""Of distributions ``(K, 2**m)`` against those of infinitely many shots."""

_STREAM = 31
_SURE = 0.02
"""Standard error of an expected distance, relative to it, that experiments go on for."""
_EXPERIMENTS = (12, 500)
_MOST_DRAWN = 2**27
"""Numbers drawn in all experiments: seconds."""
_SHOTS_JUDGED = 100_000
"""Shots that error bars are judged by, in as many experiments as that takes, but for a few."""
_BARS = (2, 50)


def mean_distance(found: FloatArray, reference: FloatArray) -> float:
    """Mean total variation distance of rows."""
    return float(total_variation(found, reference).mean())


def distribution_error(
    program: Program,
    modelled: Modelled,
    seed: int,
    error: Error = mean_distance,
    rows: NDArray[np.int64] | None = None,
) -> float:
    """Expected error of mitigated distributions against those of infinitely many shots.

    Of counts themselves in closed form; what is mitigated is drawn from the model and goes the
    whole way, projection onto distributions included, as often as it takes to know the mean to two
    per cent.

    Args:
        program: with its shots.
        modelled: device.
        seed: of the experiments.
        error: by default the mean total variation distance.
        rows: looked at, by default the model's choice.

    Raises:
        BackendError: the model cannot simulate a circuit.
        MitigationError: counts that the pipeline cannot work on.
    """
    if rows is None:
        rows = modelled.rows(program.compiled, len(program.angles))
    if not program.pipeline.techniques and error is mean_distance:
        (batch,) = program.batches
        return float(shot_floor_total_variation(modelled.of(batch, rows), batch.shots).mean())
    reference = endless(program, modelled, rows)
    found = _experiments(program, modelled, seed, rows, lambda p: error(p, reference))
    return float(np.mean(found))


def endless(program: Program, modelled: Modelled, rows: NDArray[np.int64]) -> FloatArray:
    """Mitigated distributions ``(K, 2**m)`` of infinitely many shots.

    Args:
        program: its shots do not matter.
        modelled: device.
        rows: looked at.

    Raises:
        BackendError: the model cannot simulate a circuit.
        MitigationError: counts that the pipeline cannot work on.
    """
    counts = without_shot_noise(modelled, program.batches, rows, _of_rows(program))
    return _distributions(program, counts, rows)


def distances_to(
    program: Program, modelled: Modelled, seed: int, exact: FloatArray
) -> tuple[float, float]:
    """Expected mean distance of mitigated distributions to exact, and how far one run's strays.

    Args:
        program: with its shots.
        modelled: device.
        seed: of the experiments.
        exact: distributions ``(B, 2**m)`` of all its rows.

    Returns:
        The mean over experiments and their standard deviation.

    Raises:
        BackendError: the model cannot simulate a circuit.
        MitigationError: counts that the pipeline cannot work on.
    """
    rows = np.arange(len(program.angles))
    found = _experiments(program, modelled, seed, rows, lambda p: mean_distance(p, exact))
    return float(np.mean(found)), float(np.std(found, ddof=1))


def value_errors(program: ExpectationProgram, modelled: Modelled, seed: int) -> FloatArray:
    """Standard errors that the pipeline will give expectation values, root mean square, ``(K, J)``.

    Args:
        program: with its shots.
        modelled: device.
        seed: of the experiments.

    Raises:
        BackendError: the model cannot simulate a circuit.
        MitigationError: counts that the pipeline cannot work on.
    """
    if not program.batches:
        return np.zeros((1, len(program.observables)))
    rows = modelled.rows(program.compiled, program.rows)
    missing = dict.fromkeys(np.setdiff1d(np.arange(program.rows), rows).tolist(), "")
    of_rows = {batch.label: not program.serves_all(batch) for batch in program.batches}
    shots = {
        batch.label: sent.shots * (len(sent.angles) // len(batch.angles))
        for batch, sent in zip(program.batches, program.sent, strict=False)  # probes come after
    }
    rng = np.random.default_rng([seed, _STREAM])
    each = max(1, sum(shots.values()))
    times = int(np.clip(math.ceil(_SHOTS_JUDGED / each), *_BARS))
    squares = []
    for _ in range(times):
        counts = draw(modelled, program.batches, shots, rows, of_rows, rng)
        squares.append(program.combine(counts, missing=missing).standard_error ** 2)
    return np.asarray(np.sqrt(np.mean(squares, axis=0)))


def _experiments(
    program: Program,
    modelled: Modelled,
    seed: int,
    rows: NDArray[np.int64],
    read: Callable[[FloatArray], float],
) -> list[float]:
    """What is read of mitigated distributions, as often as it takes to know its mean."""
    of_rows = _of_rows(program)
    shots = {batch.label: batch.shots for batch in program.batches}
    rng = np.random.default_rng([seed, _STREAM])
    size = len(rows) * len(program.batches) * 2**program.compiled.n_measured
    most = int(np.clip(_MOST_DRAWN // size, *_EXPERIMENTS))
    found: list[float] = []
    while len(found) < most and not _sure(found):
        counts = draw(modelled, program.batches, shots, rows, of_rows, rng)
        found.append(read(_distributions(program, counts, rows)))
    return found


def _of_rows(program: Program) -> dict[str, bool]:
    return {batch.label: program.of_rows(batch) for batch in program.batches}


def _distributions(
    program: Program, counts: dict[str, NDArray[np.int64]], rows: NDArray[np.int64]
) -> FloatArray:
    found = program.combine(counts, kept=rows).probabilities
    assert found is not None  # no features were asked for
    return found


def _sure(found: list[float]) -> bool:
    if len(found) < _EXPERIMENTS[0]:
        return False
    spread = float(np.std(found, ddof=1)) / math.sqrt(len(found))
    return spread <= _SURE * float(np.mean(found))

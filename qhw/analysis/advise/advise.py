"""Which pipeline will win on a device at a budget, found without running the circuit itself.

Near-Clifford circuits with the same gates have the same noise, and what they should give is known.
Every pipeline is tried on them at the very budget; the distance it leaves there is the prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from backends.base import BackendError, UnknownBackendError, stream_seed
from backends.figures import expected_errors
from backends.registry import is_vendor
from calibration.catalog import load_snapshot
from calibration.parts import Frozen, Utc
from calibration.snapshot import SnapshotError
from qhw.analysis.advise.training import training_subjects
from qhw.analysis.bench.counts import CountSource
from qhw.analysis.bench.pipelines import LABEL, noise_options, workload_of
from qhw.analysis.bench.result import BenchSettings
from qhw.analysis.bench.subject import noisy_backend
from qhw.analysis.scores.baselines import constant_distances, shot_floor_total_variation
from qhw.analysis.scores.crossed import Measured, crossed_mean
from qhw.analysis.scores.metrics import total_variation
from qhw.analysis.validate.interval import Interval, interval_for, judged_as, untimed_warning
from qhw.circuits.workload import Workload
from qhw.mitigation.base import MitigationError
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.placed import Placed
from qhw.mitigation.program import Program
from qhw.scheduler import Done, LocalScheduler, Progress, Scheduler, untold

FloatArray = NDArray[np.float64]

KEEP = 0.7
"""Chance of a one-qubit gate of a training circuit to keep its angles.

As large as exact simulation bears: regression (``cdr``) fares worse on circuits that are nearly
Clifford themselves than on the one they stand for.
"""
MAX_TWO_QUBIT_ERRORS = 0.8
"""Sum of two-qubit errors above which none of our models' circuits beat a constant."""
TRAINING = 5
"""Training circuits."""
_LARGEST_FACTOR = 64
"""Shots for a target are looked for up to this many times the budget."""


class HopelessError(ValueError):
    """No pipeline is predicted to come closer to exact than a constant that needs no QPU."""


class Prediction(Frozen):
    """One pipeline.

    Attributes:
        asked: pipeline as asked for.
        pipeline: as it would run.
        tvd: predicted distance, its error over training circuits; ``None`` where refused.
        refused: why it cannot run here.
    """

    asked: str
    pipeline: str
    tvd: Measured | None = None
    refused: str | None = None


class Target(Frozen):
    """Shots for a wanted distance.

    Attributes:
        tvd: wanted.
        asked: cheapest pipeline that reaches it; ``None`` where none does within ``most``.
        shots: of a row, by interpolation between budgets tried; ``None`` likewise.
        most: largest budget tried.
        reached: least distance predicted at any budget tried.
    """

    tvd: float
    asked: str | None
    shots: int | None
    most: int
    reached: float


class Advice(Frozen):
    """What to run.

    Attributes:
        model: name.
        device: as asked for.
        predicted_on: simulator the training circuits ran on.
        taken: time of its calibration.
        shots: of a row on average, everything counted.
        rows: latents or molecules.
        two_qubit_gates: of the compiled circuit.
        expected_errors: sum of their reported errors.
        uniform: distance of the uniform distribution.
        prior_mean: of the mean of the other rows.
        floor: shot floor of the model's rows.
        predictions: best first, those refused last.
        hopeless: why nothing is worth running; ``None`` where something is.
        target: shots for a wanted distance, where one was asked for.
        training: circuits.
        predicted_success: of the compiled circuit.
        success_interval: where real devices of the vendor lie that are predicted so; ``None``
            where no public result judges its models.
        warning: what the model leaves out; ``None`` for nothing.
    """

    model: str
    device: str
    predicted_on: str
    taken: Utc | None
    shots: Annotated[int, Field(ge=1)]
    rows: int
    two_qubit_gates: int
    expected_errors: float | None
    uniform: float
    prior_mean: float
    floor: float
    predictions: tuple[Prediction, ...]
    hopeless: str | None
    target: Target | None = None
    training: int
    predicted_success: float | None = None
    success_interval: Interval | None = None
    warning: str | None = None

    @property
    def constant(self) -> float:
        """Distance of the better baseline."""
        return min(self.uniform, self.prior_mean)

    @property
    def best(self) -> Prediction:
        """The pipeline to run."""
        return self.predictions[0]


def advise(
    settings: BenchSettings,
    workload: Workload | None = None,
    *,
    target: float | None = None,
    training: int = TRAINING,
    keep: float = KEEP,
    scheduler: Scheduler | None = None,
    done: Done = untold,
) -> Advice:
    """Predict the distance of every pipeline and say which to run.

    Args:
        settings: one device, one budget; repeats are of the shots on each training circuit.
        workload: what would run; the model's rows that the settings name, by default.
        target: distance whose shots are wanted.
        training: near-Clifford circuits.
        keep: see :data:`KEEP`.
        scheduler: where circuits are simulated; in this process by default.
        done: told how many of how many pieces of work (simulations, pipelines) are finished.

    Raises:
        ValueError: more than one device or budget, or a bad option.
        BackendError: no such device, or one that the circuit does not fit.
    """
    if len(settings.devices) != 1 or len(settings.shots) != 1:
        raise ValueError("Arguments `device` and `shots` must be one each to advise on")
    if target is not None and not 0 < target < 1:
        raise ValueError(f"Argument `target` must be between 0 and 1, but is {target}")
    name = simulator_of(settings.devices[0])
    backend = noisy_backend(name, noise_options(settings.noise))
    work = workload or workload_of(settings)
    subject = Placed.on(backend, work, seed=settings.seed)
    predictor = Predictor(
        subject, settings, training=training, keep=keep, scheduler=scheduler, done=done
    )
    found = predictor.ranked(settings.shots[0])
    exact, snapshot = subject.exact, backend.snapshot
    constants = constant_distances(exact).mean(axis=1)
    advice = Advice(
        model=work.name,
        device=settings.devices[0],
        predicted_on=backend.name,
        taken=None if snapshot is None else snapshot.taken,
        shots=settings.shots[0],
        rows=len(exact),
        two_qubit_gates=subject.compiled.two_qubit_gates,
        expected_errors=expected_errors(subject.compiled),
        uniform=float(constants[0]),
        prior_mean=float(constants[1]),
        floor=float(shot_floor_total_variation(exact, settings.shots[0]).mean()),
        predictions=found,
        hopeless=None,
        target=None if target is None else predictor.target(target, found),
        training=training,
        predicted_success=subject.compiled.predicted_success,
        success_interval=interval_for(
            None if snapshot is None else judged_as(snapshot), subject.compiled.predicted_success
        ),
        warning=None
        if snapshot is None
        else untimed_warning(subject.compiled.duration_s, subject.compiled.two_qubit_gates),
    )
    return advice.model_copy(update={"hopeless": _hopeless(advice)})


def simulator_of(device: str) -> str:
    """Where to predict for a device: itself, or the engine with a paid device's calibration.

    Args:
        device: backend name.

    Raises:
        UnknownBackendError: no calibration of the paid device is at hand.
    """
    if not is_vendor(device):
        return device
    asked = device.partition(":")[2]
    try:
        load_snapshot(asked.partition("+")[0], machine=True)
    except SnapshotError as error:
        raise UnknownBackendError(
            f"Argument `device` must have a calibration to predict with, but for {device}: {error}"
        ) from error
    return f"engine:{asked}"


def _hopeless(advice: Advice) -> str | None:
    best = advice.best
    errors = advice.expected_errors
    said = "" if errors is None else f"; two-qubit errors add to {errors:.2f}"
    many = errors is not None and errors > MAX_TWO_QUBIT_ERRORS
    if many:
        said += f", above {MAX_TWO_QUBIT_ERRORS:g}"
    if best.tvd is None:
        return f"every pipeline is refused, the first: {best.refused}"
    if best.tvd.value < advice.constant:
        return None
    return (
        f"the best, {best.asked}, is predicted {best.tvd.value:.3f} away from exact at "
        f"{advice.shots:,} shots, a constant that needs no QPU {advice.constant:.3f}{said}"
    )


class Predictor:
    """Tries pipelines on near-Clifford circuits, which are made once.

    Args:
        subject: the model's circuit on a device.
        settings: pipelines, repeats, share, seed.
        training: circuits.
        keep: see :data:`KEEP`.
        scheduler: where circuits are simulated; in this process by default.
        done: told how many of how many pieces of work (simulations, pipelines) are finished.
    """

    def __init__(
        self,
        subject: Placed,
        settings: BenchSettings,
        *,
        training: int = TRAINING,
        keep: float = KEEP,
        scheduler: Scheduler | None = None,
        done: Done = untold,
    ) -> None:
        rng = np.random.default_rng([settings.seed, training])
        self._settings = settings
        self._circuits = training_subjects(subject, training, keep, rng)
        self._source = CountSource(subject.backend)
        self._subject = subject
        self._scheduler = scheduler or LocalScheduler(0)
        self._done = done

    def ranked(self, shots: int) -> tuple[Prediction, ...]:
        """Predictions of all pipelines at a budget, best first, refused last."""
        texts = self._settings.pipelines
        progress = Progress(self._done, 0, len(texts))
        found = list(self._predicted([(text, shots) for text in texts], progress))
        return tuple(sorted(found, key=lambda p: p.tvd.value if p.tvd else 2.0))

    def _predicted(
        self, asked: Sequence[tuple[str, int]], progress: Progress
    ) -> Iterator[Prediction]:
        """Mean distances of pipelines with shots over the training circuits.

        Everything is simulated first, together.

        Raises:
            MitigationError: a text that is no pipeline.
        """
        planned = [self._planned(text, shots) for text, shots in asked]
        wanted = [
            (program, self._seeds(place))
            for one in planned
            if not isinstance(one, Prediction)
            for place, program in enumerate(one[1])
        ]
        self._source.fetch(wanted, self._scheduler, progress)
        for (text, _), one in zip(asked, planned, strict=True):
            yield one if isinstance(one, Prediction) else self._prediction(text, *one)
            progress.step()

    def _planned(self, text: str, shots: int) -> tuple[Pipeline, list[Program]] | Prediction:
        """What a pipeline runs for every training circuit, or why it cannot."""
        settings = self._settings
        pipeline = self._subject.pipeline(text, shots, share=settings.share)
        try:
            return pipeline, [
                circuit.program(pipeline, shots=shots, seed=settings.seed, label=LABEL)
                for circuit in self._circuits
            ]
        except (MitigationError, BackendError) as error:
            return Prediction(asked=text, pipeline=str(pipeline), refused=str(error))

    def _prediction(self, text: str, pipeline: Pipeline, programs: list[Program]) -> Prediction:
        try:
            values = [self._distances(place, one) for place, one in enumerate(programs)]
        except (MitigationError, BackendError) as error:
            return Prediction(asked=text, pipeline=str(pipeline), refused=str(error))
        return Prediction(asked=text, pipeline=str(pipeline), tvd=crossed_mean(np.array(values)))

    def _seeds(self, place: int) -> list[int]:
        """Of every repeat on one training circuit."""
        settings = self._settings
        return [
            stream_seed(settings.seed, f"advise {place} {repeat}")
            for repeat in range(settings.repeats)
        ]

    def _distances(self, place: int, program: Program) -> FloatArray:
        """``(repeats,)`` mean distances on one training circuit."""
        exact, out = self._circuits[place].exact, []
        for found in self._source.repeated(program, self._seeds(place)):
            assert found.probabilities is not None
            out.append(float(total_variation(exact, found.probabilities).mean()))
        return np.array(out)

    def target(self, wanted: float, ranked: Sequence[Prediction]) -> Target:
        """The fewest shots at which one of the two best pipelines is predicted to reach it."""
        start = self._settings.shots[0]
        budgets = [start // 8, start, 8 * start, _LARGEST_FACTOR * start]
        best = list(dict.fromkeys(p.asked for p in ranked if p.tvd))[:2]
        asked = [(text, shots) for text in best for shots in budgets if shots]
        predicted = zip(asked, self._predicted(asked, Progress(untold, 0, 0)), strict=True)
        curves: dict[str, list[tuple[int, float]]] = {text: [] for text in best}
        for (text, shots), found in predicted:
            if found.tvd is not None:
                curves[text].append((shots, found.tvd.value))
        chosen: tuple[float, str] | None = None
        least = 1.0
        for text, curve in curves.items():
            least = min([least, *(value for _, value in curve)])
            shots_needed = crossing(curve, wanted)
            if shots_needed is not None and (chosen is None or shots_needed < chosen[0]):
                chosen = (shots_needed, text)
        return Target(
            tvd=wanted,
            asked=None if chosen is None else chosen[1],
            shots=None if chosen is None else int(np.ceil(chosen[0])),
            most=budgets[-1],
            reached=least,
        )


def crossing(curve: Sequence[tuple[int, float]], wanted: float) -> float | None:
    """Shots at which a curve of (shots, distance), shots rising, comes down to a distance.

    Straight between neighbours in logarithms; the first budget where that reaches already,
    ``None`` where none does.
    """
    before: tuple[int, float] | None = None
    for shots, value in curve:
        if value <= wanted:
            if before is None or value <= 0:
                return float(shots)
            part = np.log(before[1] / wanted) / np.log(before[1] / value)
            return float(before[0] * (shots / before[0]) ** part)
        before = (shots, value)
    return None

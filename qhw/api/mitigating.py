"""Which error mitigation is worth its shots on a circuit: measured on simulators, or predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from qhw.analysis.advise.advise import Advice
from qhw.analysis.advise.advise import advise as compute_advice
from qhw.analysis.bench.pipelines import run_bench
from qhw.analysis.bench.result import BenchResult, BenchSettings
from qhw.analysis.bench.subject import circuit_subject
from qhw.api.measuring import CircuitLike, workload_of
from qhw.api.shown import Shown, Stored
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.default import CANDIDATES
from qhw.report.mitigation import write_bench
from qhw.report.mitigation_terminal import advice_lines, bench_lines
from qhw.scheduler import some_scheduler
from qhw.shot_counts import number_of_shots

_REPEATS = 3


@dataclass(frozen=True, eq=False, repr=False)
class MitigationBench(Stored):
    """Pipelines at equal total shots, beside exact, the shot floor and the baselines.

    Attributes:
        result: all numbers, as in ``result.json``.
    """

    result: BenchResult

    def to_json(self) -> str:
        """The result as JSON text."""
        return self.result.to_json()

    def _parts(self) -> Iterable[RenderableType]:
        return [bench_lines(self.result)]

    def _write(self, folder: Path, run_id: str) -> None:
        write_bench(self.result, folder, run_id)


@dataclass(frozen=True, eq=False, repr=False)
class MitigationAdvice(Shown):
    """Pipelines by their predicted distance to exact, best first.

    Attributes:
        advice: all numbers.
    """

    advice: Advice

    @property
    def best(self) -> str | None:
        """The pipeline to run; ``None`` where a constant that needs no QPU is as close."""
        return None if self.advice.hopeless else self.advice.best.asked

    def to_json(self) -> str:
        """All numbers as JSON text."""
        return self.advice.model_dump_json(indent=1) + "\n"

    def _parts(self) -> Iterable[RenderableType]:
        return [advice_lines(self.advice)]


def bench(
    circuit: CircuitLike,
    angles: object = None,
    devices: str | Sequence[str] = DEFAULT_DEVICE,
    *,
    bind: Mapping[str, object] | None = None,
    shots: int | str | Sequence[int | str],
    pipelines: Sequence[str] = CANDIDATES,
    repeats: int = 5,
    share: float = 0.05,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
) -> MitigationBench:
    """Measure mitigation pipelines on a circuit at equal total shots on simulated devices.

    Args:
        circuit: as for :func:`qhw.measure`.
        angles: two rows or more, as for :func:`qhw.measure`.
        devices: simulators, such as ``engine:ibm_fez``.
        bind: as for :func:`qhw.measure`.
        shots: budgets of a row, everything counted.
        pipelines: to compare; raw and readout correction are added.
        repeats: of everything random but the circuits, two or more.
        share: of all shots for the readout calibration, in pipelines that do not say how much.
        seed: of everything random.
        workers: local processes that simulate; none by default.
        scheduler: address of a Dask cluster that simulates.
        done: told how many of how many steps are finished.

    Raises:
        ValueError: fewer than two rows, or an option out of range.
        MitigationError: a text that is no pipeline.
        BackendError: no such device, or one that the circuit does not fit.
        SchedulerError: the cluster cannot be used.
    """
    work = workload_of(circuit, angles, bind)
    settings = BenchSettings.parse(
        **circuit_subject(work),
        devices=(devices,) if isinstance(devices, str) else tuple(devices),
        shots=tuple(map(number_of_shots, (shots,) if isinstance(shots, int | str) else shots)),
        pipelines=tuple(pipelines),
        repeats=repeats,
        share=share,
        seed=seed,
        noise={},
    )
    with some_scheduler(workers, scheduler) as pool:
        result = run_bench(settings, work, command="qhw.bench(...)", scheduler=pool, done=done)
    return MitigationBench(result)


def advise(
    circuit: CircuitLike,
    angles: object = None,
    device: str = DEFAULT_DEVICE,
    *,
    bind: Mapping[str, object] | None = None,
    shots: int | str,
    pipelines: Sequence[str] = CANDIDATES,
    target: float | None = None,
    share: float = 0.05,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    done: Callable[[int, int], None] = lambda _finished, _total: None,
) -> MitigationAdvice:
    """Predict which pipeline wins on a circuit, from near-Clifford circuits; nothing is paid.

    Args:
        circuit: as for :func:`qhw.measure`.
        angles: two rows or more, as for :func:`qhw.measure`.
        device: a simulator, or a device that costs money, predicted on its calibration.
        bind: as for :func:`qhw.measure`.
        shots: of a row, everything counted.
        pipelines: to compare.
        target: distance to exact whose shots are wanted.
        share: as for :func:`bench`.
        seed: of everything random.
        workers: local processes that simulate; none by default.
        scheduler: address of a Dask cluster that simulates.
        done: told how many of how many steps are finished.

    Raises:
        ValueError: fewer than two rows, or an option out of range.
        MitigationError: a text that is no pipeline.
        BackendError: no such device, or one that the circuit does not fit.
        SchedulerError: the cluster cannot be used.
    """
    work = workload_of(circuit, angles, bind)
    settings = BenchSettings.parse(
        **circuit_subject(work),
        devices=(device,),
        shots=(number_of_shots(shots),),
        pipelines=tuple(pipelines),
        repeats=_REPEATS,
        share=share,
        seed=seed,
        noise={},
    )
    with some_scheduler(workers, scheduler) as pool:
        advice = compute_advice(settings, work, target=target, scheduler=pool, done=done)
    return MitigationAdvice(advice)

"""Depth reports from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from qiskit import QuantumCircuit
from rich.console import RenderableType

from backends.native.levels import LEVELS
from qhw.analysis.depth.mitigated import mitigated_report
from qhw.analysis.depth.report import DepthReport
from qhw.analysis.depth.subjects import (
    LIVE,
    Subject,
    given_subjects,
    model_subjects,
    workload_subject,
)
from qhw.analysis.depth.sweep import sweep
from qhw.api.shown import Stored
from qhw.cache import made_cache_folder
from qhw.circuits.workload import Workload
from qhw.report.depth_files import write_depth_files
from qhw.report.depth_terminal import depth_summary
from qhw.scheduler import Scheduler, open_scheduler
from qhw.shot_counts import number_of_shots

if TYPE_CHECKING:
    import pandas as pd

CircuitOrModel: TypeAlias = QuantumCircuit | Workload | str | Path


def _quiet(_finished: int, _total: int) -> None:
    """Nobody is told how far it is."""


@dataclass(frozen=True, eq=False, repr=False)
class Depths(Stored):
    """Circuits on devices: gates, depth, duration, predicted success, price.

    Attributes:
        report: all numbers, as in ``result.json``.
        subjects: the circuits.
    """

    report: DepthReport
    subjects: tuple[Subject, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """A line for every circuit, device and level; the best seed's figures as ``best.depth``."""
        import pandas as pd

        return pd.json_normalize([row.model_dump() for row in self.report.rows])

    def to_json(self) -> str:
        """The report as JSON text, as in ``result.json``."""
        return self.report.to_json()

    def _parts(self) -> Iterable[RenderableType]:
        return depth_summary(self.report)

    def _write(self, folder: Path, run_id: str) -> None:
        final = folder.parent / run_id
        write_depth_files(folder, run_id, self.report, self.subjects, final=final)


def depth_report(
    circuits: CircuitOrModel | Sequence[CircuitOrModel],
    devices: str = "all",
    *,
    levels: Sequence[int] = LEVELS,
    seeds: int = 5,
    shots: int | str = 10_000,
    by: str = "success",
    error: float | None = None,
    observables: Sequence[str] = (),
    bind: Mapping[str, object] | None = None,
    compilers: Sequence[str] = (),
    mitigation: str | None = None,
    fractional: bool = False,
    live: bool = False,
    cache: bool = True,
    processes: int | None = None,
    scheduler: str | None = None,
    done: Callable[[int, int], None] = _quiet,
) -> Depths:
    """Compile circuits for devices and say what that takes.

    Args:
        circuits: one or several: live circuits, workloads (their first row), circuit files, or
            names of shipped models.
        devices: ``all``, or names and calibration files separated by commas.
        levels: optimisation levels among 0 to 3.
        seeds: of layout and routing, tried at each level.
        shots: that costs are for.
        by: what one device is recommended by: success, skill, dollars, dollars-for-error, waiting,
            gates, depth or duration.
        error: wanted total variation distance to exact: its shots and cost.
        observables: Pauli sums as text; the ``error`` is then theirs.
        bind: values of parameters and of OpenQASM 3's inputs by name, for the circuits and files
            that have them; gates and depth need none, the exact outcome does.
        compilers: others as rows beside ours: ``qiskit``, ``pytket``, ``bqskit``.
        mitigation: pipeline that each device's best row is simulated with, for what it leaves of
            the errors: up to 10 qubits, seconds each.
        live: ask vendors what waits at their devices now, which costs nothing.
        fractional: allow IBM's ``rzz`` and ``rx`` where they are calibrated.
        cache: keep compilations for the next time.
        processes: worker processes; one a core by default, 1 for this one.
        scheduler: address of a Dask cluster.
        done: told how many of how many compilations are done.

    Raises:
        ValueError: no circuit, or an option out of range.
        SweepError: nothing could be compiled.
        SchedulerError: the cluster cannot be used.

    Example:
        >>> bell = QuantumCircuit(2, name="bell")
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> report = depth_report(bell, "ibm_fez", levels=[3], seeds=1, processes=1)
        >>> report.report.rows[0].best.two_qubit_gates
        1
    """
    one = isinstance(circuits, QuantumCircuit | Workload | str | Path)
    given: list[CircuitOrModel] = [circuits] if one else list(circuits)  # type: ignore[arg-type]
    subjects = _subjects(given, bind)
    with closing(compiling(processes, scheduler)) as pool:
        report = sweep(
            subjects,
            devices,
            levels=levels,
            seeds=seeds,
            shots=number_of_shots(shots),
            fractional=fractional,
            cache=made_cache_folder() if cache else None,
            scheduler=pool,
            compilers=compilers,
            command="qhw.depth_report(...)",
            by=by,
            error=error,
            observables=observables,
            live=live,
            done=done,
        )
        if mitigation is not None:
            report = mitigated_report(report, subjects, mitigation, scheduler=pool)
    return Depths(report, subjects)


def compiling(processes: int | None, address: str | None) -> Scheduler:
    """Where a depth report's circuits are compiled, as :func:`depth_report` is asked.

    Raises:
        SchedulerError: both are given, or the cluster cannot be used.
    """
    workers = 0 if processes == 1 else processes or None
    return open_scheduler(workers, address, name="processes")


def _subjects(
    given: Sequence[CircuitOrModel], bind: Mapping[str, object] | None
) -> tuple[Subject, ...]:
    """Subjects in the order of what is given; values go to whatever has their names."""
    own: dict[int, Path | QuantumCircuit] = {}
    for place, one in enumerate(given):
        if isinstance(one, QuantumCircuit):
            own[place] = one
        elif not isinstance(one, Workload) and Path(one).suffix:
            own[place] = Path(one)
    if bind and not own:
        raise ValueError("Argument `bind` must be left out without circuits or files, but is given")
    found = dict(zip(own, given_subjects(list(own.values()), bind), strict=True))
    for place, one in enumerate(given):
        if isinstance(one, Workload):
            found[place] = [workload_subject(one, LIVE)]
        elif place not in own:
            found[place] = list(model_subjects(str(one)))
    return tuple(subject for place in sorted(found) for subject in found[place])

"""Noise studies from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.console import RenderableType

from qhw.api.measuring import CircuitLike, workload_of
from qhw.api.shown import Shown
from qhw.circuits.workload import Workload
from qhw.models.checkpoint import write_atomically
from qhw.report.runfolder import nothing_empty_left
from qhw.report.study import render_study
from qhw.report.study_terminal import study_lines
from qhw.scheduler import Scheduler, open_scheduler
from qhw.study.config import (
    STUDY_SUFFIXES,
    StudyConfig,
    circuit_study,
    read_config,
    read_sweep,
)
from qhw.study.grid import check_names
from qhw.study.run import StudyRun, run_study
from qhw.study.summary import StudySummary, summarise

if TYPE_CHECKING:
    import pandas as pd

Sweep: TypeAlias = Mapping[str, object] | str | Path | None
"""Fields of a study by name, or a YAML file of them."""


def _quiet(_finished: int, _total: int) -> None:
    """Nobody is told how far it is."""


@dataclass(frozen=True, eq=False, repr=False)
class NoiseStudy(Shown):
    """A sweep over devices, noise, sources and shots.

    Attributes:
        summary: all curves, as in ``summary.json``.
        folder: with ``report.html``, ``summary.json`` and ``table.parquet``.
        run: how many cells there are, and how many were there before.
    """

    summary: StudySummary
    folder: Path
    run: StudyRun

    def to_dataframe(self) -> pd.DataFrame:
        """The table of all rows."""
        import pandas as pd

        return pd.read_parquet(self.folder / "table.parquet")

    def to_json(self) -> str:
        """All curves as JSON text, as in ``summary.json``."""
        return self.summary.model_dump_json(indent=1) + "\n"

    def _parts(self) -> Iterable[RenderableType]:
        return [study_lines(self.summary)]


def noise_study(
    study: StudyConfig | CircuitLike,
    angles: object = None,
    *,
    folder: str | Path,
    bind: Mapping[str, object] | None = None,
    sweep: Sweep = None,
    workers: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    done: Callable[[int, int], None] = _quiet,
) -> NoiseStudy:
    """Run a noise study of models or of a circuit, or finish one that was stopped.

    Args:
        study: a study of models, or its YAML file; or a circuit, as for :func:`qhw.measure`.
        angles: three rows of a circuit's angles or more, as for :func:`qhw.measure`.
        folder: of its cells, table and report, made if missing; what is there is kept.
        bind: of a circuit, as for :func:`qhw.measure`.
        sweep: of a circuit: fields of :class:`~qhw.study.config.StudyConfig` by name, ``devices``
            at least, or a YAML file of them.
        workers: local processes; one a core by default, 0 for none.
        scheduler: address of a Dask cluster.
        retry_failed: run failed cells again.
        done: told how many of how many pieces of work are done.

    Raises:
        ConfigError: the study or the sweep does not fit.
        AnglesError: angles that do not fit the circuit.
        StoreError: the folder cannot be used.
    """
    config, work = study_of(study, angles, sweep, bind)
    return studied(
        config,
        work,
        Path(folder),
        open_scheduler(workers, scheduler),
        command="qhw.noise_study(...)",
        retry_failed=retry_failed,
        done=done,
    )


def studied(
    config: StudyConfig,
    work: Workload | None,
    folder: Path,
    pool: Scheduler,
    *,
    command: str,
    retry_failed: bool = False,
    done: Callable[[int, int], None] = _quiet,
) -> NoiseStudy:
    """Run a study, or finish it, and write its folder; see :func:`noise_study`.

    Args:
        config: the study.
        work: its circuit, if it is one of a circuit.
        folder: of the study.
        pool: where the work is done; closed in the end.
        command: written into the report.
        retry_failed: run failed cells again.
        done: told how many of how many pieces of work are done.
    """
    with nothing_empty_left(folder):
        try:
            run = run_study(
                config, folder, pool, done=done, retry_failed=retry_failed, workload=work
            )
        finally:
            pool.close()
    found = NoiseStudy(summarise(config, run.table), folder, run)
    write_atomically(folder / "summary.json", found.to_json().encode())
    write_atomically(folder / "report.html", render_study(found.summary, command).encode())
    return found


def study_of(
    study: StudyConfig | CircuitLike,
    angles: object = None,
    sweep: Sweep = None,
    bind: Mapping[str, object] | None = None,
) -> tuple[StudyConfig, Workload | None]:
    """A study, checked as far as it can be before its first cell, and the circuit if it is of one.

    Raises:
        ConfigError: see :func:`noise_study`.
    """
    config, work = _read_study(study, angles, sweep, bind)
    check_names(config)
    return config, work


def _read_study(
    study: StudyConfig | CircuitLike,
    angles: object,
    sweep: Mapping[str, object] | str | Path | None,
    bind: Mapping[str, object] | None,
) -> tuple[StudyConfig, Workload | None]:
    of_models = isinstance(study, StudyConfig) or (
        isinstance(study, str | Path) and Path(study).suffix in STUDY_SUFFIXES
    )
    if not of_models:
        work = workload_of(study, angles, bind)
        given, where = sweep, "Argument `sweep`"
        if isinstance(sweep, str | Path):
            given, where = read_sweep(Path(sweep)), str(sweep)
        return circuit_study(work, given, where), work
    for name, value in (("angles", angles), ("sweep", sweep), ("bind", bind or None)):
        if value is not None:
            raise ValueError(f"Argument `{name}` must be left out of a study of models")
    if isinstance(study, StudyConfig):
        return study, None
    return read_config(Path(study)), None  # type: ignore[arg-type]

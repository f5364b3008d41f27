"""A whole study: what is missing is run, what is there is kept, then the table is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from qhw.circuits.workload import Workload
from qhw.scheduler import Done, Lost, Progress, Scheduler
from qhw.study.circuits import compile_circuits
from qhw.study.config import StudyCircuit, StudyConfig
from qhw.study.grid import Cell, CircuitKey, digests, expand
from qhw.study.run_cell import CELL_ERRORS, Row, failed, run_cell
from qhw.study.store import Store


@dataclass(frozen=True)
class StudyRun:
    """What a call of :func:`run_study` did.

    Attributes:
        table: all rows, in the order of the study's cells.
        cells: of the study.
        kept: cells that were there already.
        failed_rows: rows without numbers.
    """

    table: pa.Table
    cells: int
    kept: int
    failed_rows: int


@dataclass(frozen=True)
class _Compile:
    """Work of one compilation."""

    circuit: CircuitKey
    config: StudyConfig
    packed: bytes | None


@dataclass(frozen=True)
class _Run:
    """Work of one cell."""

    cell: Cell
    circuits: str
    packed: bytes | None


def run_study(
    config: StudyConfig,
    folder: Path,
    scheduler: Scheduler,
    *,
    done: Done,
    retry_failed: bool = False,
    workload: Workload | None = None,
) -> StudyRun:
    """Run a study, or finish one that was stopped.

    Args:
        config: the study.
        folder: its folder; cells of an earlier call that still have the same content are kept.
        scheduler: where the work is done.
        done: told how many of how many pieces of work (compilations, cells) are done.
        retry_failed: run cells with a failed row again.
        workload: of a study of a person's own circuit.

    Raises:
        ValueError: a workload that is not the study's, or none where it needs one.
        StoreError: the folder cannot be used.
    """
    given = None
    if workload is not None:
        given = StudyCircuit(
            fingerprint=workload.fingerprint(), angles_sha256=workload.rows_sha256()
        )
    if given != config.circuit:
        raise ValueError("Argument `workload` must be the circuit of the study, but is another")
    packed = None if workload is None else workload.to_bytes()
    store = Store(folder)
    cells = expand(config, digests(config))
    keys = [cell.key for cell in cells]
    if retry_failed:
        store.drop_failed(keys)
    finished = store.finished()
    missing = [cell for cell in cells if cell.key not in finished]
    progress = Progress(done, len(cells) - len(missing), len(cells))
    ready = _compile_missing(missing, config, packed, store, scheduler, progress)
    for work, rows in scheduler.map(_run, ready):
        if isinstance(rows, Lost):
            rows = failed(work.cell, rows.reason)
        store.add(work.cell.key, rows)
        progress.step()
    table = store.compact(keys)
    return StudyRun(
        table=table,
        cells=len(cells),
        kept=len(cells) - len(missing),
        failed_rows=table["status"].to_pylist().count("failed"),
    )


def _compile_missing(
    cells: list[Cell],
    config: StudyConfig,
    packed: bytes | None,
    store: Store,
    scheduler: Scheduler,
    progress: Progress,
) -> list[_Run]:
    """Cells with their circuits; those whose circuits cannot be made are stored as failed."""
    keys = {cell.circuit: cell.circuit.key for cell in cells}
    texts = {circuit: store.circuits(key) for circuit, key in keys.items()}
    todo = [_Compile(circuit, config, packed) for circuit, text in texts.items() if text is None]
    refused: dict[CircuitKey, str] = {}
    progress.expect(len(todo))
    for work, result in scheduler.map(_compile, todo):
        text, reason = (None, result.reason) if isinstance(result, Lost) else result
        if text is None:
            refused[work.circuit] = reason
        else:
            texts[work.circuit] = text
            store.add_circuits(keys[work.circuit], text)
        progress.step()
    ready = []
    for cell in cells:
        found = texts[cell.circuit]
        if found is None:
            store.add(cell.key, failed(cell, refused[cell.circuit]))
            progress.step()
        else:
            ready.append(_Run(cell, found, packed))
    return ready


def _compile(work: _Compile) -> tuple[str | None, str]:
    """In a worker: JSON of the circuits, or ``None`` and why not."""
    try:
        own = None if work.packed is None else Workload.from_bytes(work.packed)
        made = compile_circuits(work.circuit, work.config.preparation, work.config.task, own)
    except CELL_ERRORS as error:
        return None, " ".join(str(error).split()) or type(error).__name__
    return made.model_dump_json(), ""


def _run(work: _Run) -> list[Row]:
    """In a worker: the rows of a cell."""
    return run_cell(work.cell, work.circuits, work.packed)

"""``qhw jobs``: what was submitted, and everything that can be done with it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhw.cli.console import emit_json, err, out, steps
from qhw.cli.options import RUNS, Json, Out
from qhw.report.tables import WholeTable

if TYPE_CHECKING:
    from qhw.jobs.records import AttemptRecord, JobRecord, RunRecord
    from qhw.jobs.work import Outcome

app = typer.Typer(no_args_is_help=True, help="Runs on paid devices: list, follow, fetch, cancel.")

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or its end.")]


@app.command("list")
def list_jobs(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=2**31, help="The newest so many.")
    ] = 30,
    unfinished: Annotated[bool, typer.Option("--open", help="Only those not final.")] = False,
    as_json: Json = False,
) -> None:
    """Jobs of the ledger, newest first."""
    from qhw.cli.job_lines import job_document
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.queries import charged_micro, count_by_state, latest_jobs
    from qhw.jobs.states import OPEN

    with Ledger.open() as ledger, ledger.read() as connection:
        jobs = latest_jobs(connection, limit=limit, states=OPEN if unfinished else ())
        totals = count_by_state(connection)
        charged = charged_micro(connection, jobs)
    if as_json:
        documents = [job_document(job, charged[job.id]) for job in jobs]
        states = {str(state): number for state, number in totals.items()}
        emit_json({"jobs": documents, "states": states})
        return
    _print_jobs(jobs, charged)
    said = ", ".join(f"{number} {state}" for state, number in sorted(totals.items()))
    out.print(f"{len(jobs)} of {sum(totals.values())} jobs; {said or 'none yet'}")


@app.command()
def show(run: RunName, as_json: Json = False) -> None:
    """One run: its jobs, every attempt, estimate against actual cost, the vendor's words."""
    from qhw.analysis.compare.result import REHEARSAL
    from qhw.cli.job_lines import job_document
    from qhw.jobs.desk import attempts_of
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.money import show_money
    from qhw.jobs.queries import (
        actual_micro,
        charged_micro,
        costs_of,
        failed_rows,
        get_run,
        jobs_of,
    )
    from qhw.jobs.remarks import remarks_of
    from qhw.report.format import printable
    from qhw.report.missing import row_ranges

    with Ledger.open() as ledger, ledger.read() as connection:
        record = get_run(connection, run)
        jobs = jobs_of(connection, record.id)
        attempts = {job.id: attempts_of(connection, job.id) for job in jobs}
        costs = {job.id: costs_of(connection, job.id) for job in jobs}
        failed = failed_rows(connection, jobs)
        charged = charged_micro(connection, jobs)
        remarks = {job.id: remarks_of(connection, job.id) for job in jobs}
    actual = {job.id: actual_micro(costs[job.id]) for job in jobs}
    if as_json:
        documents = [
            {
                **job_document(job, charged[job.id]),
                "row_errors": failed[job.id],
                "actual_usd": _usd(actual[job.id]),
                "costs": [f"{c.kind}: {c.basis}" for c in costs[job.id]],
                "attempts": [_attempt_document(a) for a in attempts[job.id]],
                "remarks": [{"kind": str(r.kind), "text": r.text} for r in remarks[job.id]],
            }
            for job in jobs
        ]
        emit_json({**_run_document(record), "jobs": documents})
        return
    out.print(f"{record.id} on {record.backend}, project {record.project}")
    if record.rehearsal:
        out.print(REHEARSAL, soft_wrap=True)
    out.print(record.command, soft_wrap=True)
    _print_jobs(jobs, charged)
    for job in jobs:
        for a in attempts[job.id]:
            twice = "(an id that an earlier job has)" if a.repeated else ""
            words = " ".join(filter(None, (a.vendor_id, twice, a.vendor_text)))
            out.print(f"job {job.id} {a.state}: {words}", soft_wrap=True)
        out.print(
            f"job {job.id} estimate {show_money(job.estimate_micro)}, "
            f"{'would have cost' if job.rehearsal else 'actual'} {show_money(actual[job.id])}",
        )
        for remark in remarks[job.id]:
            said = f"job {job.id} {remark.kind}: {printable(remark.text)}"
            out.print(said, soft_wrap=True)
        for text in dict.fromkeys(failed[job.id].values()):
            rows = row_ranges([row for row, why in failed[job.id].items() if why == text])
            said = f"job {job.id} {job.role} rows {rows} failed: {printable(text)}"
            out.print(said, soft_wrap=True)


@app.command()
def watch(
    run: RunName,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Stop watching after seconds.")
    ] = None,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Follow a run to its end, submit its later stages, and write the report."""
    _take_up(run, out_folder, as_json=as_json, timeout_s=timeout, follow=True)


@app.command()
def fetch(run: RunName, out_folder: Out = RUNS, as_json: Json = False) -> None:
    """Ask once how a run stands; if everything is there, write the report."""
    _take_up(run, out_folder, as_json=as_json, timeout_s=None, follow=False)


@app.command()
def counts(run: RunName, out_folder: Out = RUNS, as_json: Json = False) -> None:
    """Write the counts that are there, also of a run with failed rows, as .npz files."""
    import numpy as np

    from qhw.jobs.ledger import Ledger
    from qhw.jobs.queries import get_run, jobs_of, row_counts
    from qhw.models.checkpoint import write_atomically
    from qhw.report.runfolder import file_name

    with Ledger.open() as ledger, ledger.read() as connection:
        name = get_run(connection, run).id
        roles = dict.fromkeys(job.role for job in jobs_of(connection, name))
        found = {role: row_counts(connection, jobs_of(connection, name, role)) for role in roles}
    out_folder.mkdir(parents=True, exist_ok=True)
    written: list[dict[str, Any]] = []
    taken: set[Path] = set()
    for role, rows in found.items():
        # variants of a circuit are named <circuit>/<variant>
        path = out_folder / f"{file_name(f'{name}-{role}')}-counts.npz"
        if path in taken:
            path = path.with_name(f"{len(taken)}-{path.name}")
        taken.add(path)
        if path.is_symlink():
            raise ValueError(
                f"Option `--out` must hold no link named {path.name}, but {path} is one"
            )
        packed = io.BytesIO()
        arrays: dict[str, Any] = {} if rows.outcomes is None else {"outcomes": rows.outcomes.packed}
        arrays |= {"counts": rows.counts, "angles": rows.angles, "shots": rows.shots}
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        write_atomically(path, packed.getvalue())
        errors = {str(row): text for row, text in rows.row_errors.items()}
        written.append({"file": str(path), "rows": len(rows.counts), "row_errors": errors})
    if as_json:
        emit_json({"run": name, "counts": written})
        return
    for item in written:
        out.print(f"{item['file']}: {item['rows']} rows", soft_wrap=True)
        for row, text in item["row_errors"].items():
            out.print(f"  row {row}: {text}", soft_wrap=True)


@app.command()
def cancel(
    run: RunName,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=1, max=3600, help="Seconds for the vendor to answer in all."),
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """Ask the vendor to cancel what has not run yet; what has run stays paid and is kept."""
    from backends.deadline import within
    from qhw.cli.job_lines import open_lines, states_line
    from qhw.cli.paid import job_documents
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.work import Outcome, reconcile, request_cancel
    from qhw.paid.take_up import taken_up

    with Ledger.open() as ledger, steps() as tell:
        job = taken_up(ledger, run)
        done = Outcome()
        if left := request_cancel(ledger, job.id):
            tell("asking the vendor")
            vendor = job.backend.vendor
            # the first job that the vendor does not answer must not take the time of the others
            with within(timeout, question_s=timeout / (left + 1)):
                done = reconcile(
                    ledger, lambda _: vendor(), run_id=job.id, patience=job.config.patience
                )
        jobs = job.jobs()
        documents = job_documents(job)
    if as_json:
        told = {"errors": done.errors, "problems": done.problems}
        emit_json({"run": job.id, "jobs": documents, **told})
    else:
        out.print(f"{job.id}: {states_line(jobs)}")
        for line in open_lines(jobs, done.problems):
            out.print(line, soft_wrap=True)
    _end(done)


@app.command()
def reconcile(as_json: Json = False) -> None:
    """After a crash or a lost connection: bring every open job up to date with its vendor.

    Looks keys up, adopts what is found, cancels extra copies, sends what certainly never arrived,
    fetches what is finished, writes costs down, and asks again for costs that were not known.
    What goes wrong with one job is told and does not keep the others; the exit code is then 1.
    Safe to run at any time, and several at once.
    """
    from backends.registry import get_vendor
    from qhw.cli.job_lines import job_document, states_line
    from qhw.jobs.config import load_config
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.queries import charged_micro
    from qhw.jobs.work import reconcile as bring_up_to_date

    config = load_config()
    with Ledger.open() as ledger, steps() as tell:
        tell("asking the vendors")
        done = bring_up_to_date(ledger, get_vendor, patience=config.patience)
        with ledger.read() as connection:
            charged = charged_micro(connection, done.jobs)
    if as_json:
        jobs = [job_document(job, charged[job.id]) for job in done.jobs]
        told = {"errors": done.errors, "problems": done.problems}
        emit_json({"jobs": jobs, "busy": list(done.busy), **told})
    else:
        out.print(states_line(done.jobs) or "nothing to do")
        if done.busy:
            out.print(f"{len(done.busy)} jobs are held by another process")
    _end(done)


@app.command("give-up")
def give_up_job(
    job: Annotated[int, typer.Argument(metavar="JOB", min=1, help="Number of a job.")],
    charge: Annotated[
        str, typer.Option("--charge", help="What it is taken to have cost, such as 0.59usd.")
    ],
    why: Annotated[str, typer.Option("--why", help="Kept with the job.")],
    as_json: Json = False,
) -> None:
    """End a job that nothing else ends, and book the charge that you name.

    For jobs that the vendor has lost, or answers about with nonsense; for others, cancel the run.
    Nothing is asked of the vendor, which may have run and charged the job: look at its bill first.
    Who gave the job up and why stays in the ledger. Counts that are here stay the job's.
    """
    from qhw.cli.job_lines import charge_line, job_document
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.money import parse_money
    from qhw.jobs.work import give_up

    micro = parse_money(charge, "charge")
    with Ledger.open() as ledger:
        record = give_up(ledger, job, micro, why)
    if as_json:
        emit_json({"job": job_document(record, micro)})
        return
    out.print(f"job {record.id}: {record.state}, {charge_line(record, micro)}")


def _end(done: Outcome) -> None:
    """Say what could not be done, and end with the exit code for it."""
    from qhw.report.format import printable

    for name, text in done.errors.items():
        err.print(f"{name}: {printable(text)}", soft_wrap=True)
    for number, text in done.problems.items():
        err.print(f"job {number}: {printable(text)}", soft_wrap=True)
    if done.errors or done.problems:
        raise typer.Exit(1)


def _take_up(
    name: str, folder: Path, *, as_json: bool, timeout_s: float | None, follow: bool
) -> None:
    from qhw.cli.job_lines import states_line
    from qhw.cli.paid import job_documents, report_paid
    from qhw.jobs.ledger import Ledger
    from qhw.jobs.work import reconcile as bring_up_to_date
    from qhw.paid.take_up import taken_up

    with Ledger.open() as ledger:
        with steps() as tell:
            job = taken_up(ledger, name)
            if follow:
                found = job.wait(tell, timeout_s)
            else:
                vendor = job.backend.vendor
                bring_up_to_date(
                    ledger, lambda _: vendor(), run_id=job.id, patience=job.config.patience
                )
                found = job.resume(tell)
        if found is not None:
            report_paid(job, found, folder, as_json=as_json)
        elif as_json:
            emit_json({"run": job.id, "finished": False, "jobs": job_documents(job)})
        else:
            out.print(f"{job.id}: not finished, {states_line(job.jobs())}")


def _print_jobs(jobs: tuple[JobRecord, ...], charged: dict[int, int | None]) -> None:
    from qhw.cli.job_lines import charge_line

    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in (
        "job",
        "run",
        "circuit",
        "backend",
        "rows",
        "shots",
        "state",
        "charged",
        "said",
    ):
        table.add_column(heading, justify="right" if heading in ("rows", "shots") else "left")
    for job in jobs:
        place = None if job.state.final else job.queue_position
        table.add_row(
            str(job.id),
            job.run_id,
            f"{job.role} {job.part + 1}",
            job.backend,
            str(job.rows),
            str(job.shots),
            str(job.state) if place is None else f"{job.state} (place {place})",
            charge_line(job, charged[job.id]),
            job.vendor_text[:60],
        )
    out.print(table, crop=False)


def _run_document(record: RunRecord) -> dict[str, object]:
    return {
        "run": record.id,
        "command": record.command,
        "project": record.project,
        "backend": record.backend,
        "rehearsal": record.rehearsal,
        "budget_usd": _usd(record.budget_micro),
        "settings": json.loads(record.settings),
    }


def _attempt_document(a: AttemptRecord) -> dict[str, str | None]:
    return {"state": str(a.state), "vendor_id": a.vendor_id, "vendor": a.vendor_text}


def _usd(micro: int | None) -> float | None:
    return None if micro is None else micro / 1e6

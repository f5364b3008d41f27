"""``qhw estimate``, ``qhw submit`` and ``qhw run``: the main job on a device that costs money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhw.cli.asked import takes_comparison
from qhw.cli.compare import write_run
from qhw.cli.console import PlainConsole, emit_json, err, out, steps
from qhw.cli.options import RUNS, Again, Budget, Json, Out, Project
from qhw.cli.precision import plan_document, planned, tell_plan

if TYPE_CHECKING:
    from qhw.analysis.compare.quote import StageQuote

REHEARSED_PRICE = (
    "Rehearsal: the vendor is simulated on this machine and charges nothing; prices are what the "
    "device itself would cost"
)


@takes_comparison(paid=True, default=False)
def estimate(line: Any, as_json: Json = False) -> None:
    """Price a run before it is made: every vendor job, checked against the device's limits."""
    from backends.registry import get_vendor
    from backends.vendor import is_rehearsal

    vendor = get_vendor(line.settings.device)
    rehearsal = is_rehearsal(vendor)
    with steps() as tell:
        line, plan, quotes = planned(line, tell, again=True)
        stages = tuple(quotes) or line.asked.quote(vendor, tell)
    if as_json:
        emit_json({**_quote_document(stages, rehearsal=rehearsal), **plan_document(plan)})
        return
    if plan is not None:
        out.print(plan.words, soft_wrap=True)
    _print_quote(stages, rehearsal=rehearsal)


@takes_comparison(paid=True, default=False)
def submit(
    line: Any,
    budget: Budget = None,
    project: Project = "default",
    again: Again = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop before anything is written down or sent.")
    ] = False,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Send a run to a paid device and return at once; `qhw jobs fetch RUN` gives the report.

    Written down before it is sent, sent at most once, refused when it would pass the budget. The
    same line of a circuit file again takes up what was sent and pays nothing twice.
    --dry-run writes what would be posted into DIR.
    """
    from qhw.analysis.compare.result import REHEARSAL
    from qhw.cli.paid import job_documents
    from qhw.paid.kept import Paying
    from qhw.report.runfolder import check_folder

    if dry_run:
        check_folder(out_folder)
    line = _planned(line, budget, again=again or dry_run)
    paying = Paying(budget, project, line.command("submit"))
    if dry_run:
        with steps() as tell:
            job = line.asked.new(paying)
            stages = job.prepare(tell)
            written = job.rehearse(out_folder, tell)
        priced = _quote_document(stages, rehearsal=job.rehearsal)
        if as_json:
            emit_json({"payloads": [str(path) for path in written], **priced})
            return
        _print_quote(stages, rehearsal=job.rehearsal)
        out.print(f"nothing sent; payloads: {', '.join(map(str, written))}", soft_wrap=True)
        return
    with steps() as tell:
        job, fresh = line.asked.run(paying, again=again)
        job.send(tell, fresh=fresh)
    if as_json:
        jobs = job_documents(job)
        emit_json({"run": job.id, "rehearsal": job.rehearsal, "jobs": jobs})
        return
    if job.rehearsal:
        out.print(REHEARSAL)
    out.print(f"run: {job.id}")
    out.print(f"`qhw jobs watch {job.id}` waits for it")


@takes_comparison(paid=True)
def run(
    line: Any,
    budget: Budget = None,
    project: Project = "default",
    again: Again = False,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Submit, wait, compare: `qhw compare` for a paid device. Safe to interrupt.

    What was sent stays in the ledger; `qhw jobs watch RUN` and `fetch RUN` go on with it, and so
    does the same line of a circuit file.
    """
    from backends.registry import is_vendor
    from qhw.cli.paid import report_paid, say_what_goes_on
    from qhw.jobs.money import parse_money
    from qhw.paid.kept import Paying
    from qhw.report.runfolder import check_folder

    if budget is not None:
        parse_money(budget)  # no simulator costs anything, but a mistake is one there too
    if not is_vendor(line.settings.device):
        if again:
            raise ValueError(
                f"Argument `again` must be given for a device that takes jobs, but "
                f"{line.settings.device} is a simulator here"
            )
        write_run(line, out_folder, as_json=as_json)
        return
    check_folder(out_folder)
    line = _planned(line, budget, again=again)
    with steps() as tell:
        paying = Paying(budget, project, line.command("run"))
        job, fresh = line.asked.run(paying, again=again)
        try:
            job.send(tell, fresh=fresh)
            comparison = job.wait(tell)
        except KeyboardInterrupt:
            say_what_goes_on(job)
            raise
    assert comparison is not None  # waited for without a limit
    report_paid(job, comparison, out_folder, as_json=as_json)


def _planned(line: Any, budget: str | None, *, again: bool) -> Any:
    """The line with its shots planned; plan and price are told before anything is spent."""
    with steps() as tell:
        line, plan, quotes = planned(line, tell, budget, again=again)
    tell_plan(plan)
    if quotes:
        from backends.registry import get_vendor
        from backends.vendor import is_rehearsal

        rehearsal = is_rehearsal(get_vendor(line.settings.device))
        _print_quote(tuple(quotes), rehearsal=rehearsal, where=err)
    return line


def _quote_document(stages: tuple[StageQuote, ...], *, rehearsal: bool) -> dict[str, object]:
    from qhw.report.prediction_words import predicted_document

    return {
        "rehearsal": rehearsal,
        "usd": sum(stage.micro for stage in stages) / 1e6,
        "most_usd": sum(stage.reserve_micro for stage in stages) / 1e6,
        "stages": [
            {
                "role": stage.role,
                "jobs": len(stage.jobs),
                "circuits": stage.executions,
                "shots": stage.jobs[0].submission.shots,
                "total_shots": stage.total_shots,
                "two_qubit_gates": stage.compiled.two_qubit_gates,
                "usd": stage.micro / 1e6,
                "most_usd": stage.reserve_micro / 1e6,
                "qpu_seconds": [job.cost.qpu_seconds for job in stage.jobs],
                "basis": stage.basis,
                "mitigation": _mitigation_document(stage),
                "probes": len(stage.probes),
                **predicted_document(stage.compiled),
            }
            for stage in stages
        ],
    }


def _mitigation_document(stage: StageQuote) -> dict[str, object] | None:
    if stage.plan is None:
        return None
    program = stage.plan.program
    return {
        "pipeline": str(program.pipeline),
        "templates": len(stage.plan.batches),
        "shot_multiplier": program.shot_multiplier,
        "needs": list(program.pipeline.needs),
        "raw_shots": sum(batch.shots for batch in stage.plan.raw_batches),
        "usd_without": None if stage.plain_micro is None else stage.plain_micro / 1e6,
    }


def _print_quote(
    stages: tuple[StageQuote, ...], *, rehearsal: bool, where: PlainConsole = out
) -> None:
    from qhw.jobs.money import show_money
    from qhw.report.prediction_words import predicted_lines

    if rehearsal:
        where.print(REHEARSED_PRICE, soft_wrap=True)
    for stage in stages:
        shots = stage.jobs[0].submission.shots
        each = f"{shots} shots each" if stage.plan is None else f"{stage.total_shots} shots in all"
        where.print(
            f"{stage.role}: {show_money(stage.micro)}, {len(stage.jobs)} jobs, "
            f"{stage.executions} circuits of {stage.compiled.two_qubit_gates} two-qubit gates"
            f"{'' if stage.plan is None else ' and more'}, {each}; {stage.basis}",
            soft_wrap=True,
        )
        if stage.plan is not None:
            where.print(_mitigation_line(stage), soft_wrap=True)
        if stage.probes:
            where.print(
                f"  {len(stage.probes)} of them probes, {stage.probes[0].batch.shots} shots each",
                soft_wrap=True,
            )
        for said in predicted_lines(stage.compiled):
            where.print(f"  {said}", soft_wrap=True)
    total, most = (
        show_money(sum(getattr(stage, which) for stage in stages))
        for which in ("micro", "reserve_micro")
    )
    where.print(f"total: {total}; budgets must hold {most}, the most it may cost")


def _mitigation_line(stage: StageQuote) -> str:
    from qhw.jobs.money import show_money

    assert stage.plan is not None  # asked for by the caller
    program = stage.plan.program
    without = "not possible" if stage.plain_micro is None else show_money(stage.plain_micro)
    needs = f"; needs {', '.join(program.pipeline.needs)}" if program.pipeline.needs else ""
    raw = sum(batch.shots for batch in stage.plan.raw_batches)
    return (
        f"  {program.pipeline}: {len(stage.plan.batches)} circuits in place of one, "
        f"{program.shot_multiplier:.2f} times the shots at the device's own noise; the circuit "
        f"alone with as many shots: {without}; raw counts from {raw} shots a circuit{needs}"
    )

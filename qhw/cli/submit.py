"""``qhw estimate``, ``qhw submit`` and ``qhw run``: the main job on a device that costs money."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhw.cli.compare import command_line, compare_command, write_run
from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import RUNS, Json, Out

if TYPE_CHECKING:
    from qhw.analysis.quote import StageQuote
    from qhw.analysis.result import Settings

_OWN = ("out_folder", "as_json")
"""Options of ``compare`` that are not settings of the run."""

REHEARSED_PRICE = (
    "Rehearsal: the vendor is simulated on this machine and charges nothing; prices are what the "
    "device itself would cost"
)

PaidDevice = Annotated[
    str,
    typer.Option(
        "--device",
        help="ibm:<device> or braket:<device>, see `qhw devices --live`; emulator:<device> for "
        "nothing.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="AMOUNT", help="Most this run may cost, such as 20usd."),
]
Project = Annotated[
    str, typer.Option("--project", help="Whose cap of the configuration it counts against.")
]


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option of ``compare`` that sets a run up, as one ``settings``.

    A command that serves no simulator (all but ``run``) has no default device.
    """
    shared = inspect.signature(compare_command, eval_str=True).parameters.values()
    options = {p.name: p for p in shared if p.name not in _OWN}
    options["device"] = options["device"].replace(annotation=PaidDevice)
    if command.__name__ != "run":
        options["device"] = options["device"].replace(default=inspect.Parameter.empty)
    own = [
        p
        for p in inspect.signature(command, eval_str=True).parameters.values()
        if p.name != "settings"
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        mine = {name: value for name, value in given.items() if name not in options}
        command(settings=_settings({name: given[name] for name in options}), **mine)

    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*options.values(), *own)]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped


@takes_settings
def estimate(settings: Any, as_json: Json = False) -> None:
    """Price a run before it is made: every vendor job, checked against the device's limits."""
    from backends.registry import get_vendor
    from backends.vendor import is_rehearsal
    from qhw.analysis.quote import quote

    vendor = get_vendor(settings.device)
    rehearsal = is_rehearsal(vendor)
    with steps() as tell:
        stages = quote(settings, vendor, tell)
    if as_json:
        emit_json(_quote_document(stages, rehearsal=rehearsal))
        return
    _print_quote(stages, rehearsal=rehearsal)


@takes_settings
def submit(
    settings: Any,
    budget: Budget = None,
    project: Project = "default",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop before anything is written down or sent.")
    ] = False,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Send a run to a paid device and return at once; `qhw jobs fetch RUN` gives the report.

    Written down before it is sent, sent at most once, refused when it would pass the budget.
    --dry-run writes what would be posted into DIR.
    """
    from qhw.analysis.result import REHEARSAL
    from qhw.cli.vendor_run import VendorRun
    from qhw.report.runfolder import check_folder

    if dry_run:
        check_folder(out_folder)
    with steps() as tell:
        job = VendorRun.new(settings, budget, project, command_line(settings, "submit"))
        stages = job.prepare(tell)
        if dry_run:
            written = job.rehearse(out_folder, tell)
        else:
            job.start(tell)
    if dry_run:
        priced = _quote_document(stages, rehearsal=job.rehearsal)
        if as_json:
            emit_json({"payloads": [str(path) for path in written], **priced})
            return
        _print_quote(stages, rehearsal=job.rehearsal)
        out.print(f"nothing sent; payloads: {', '.join(map(str, written))}", soft_wrap=True)
        return
    if as_json:
        jobs = job.job_documents()
        emit_json({"run": job.id, "rehearsal": job.rehearsal, "jobs": jobs})
        return
    if job.rehearsal:
        out.print(REHEARSAL)
    out.print(f"run: {job.id}")
    out.print(f"`qhw jobs watch {job.id}` waits for it")


@takes_settings
def run(
    settings: Any,
    budget: Budget = None,
    project: Project = "default",
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Submit, wait, compare: `qhw compare` for a paid device. Safe to interrupt.

    What was sent stays in the ledger; `qhw jobs watch RUN` and `fetch RUN` go on with it.
    """
    from backends.registry import is_vendor
    from qhw.cli.vendor_run import VendorRun
    from qhw.jobs.money import parse_money
    from qhw.report.runfolder import check_folder

    if budget is not None:
        parse_money(budget)  # no simulator costs anything, but a mistake is one there too
    if not is_vendor(settings.device):
        write_run(settings, out_folder, as_json=as_json)
        return
    check_folder(out_folder)
    with steps() as tell:
        job = VendorRun.new(settings, budget, project, command_line(settings, "run"))
        job.prepare(tell)
        try:
            job.start(tell)
            tell(f"submitted as {job.id}")
            comparison = job.wait(tell)
        except KeyboardInterrupt:
            job.say_what_goes_on()
            raise
    job.report(comparison, out_folder, as_json=as_json)


def _settings(options: dict[str, Any]) -> Settings:
    from qhw.analysis.compare import default_model
    from qhw.analysis.result import Settings

    given: Path | None = options.pop("input_file")
    options["model"] = options["model"] or default_model()
    files: list[str] = options.pop("calibration") or []
    # absolute: the run may be taken up from another folder
    return Settings.parse(
        **options,
        input=None if given is None else str(given.resolve()),
        calibrations=tuple(str(Path(name).resolve()) for name in files),
    )


def _quote_document(stages: tuple[StageQuote, ...], *, rehearsal: bool) -> dict[str, object]:
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
                "basis": stage.jobs[0].cost.basis,
                "mitigation": _mitigation_document(stage),
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


def _print_quote(stages: tuple[StageQuote, ...], *, rehearsal: bool) -> None:
    from qhw.jobs.money import show_money

    if rehearsal:
        out.print(REHEARSED_PRICE, soft_wrap=True)
    for stage in stages:
        shots = stage.jobs[0].submission.shots
        each = f"{shots} shots each" if stage.plan is None else f"{stage.total_shots} shots in all"
        out.print(
            f"{stage.role}: {show_money(stage.micro)}, {len(stage.jobs)} jobs, "
            f"{stage.executions} circuits of {stage.compiled.two_qubit_gates} two-qubit gates"
            f"{'' if stage.plan is None else ' and more'}, {each}; {stage.jobs[0].cost.basis}",
            soft_wrap=True,
        )
        if stage.plan is not None:
            out.print(_mitigation_line(stage), soft_wrap=True)
    total, most = (
        show_money(sum(getattr(stage, which) for stage in stages))
        for which in ("micro", "reserve_micro")
    )
    out.print(f"total: {total}; budgets must hold {most}, the most it may cost")


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
        f"alone with as many shots: {without}; raw counts from {raw} shots a row{needs}"
    )

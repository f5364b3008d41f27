"""``qhw expect``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.bind import Bind, bound_values
from qhw.cli.console import emit_json, err, out, steps
from qhw.cli.options import (
    Again,
    Budget,
    Json,
    NoiseScale,
    Probe,
    Project,
    Seed,
    Shots,
    ValuePrecision,
)
from qhw.cli.own import Angles, Names, given, own_words, tell_note, valid_mitigation
from qhw.cli.precision import plan_document, read_precision, tell_plan
from qhw.cli.submit import REHEARSED_PRICE
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.words import canonical

if TYPE_CHECKING:
    from qhw.analysis.expect.result import ExpectSettings
    from qhw.analysis.expect.values import ExpectQuote
    from qhw.analysis.precision.asked import Precision
    from qhw.analysis.precision.plan import ShotPlan
    from qhw.circuits.workload import Workload
    from qhw.paid.kept import Paying

_PROJECT = "default"


def expect_command(
    ctx: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.qasm|FILE.qpy",
            help="A circuit; or several that differ in their angles alone, a row each.",
        ),
    ],
    observable: Annotated[
        list[str],
        typer.Option(
            help='Pauli sum such as "0.5*XXI - 1.2*IYY", wire 0 (last qubit) leftmost, or '
            '"Z0 Z2"; may be repeated.'
        ),
    ],
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    device: Annotated[
        str, typer.Option(help="Backend, also one that costs money; see `qhw devices`.")
    ] = DEFAULT_DEVICE,
    mitigation: Annotated[
        str, typer.Option(metavar="PIPELINE", help="none, or techniques in a row.")
    ] = "readout+zne(1,3)",
    shots: Shots = 20_000,
    precision: ValuePrecision = None,
    seed: Seed = 0,
    budget: Budget = None,
    project: Project = _PROJECT,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="On a paid device: price it and send nothing.")
    ] = False,
    again: Again = False,
    noise_scale: NoiseScale = None,
    probe: Probe = False,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where a folder with report.html, result, counts and circuit is made; by default "
            "none is.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Expectation values of Pauli observables with error bars, beside the exact ones.

    On a paid device all circuits go through the ledger within --budget, as with `qhw run`. The
    same command line again takes up what was sent and pays nothing twice; so does `qhw jobs
    watch RUN`.
    """
    from backends.registry import check_name, is_vendor

    check_name(device)
    canonical(mitigation)
    from qhw.analysis.expect.values import prepare
    from qhw.analysis.precision.asked import UNPLANNED
    from qhw.analysis.validate.scale import scaled_devices
    from qhw.jobs.money import parse_money
    from qhw.paid.expect import ExpectRun
    from qhw.paid.kept import Paying
    from qhw.report.runfolder import check_folder

    # all of it before the first step is told: bad input is one line
    wanted = read_precision(ctx, precision, "observable")
    settings, work = prepare(
        files if len(files) > 1 else files[0],
        angles,
        observable,
        names=names,
        bind=bound_values(bind),
        device=device,
        mitigation=mitigation,
        shots=shots if wanted is None else UNPLANNED,
        precision=None if wanted is None else str(wanted),
        seed=seed,
        probe=probe,
    )
    tell_note(work)
    if not given(ctx, "mitigation") and (valid := valid_mitigation(work)) is not None:
        settings = settings.model_copy(update={"mitigation": valid})
    if budget is not None:
        parse_money(budget)
    if out_folder is not None:
        check_folder(out_folder)
    origin = own_words(files, angles, names, bind)
    command = _command_line(origin, settings, budget, project)
    if not is_vendor(device):
        for name, asked in (("estimate", estimate), ("again", again)):
            if asked:
                raise ValueError(
                    f"Argument `{name}` must be given for a device that takes jobs, but {device} "
                    "is a simulator here"
                )
        scaled = scaled_devices(device, noise_scale)
        each = [settings.model_copy(update={"device": name}) for name in scaled]
        if wanted is not None:
            each = [_planned(one, work, wanted)[0] for one in each]
        lines = [_command_line(origin, one, budget, project) for one in each]
        _simulate(each, work, lines, out_folder, as_json=as_json)
    elif noise_scale is not None:
        raise ValueError(
            "Argument `noise_scale` must come with aer:<device> or engine:<device>, "
            f"but the device is {device}"
        )
    elif estimate:
        plan = None
        if wanted is not None:
            settings, plan = _planned(settings, work, wanted, budget)
        _price(settings, work, plan, as_json=as_json)
    else:
        paying = Paying(budget, project, command)
        if wanted is not None and (again or not ExpectRun.in_ledger(settings)):
            settings, _ = _planned(settings, work, wanted, budget)
        _measure(settings, work, paying, again, out_folder, as_json=as_json)


def _planned(
    settings: ExpectSettings, work: Workload, wanted: Precision, budget: str | None = None
) -> tuple[ExpectSettings, ShotPlan]:
    """With shots for a precision; the plan is told."""
    from backends.registry import get_backend, get_vendor, is_vendor
    from qhw.analysis.precision.values import planned_values

    name = settings.device
    backend = get_vendor(name) if is_vendor(name) else get_backend(name)
    with steps() as tell:
        settings, plan = planned_values(settings, work, backend, wanted, tell, budget)
    tell_plan(plan)
    return settings, plan


def _simulate(
    asked: list[ExpectSettings],
    work: Workload,
    commands: list[str],
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """On a simulator, or on the same one at the two ends of the noise that was measured."""
    from backends.registry import get_backend
    from qhw.analysis.expect.values import simulate
    from qhw.cli.expect_output import expectation_document, print_expectation, written_expectation
    from qhw.report.runfolder import run_id

    documents = []
    for settings, command in zip(asked, commands, strict=True):
        backend = get_backend(settings.device)
        with steps() as tell:
            measured = simulate(settings, work, backend, command=command, notify=tell)
        name = run_id(settings.task, settings.model_dump_json())
        place = written_expectation(measured, folder, name)
        if as_json:
            documents.append(expectation_document(measured, place))
        else:
            print_expectation(measured, place)
    if as_json:
        emit_json(documents[0] if len(documents) == 1 else {"runs": documents})


def _price(
    settings: ExpectSettings, work: Workload, plan: ShotPlan | None, *, as_json: bool
) -> None:
    from backends.registry import get_vendor
    from backends.vendor import is_rehearsal
    from qhw.analysis.expect.values import quote_expectation
    from qhw.cli.expect_output import quote_document, quote_lines

    vendor = get_vendor(settings.device)
    rehearsal = is_rehearsal(vendor)
    with steps() as tell:
        quote = quote_expectation(settings, work, vendor, tell)
    if as_json:
        emit_json({**quote_document(quote, rehearsal=rehearsal), **plan_document(plan)})
        return
    if rehearsal:
        out.print(REHEARSED_PRICE, soft_wrap=True)
    for line in quote_lines(quote):
        out.print(line, soft_wrap=True)


def _tell_price(quote: ExpectQuote) -> None:
    from qhw.cli.expect_output import quote_lines

    for line in quote_lines(quote):
        err.print(line, soft_wrap=True)


def _measure(
    settings: ExpectSettings,
    work: Workload,
    paying: Paying,
    again: bool,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    from qhw.cli.paid import report_paid, say_what_goes_on
    from qhw.paid.expect import ExpectRun

    run, fresh = ExpectRun.asked(settings, work, paying, again=again)
    with steps() as tell:
        try:
            run.send(
                lambda words: err.print(words, soft_wrap=True) if not fresh else tell(words),
                fresh=fresh,
                priced=_tell_price,
            )
            found = run.wait(tell)
        except KeyboardInterrupt:
            say_what_goes_on(run)
            raise
    assert found is not None  # waited for without a limit
    report_paid(run, found, folder, as_json=as_json)


def _command_line(
    origin: list[str], settings: ExpectSettings, budget: str | None, project: str
) -> str:
    words = ["qhw", "expect", *origin]
    for text in settings.observables:
        words += ["--observable", text]
    planned = settings.precision is not None
    for name in ("device", "mitigation", "precision" if planned else "shots", "seed"):
        words += [f"--{name}", str(getattr(settings, name))]
    if settings.probe:
        words += ["--probe"]
    if budget is not None:
        words += ["--budget", budget]
    if project != _PROJECT:
        words += ["--project", project]
    return shlex.join(words)

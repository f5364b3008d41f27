"""``qhw expect``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, err, out, steps
from qhw.cli.options import Json, Seed, Shots
from qhw.cli.submit import REHEARSED_PRICE, Budget, Project

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qhw.analysis.expect_result import ExpectSettings

_PROJECT = "default"


def expect_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.qasm|FILE.qpy", help="One circuit.")],
    observable: Annotated[
        list[str],
        typer.Option(
            help='Pauli sum such as "0.5*XXI - 1.2*IYY", wire 0 (last qubit) leftmost; may be '
            "repeated."
        ),
    ],
    device: Annotated[
        str, typer.Option(help="Backend, also one that costs money; see `qhw devices`.")
    ] = "engine:ibm_boston",
    mitigation: Annotated[
        str, typer.Option(metavar="PIPELINE", help="none, or techniques in a row.")
    ] = "readout+zne(1,3)",
    shots: Shots = 20_000,
    seed: Seed = 0,
    budget: Budget = None,
    project: Project = _PROJECT,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="On a paid device: price it and send nothing.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="On a paid device: new counts, even if some are paid already."
        ),
    ] = False,
    out_folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where a folder with result, counts and circuit is made; by default none is.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Expectation values of Pauli observables with error bars, beside the exact ones.

    On a paid device all circuits go through the ledger within --budget, as with `qhw run`. The
    same command line again takes up what was sent and pays nothing twice; so does `qhw jobs
    watch RUN`.
    """
    from backends.registry import is_vendor
    from qhw.jobs.money import parse_money
    from qhw.report.runfolder import check_folder

    # all of it before the first step is told: bad input is one line
    settings, circuit = _asked(file, observable, device, mitigation, shots, seed)
    if budget is not None:
        parse_money(budget)
    if out_folder is not None:
        check_folder(out_folder)
    command = _command_line(file, settings, budget, project)
    if not is_vendor(device):
        for name, given in (("estimate", estimate), ("again", again)):
            if given:
                raise ValueError(
                    f"Argument `{name}` must be given for a device that takes jobs, but {device} "
                    "is a simulator here"
                )
        _simulate(settings, circuit, command, out_folder, as_json=as_json)
    elif estimate:
        _price(settings, circuit, as_json=as_json)
    else:
        paying = (budget, project, command)
        _measure(settings, circuit, paying, again, out_folder, as_json=as_json)


def _simulate(
    settings: ExpectSettings,
    circuit: QuantumCircuit,
    command: str,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    from backends.registry import get_backend
    from qhw.analysis.expect import (
        check_device,
        compile_circuit,
        plan,
        result_of,
        simulator_cost,
    )
    from qhw.cli.expect_output import tell_expectation
    from qhw.mitigation.expectation import run_expectation
    from qhw.report.runfolder import run_id

    backend = get_backend(settings.device)
    check_device(settings, circuit, backend)
    with steps() as tell:
        tell("compiling")
        program = plan(settings, backend, compile_circuit(settings, backend, circuit))
        tell(f"running {len(program.batches)} circuits")
        found = run_expectation(program, seed=settings.seed)
    cost = simulator_cost(backend, program)
    measured = result_of(settings, program, found, cost=cost, command=command)
    name = run_id(settings.task, settings.model_dump_json())
    tell_expectation(measured, folder, name, as_json=as_json)


def _price(settings: ExpectSettings, circuit: QuantumCircuit, *, as_json: bool) -> None:
    from backends.registry import get_vendor
    from backends.vendor import is_rehearsal
    from qhw.analysis.expect import check_device, compile_circuit, quote_expectation
    from qhw.cli.expect_output import quote_document, quote_line

    vendor = get_vendor(settings.device)
    rehearsal = is_rehearsal(vendor)
    check_device(settings, circuit, vendor)
    with steps() as tell:
        tell(f"compiling for {vendor.name}")
        compiled = compile_circuit(settings, vendor, circuit)
        tell("checking and pricing")
        quote = quote_expectation(settings, vendor, compiled)
    if as_json:
        emit_json(quote_document(quote, rehearsal=rehearsal))
        return
    if rehearsal:
        out.print(REHEARSED_PRICE, soft_wrap=True)
    out.print(quote_line(quote), soft_wrap=True)


def _measure(
    settings: ExpectSettings,
    circuit: QuantumCircuit,
    paying: tuple[str | None, str, str],
    again: bool,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    from qhw.analysis.expect import check_device
    from qhw.cli.expect_output import quote_line
    from qhw.cli.paid import report_paid, say_what_goes_on
    from qhw.paid.expect import ExpectRun

    run = None if again else ExpectRun.before(settings)
    fresh = run is None
    if run is None:
        run = ExpectRun.new(settings, *paying)
        check_device(settings, circuit, run.backend.vendor())
    else:
        err.print(
            f"taking up {run.id}, sent {run.moment:%Y-%m-%d %H:%M} UTC; nothing is sent twice "
            "(--again sends all of it anew)",
            soft_wrap=True,
        )
    with steps() as tell:
        if fresh:
            quote = run.prepare(circuit, tell)
            err.print(quote_line(quote), soft_wrap=True)
        try:
            if fresh:
                run.start(tell)
                tell(f"submitted as {run.id}")
            found = run.wait(tell)
        except KeyboardInterrupt:
            say_what_goes_on(run)
            raise
    assert found is not None  # waited for without a limit
    report_paid(run, found, folder, as_json=as_json)


def _asked(
    file: Path, observables: list[str], device: str, mitigation: str, shots: int, seed: int
) -> tuple[ExpectSettings, QuantumCircuit]:
    """Settings and circuit, checked as far as they can be without the device."""
    import hashlib

    from backends.base import BackendError
    from calibration.documents import read_bounded
    from qhw.analysis.expect import prepare
    from qhw.analysis.expect_result import ExpectSettings
    from qhw.circuits.files import LAYOUT_NOT_KEPT, read_circuits
    from qhw.mitigation.pipeline import Pipeline

    circuits = read_circuits(file)
    if len(circuits) != 1 or circuits[0].parameters:
        raise ValueError(
            f"Argument `file` must hold one circuit without free angles, but {file.name} holds "
            f"{len(circuits)} with {len(circuits[0].parameters)}"
        )
    settings = ExpectSettings(
        circuit=file.name,
        circuit_sha256=hashlib.sha256(read_bounded(file)).hexdigest(),
        observables=tuple(observables),
        device=device,
        mitigation=str(Pipeline.parse(mitigation)),
        shots=shots,
        seed=seed,
    )
    if circuits[0].layout is not None:
        err.print(f"{file.name}: {LAYOUT_NOT_KEPT}", markup=False, soft_wrap=True)
    try:
        return prepare(settings, circuits[0])
    except BackendError as error:
        raise BackendError(f"{file}: {error}") from error


def _command_line(file: Path, settings: ExpectSettings, budget: str | None, project: str) -> str:
    words = ["qhw", "expect", str(file)]
    for text in settings.observables:
        words += ["--observable", text]
    for name in ("device", "mitigation", "shots", "seed"):
        words += [f"--{name}", str(getattr(settings, name))]
    if budget is not None:
        words += ["--budget", budget]
    if project != _PROJECT:
        words += ["--project", project]
    return shlex.join(words)

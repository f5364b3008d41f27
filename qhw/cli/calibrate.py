"""``qhw calibrate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from qhw.cli.bind import Bind, bound_values
from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import (
    Again,
    Budget,
    DaskCluster,
    Device,
    Json,
    Model,
    OutFile,
    Project,
    Seed,
    Workers,
)
from qhw.cli.own import Angles, Files, Names, own_circuits, own_workload
from qhw.cli.shot_counts import shot_count
from qhw.defaults import DEFAULT_DEVICE

_SHOTS = 20_000


def calibrate_command(
    ctx: typer.Context,
    out_file: OutFile,
    files: Files = None,
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    device: Device = DEFAULT_DEVICE,
    model: Model = None,
    shots: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=shot_count,
            help="Shots of each prepared state (default 20000); with --head of each row (10000).",
        ),
    ] = None,
    qubits: Annotated[
        str | None,
        typer.Option(help="Device qubits, for example 3,4,5; by default those the circuit reads."),
    ] = None,
    circuit: Annotated[
        str | None,
        typer.Option(
            help="Which circuit of a model: decoder (the default) or encoder; with --head both "
            "by default."
        ),
    ] = None,
    head: Annotated[
        bool,
        typer.Option(
            "--head", help="Counts to refit a model's linear read-outs to, for --head of `compare`."
        ),
    ] = False,
    rows: Annotated[
        int | None, typer.Option(help="With --head: inputs of known outcome (default 200).")
    ] = None,
    preparation: Annotated[
        str | None, typer.Option(help="With --head: how amplitudes are loaded, as in `compare`.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="With --head: price it and send nothing.")
    ] = False,
    budget: Budget = None,
    project: Project = "default",
    again: Again = False,
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    as_json: Json = False,
) -> None:
    """Measure how a device's qubits are misread, alone and in pairs, and store it.

    By default the qubits that the circuit is compiled to with the same --seed. With --head, run a
    model's circuits on inputs whose exact outcome is known, also on a device that costs money: the
    same line again takes up what was sent and pays nothing twice.
    """
    import json

    from qhw.api.calibrating import calibrate
    from qhw.circuits.given import read_given
    from qhw.models.checkpoint import write_atomically

    of_heads = {
        "rows": rows,
        "preparation": preparation,
        "estimate": estimate or None,
        "budget": budget,
        "again": again or None,
    }
    if head:
        from qhw.cli.calibrate_head import Paid, calibrate_head_command

        given = {"file": files, "angles": angles, "names": names, "bind": bind, "qubits": qubits}
        _left_out(given, "--head")
        asked = {"rows": rows, "shots": shots, "preparation": preparation}
        calibrate_head_command(
            out_file,
            model,
            device,
            circuit,
            {name: value for name, value in asked.items() if value is not None},
            seed,
            Paid(estimate, budget, project, again),
            as_json=as_json,
        )
        return
    _left_out(of_heads, "a calibration without --head")
    # its angles decide nothing here, and need not be given; what is given must fit
    take = own_circuits if angles is None else own_workload
    own: Any = take(ctx, files, angles, names, ("model", "circuit"), bind)
    if bind and angles is None:
        own = read_given(own, None, bind=bound_values(bind)).circuit
    with steps() as tell:
        found = calibrate(
            own,
            device,
            shots=_SHOTS if shots is None else shots,
            qubits=None if qubits is None else _numbers(qubits),
            model=model,
            part=circuit or "decoder",
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            tell=tell,
        )
    write_atomically(out_file, found.to_json().encode())
    if as_json:
        emit_json({"file": str(out_file), **json.loads(found.to_json())})
        return
    from qhw.report.tables import WholeTable

    measured = f"{found.states} states x {found.shots:,} shots"
    table = WholeTable(title=f"readout of {found.device}, {measured}")
    for heading in ("qubit", "p(1|0)", "p(0|1)"):
        table.add_column(heading, justify="right")
    for q in found.qubits:
        table.add_row(
            str(q.qubit), f"{q.p10:.4f} ± {q.p10_error:.4f}", f"{q.p01:.4f} ± {q.p01_error:.4f}"
        )
    out.print(table, crop=False)
    pairs = found.correlated_pairs([q.qubit for q in found.qubits])
    named = ", ".join(f"{a}-{b} ({p.significance:.1f} sigma)" for p in pairs for a, b in [p.qubits])
    out.print(f"read together: {named or 'no pair'}", soft_wrap=True)
    out.print(f"stored in {out_file}", soft_wrap=True)


def _left_out(given: Mapping[str, object], of: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"Argument `{name}` must be left out of {of}, but is given")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"Argument `qubits` must be whole numbers with commas between, but is {text!r}"
        ) from error

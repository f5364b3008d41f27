"""``qhw calibrate``."""

from __future__ import annotations

from typing import Annotated

import typer

from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import DaskCluster, Device, Json, Model, OutFile, Seed, Workers
from qhw.cli.own import Angles, Files, Names, own_circuits, own_workload
from qhw.cli.shot_counts import shot_count
from qhw.defaults import DEFAULT_DEVICE


def calibrate_command(
    ctx: typer.Context,
    out_file: OutFile,
    files: Files = None,
    angles: Angles = None,
    names: Names = None,
    device: Device = DEFAULT_DEVICE,
    model: Model = None,
    shots: Annotated[
        int, typer.Option(metavar="N", parser=shot_count, help="Shots of each prepared state.")
    ] = 20_000,
    qubits: Annotated[
        str | None,
        typer.Option(help="Device qubits, for example 3,4,5; by default those the circuit reads."),
    ] = None,
    circuit: Annotated[
        str, typer.Option(help="Which circuit of a model: decoder or encoder.")
    ] = "decoder",
    seed: Seed = 0,
    workers: Workers = None,
    scheduler: DaskCluster = None,
    as_json: Json = False,
) -> None:
    """Measure how a device's qubits are misread, alone and in pairs, and store it.

    By default the qubits that the circuit is compiled to with the same --seed.
    """
    import json

    from qhw.api.calibrating import calibrate
    from qhw.models.checkpoint import write_atomically

    # its angles decide nothing here, and need not be given; what is given must fit
    take = own_circuits if angles is None else own_workload
    own = take(ctx, files, angles, names, ("model", "circuit"))
    with steps() as tell:
        found = calibrate(
            own,
            device,
            shots=shots,
            qubits=None if qubits is None else _numbers(qubits),
            model=model,
            part=circuit,
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

    table = WholeTable(title=f"readout of {found.device}, {found.states} states x {shots:,} shots")
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


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"Argument `qubits` must be whole numbers with commas between, but is {text!r}"
        ) from error

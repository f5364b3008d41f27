"""``qhw calibrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import DEFAULT_DEVICE, Device, Json, Model, OutFile, Seed
from qhw.cli.shot_counts import shot_count

if TYPE_CHECKING:
    from qhw.circuits.plan import CircuitPlan


def calibrate_command(
    out_file: OutFile,
    device: Device = DEFAULT_DEVICE,
    model: Model = None,
    shots: Annotated[
        int, typer.Option(metavar="N", parser=shot_count, help="Shots of each prepared state.")
    ] = 20_000,
    qubits: Annotated[
        str | None,
        typer.Option(
            help="Device qubits, for example 3,4,5; by default those the model's circuit reads."
        ),
    ] = None,
    circuit: Annotated[
        str, typer.Option(help="Which circuit's qubits: decoder or encoder.")
    ] = "decoder",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure how a device's qubits are misread, alone and in pairs, and store it."""
    import json

    from backends.registry import get_backend
    from qhw.circuits.templates import build_template
    from qhw.mitigation.calibrate import (
        calibrate_readout,
        calibration_template,
        measured_device_qubits,
    )
    from qhw.models.checkpoint import write_atomically

    # all of it before the first step is told: bad input is one line
    backend = get_backend(device)
    if circuit not in ("decoder", "encoder"):
        raise ValueError(f"Argument `circuit` must be decoder or encoder, but is {circuit!r}")
    plan = _plan(model, circuit) if qubits is None else None
    chosen = () if qubits is None else _numbers(qubits)
    if chosen:
        calibration_template(backend.snapshot, chosen)
    with steps() as tell:
        if plan is not None:
            tell(f"compiling the {circuit}, to calibrate the qubits it reads")
            compiled = backend.compile(build_template(plan, "brickwork").circuit)
            chosen = measured_device_qubits(compiled)
        tell(f"calibrating {len(chosen)} qubits, {shots} shots a state")
        found = calibrate_readout(backend, chosen, shots=shots, seed=seed)
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
    pairs = found.correlated_pairs(chosen)
    named = ", ".join(f"{a}-{b} ({p.significance:.1f} sigma)" for p in pairs for a, b in [p.qubits])
    out.print(f"read together: {named or 'no pair'}", soft_wrap=True)
    out.print(f"stored in {out_file}", soft_wrap=True)


def _plan(model: str | None, circuit: str) -> CircuitPlan:
    from qhw.analysis.compare import default_model
    from qhw.models.base import Role, plan_of
    from qhw.models.checkpoint import load

    loaded, card = load(model or default_model())
    role: Role = "decoder" if circuit == "decoder" else "encoder"
    return plan_of(loaded, role, card.name, f"calibration for its {role}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            f"Argument `qubits` must be whole numbers with commas between, but is {text!r}"
        ) from error

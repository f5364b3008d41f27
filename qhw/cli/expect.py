"""``qhw expect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out, steps
from qhw.cli.options import Json, Seed, Shots

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qhw.mitigation.expectation import ExpectationProgram, Expectations


def expect_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.qasm|FILE.qpy", help="One circuit.")],
    observable: Annotated[
        list[str],
        typer.Option(
            help='Pauli sum such as "0.5*XXI - 1.2*IYY", wire 0 (last qubit) leftmost; may be '
            "repeated."
        ),
    ],
    device: Annotated[str, typer.Option(help="Backend; see `qhw devices`.")] = "engine:ibm_boston",
    mitigation: Annotated[
        str, typer.Option(metavar="PIPELINE", help="none, or techniques in a row.")
    ] = "readout+zne(1,3)",
    shots: Shots = 20_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Expectation values of Pauli observables with error bars, beside the exact ones."""
    import numpy as np

    from backends.registry import get_backend
    from qhw.mitigation.bases import as_measured
    from qhw.mitigation.expectation import build_expectation, read_observables, run_expectation
    from qhw.mitigation.observables import Observable
    from qhw.mitigation.pipeline import Pipeline

    # all of it before the first step is told: bad input is one line
    circuit = _circuit(file)
    wanted = read_observables(
        [Observable.parse(text) for text in observable], as_measured(circuit).num_clbits
    )
    backend = get_backend(device)
    pipeline = Pipeline.parse(mitigation)
    pipeline.check("expectation")
    with steps() as tell:
        tell("compiling")
        program = build_expectation(
            backend,
            circuit,
            np.empty((1, 0)),
            wanted,
            pipeline=pipeline,
            shots=shots,
            seed=seed,
        )
        tell(f"running {len(program.batches)} circuits")
        found = run_expectation(program, seed=seed)
    document = _document(device, observable, program, found)
    emit_json(document) if as_json else _show(document)


def _circuit(file: Path) -> QuantumCircuit:
    from qhw.circuits.files import read_circuits

    circuits = read_circuits(file)
    if len(circuits) != 1 or circuits[0].parameters:
        raise ValueError(
            f"Argument `file` must hold one circuit without free angles, but {file.name} holds "
            f"{len(circuits)} with {len(circuits[0].parameters)}"
        )
    return circuits[0]


def _document(
    device: str, texts: list[str], program: ExpectationProgram, found: Expectations
) -> dict[str, object]:
    exact, floor = program.exact()
    compiled = [p.compiled for p in program.programs]
    snapshot = compiled[0].snapshot if compiled else None
    return {
        "device": device,
        "snapshot": None if snapshot is None else f"{snapshot.name}@{snapshot.taken:%Y-%m-%d}",
        "mitigation": found.pipeline,
        "vendor_mitigation": found.vendor,
        "circuits": len(program.batches),
        "bases": [g.basis for g in program.groups],
        "two_qubit_gates": max((c.two_qubit_gates for c in compiled), default=0),
        "total_shots": found.total_shots,
        "observables": [
            {
                "observable": text,
                "value": float(found.values[0, k]),
                "standard_error": float(found.standard_error[0, k]),
                "exact": float(exact[0, k]),
                "shot_floor": float(floor[0, k]),
            }
            for k, text in enumerate(texts)
        ],
    }


def _show(document: dict[str, object]) -> None:
    from rich.markup import escape

    from qhw.report.tables import WholeTable

    table = WholeTable(
        title=f"{document['device']} ({document['snapshot'] or 'ideal'}), "
        f"{document['mitigation']}, {document['total_shots']:,} shots, "
        f"{document['two_qubit_gates']} two-qubit gates"
    )
    headings = ("observable", "value ± standard error", "exact", "shot floor")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "observable" else "right")
    rows = document["observables"]
    assert isinstance(rows, list)
    for row in rows:
        table.add_row(
            escape(row["observable"]),
            f"{row['value']:z.4f} ± {row['standard_error']:.4f}",
            f"{row['exact']:z.4f}",
            f"{row['shot_floor']:.4f}",
        )
    out.print(table, crop=False)

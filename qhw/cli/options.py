"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run's folder is made.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything random.")]
Shots = Annotated[int, typer.Option("--shots", help="Shots of each row, mitigation included.")]
Device = Annotated[
    str, typer.Option("--device", help="Backend: exact, aer:<device>; see `qhw devices`.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Shipped name or path of a checkpoint; see `qhw models`."),
]
Prior = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="vmf-mixture (default, fitted to the shipped molecules' latents), posterior (around "
        "those latents), positive-orthant (released code), uniform-sphere (paper).",
    ),
]
Mitigation = Annotated[
    str,
    typer.Option(
        "--mitigation",
        metavar="PIPELINE",
        help="none, readout, default, or techniques in a row from the circuit outwards, such as "
        '"twirl(8)+readout+zne(1,3)", with --shots for all of them together. Raw counts are '
        "always shown beside.",
    ),
]
WithRaw = Annotated[
    bool,
    typer.Option(
        "--with-raw",
        help="On a paid device: also run the circuit itself with all shots, at its own cost. "
        "Without it, raw counts are those that the pipeline takes anyway.",
    ),
]
RUNS = Path("runs")
DEFAULT_DEVICE = "aer:ibm_boston"

"""Options that several commands share."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from qhw.cli.shot_counts import shot_count


def writable_file(path: Path) -> Path:
    """The path of a file to write, checked before anything is measured or computed.

    Raises:
        ValueError: it is a folder, or its folder cannot be written.
    """
    if path.is_dir():
        raise ValueError(f"Argument `out` must be a file, but {path} is a folder")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise ValueError(
            f"Argument `out` must be a file that can be written, but {path}: {error.strerror}"
        ) from error


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the run's folder is made.")]
OutFile = Annotated[
    Path,
    typer.Option("--out", metavar="FILE", callback=writable_file, help="JSON file to write."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of everything random.")]
"""As far as torch and Aer count."""
Shots = Annotated[
    int,
    typer.Option(
        "--shots",
        metavar="N",
        parser=shot_count,
        help="Shots of each row, mitigation included; 20k is 20000, 1M a million.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="X",
        help="In place of --shots: as many as the whole pipeline takes for an expected total "
        "variation distance of X to what infinitely many would give; with rad behind, for that "
        "angle of encoders' directions.",
    ),
]
ValuePrecision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="X",
        help="In place of --shots: as many as the whole pipeline takes for a standard error of X "
        "of the worst observable.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="exact, or aer:<device> as in `qhw devices`; engine:<device> is our own simulation.",
    ),
]
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
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="On a paid device: new counts, even if some of the same circuit are paid already.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Shipped name, checkpoint or its folder; see `qhw models`."),
]
Prior = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="latent-diffusion (default where one is shipped for the model; options in brackets, "
        "such as latent-diffusion(temperature=0.8,steps=8,atoms=7)), name of a shipped one, the "
        "folder of one made with `qhw train`, vmf-mixture (fitted to the shipped molecules' "
        "latents), posterior (around those latents), near-condition (those of molecules near a "
        "--condition), positive-orthant (released code), uniform-sphere (paper).",
    ),
]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        "--condition",
        metavar="PROPERTY=VALUE",
        help="What a conditional model is asked for, such as logP=1.0; once for each of its "
        "properties, without it molecules' own. Of generate with any other model: what its trained "
        "prior is asked for, once for any of its properties.",
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(help="Of prior latent-diffusion, 0 to 2: below 1 typical molecules, less varied."),
]
SamplerSteps = Annotated[
    int | None, typer.Option(help="Noise levels that prior latent-diffusion goes through.")
]
Atoms = Annotated[int | None, typer.Option(help="Heavy atoms asked of prior latent-diffusion.")]
NoiseScale = Annotated[
    str | None,
    typer.Option(
        "--noise-scale",
        metavar="F|measured",
        help="Factor on a device model's noise, or measured: the low and the high end that public "
        "results of the vendor's devices give, both shown.",
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
Probe = Annotated[
    bool,
    typer.Option(
        "--probe",
        help="Run two or three smaller circuits of known answer beside each circuit, counted and "
        "priced with it, and fit the device model's noise of the day to them.",
    ),
]
DaskCluster = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="ADDRESS", help="Dask cluster that does the work, tcp://host:port."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=0, help="Local processes that share the work; default none."),
]
RUNS = Path("runs")

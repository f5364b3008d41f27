"""``qhw force-field``: what is done with a trained force field."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhw.cli.console import emit_json, out
from qhw.cli.options import RUNS, Budget, Json, Out, Project, Seed, writable_file

if TYPE_CHECKING:
    from ase import Atoms

_PROJECT = "default"

app = typer.Typer(no_args_is_help=True, help="Energies and forces of a trained force field.")

Field = Annotated[str, typer.Argument(help="Name or path of a trained force field.")]
Data = Annotated[
    Path, typer.Option("--data", metavar="FILE", help="rMD17's .npz, or .xyz/.extxyz.")
]
Unit = Annotated[
    str | None,
    typer.Option(help="Of energies: eV, kcal/mol or Ha. [kcal/mol of .npz, eV of .xyz]"),
]
FieldShots = Annotated[
    str | None,
    typer.Option(
        "--shots",
        metavar="N",
        help="Of each atom's circuit and each shifted one, mitigation included; 20k is 20000.",
    ),
]
Wanted = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="ERROR",
        help="In place of --shots, the standard error wanted: 1kcal/mol, 65meV/A, or both with a "
        "comma.",
    ),
]
Pipeline = Annotated[
    str, typer.Option("--mitigation", metavar="PIPELINE", help="none, or techniques in a row.")
]
Rule = Annotated[
    str, typer.Option("--forces", help="shift, finite or classical; see `qhw.calculator`.")
]


@app.command("evaluate")
def evaluate_command(
    model: Field,
    data: Data,
    unit: Unit = None,
    as_json: Json = False,
) -> None:
    """Errors of energies and forces on labelled geometries, beside what a constant achieves."""
    from qhw.api.force_fields import evaluate_force_field
    from qhw.report.format import number
    from qhw.report.tables import WholeTable

    found = evaluate_force_field(model, data, unit)
    if as_json:
        emit_json(found.to_dict())
        return
    table = WholeTable(box=None, pad_edge=False, header_style="dim")
    for heading in (f"{found.frames} frames of {found.data}", "energy (meV)", "force (meV/Å)"):
        table.add_column(heading)
    for name, energy, force in (
        ("mean absolute error", found.energy_mae, found.force_mae),
        ("root mean square", found.energy_rmse, found.force_rmse),
        ("baseline: a constant energy, MAE", found.mean_energy_mae, found.mean_force_mae),
    ):
        table.add_row(name, number(energy), number(force))
    out.print(table, crop=False)
    if found.shot_sigma is not None:
        out.print(f"energy at one shot of every atom's circuit: ± {number(found.shot_sigma)} meV")


@app.command("compare")
def compare_command(
    model: Field,
    data: Data,
    device: Annotated[
        str,
        typer.Option(
            help="exact, engine:<device>, aer:<device> or emulator:<device>; ibm:<device> and "
            "braket:<device> cost money."
        ),
    ],
    frames: Annotated[int, typer.Option(min=1, help="Spread evenly over the file.")] = 5,
    shots: FieldShots = None,
    precision: Wanted = None,
    mitigation: Pipeline = "readout+zne(1,3)",
    forces: Rule = "shift",
    seed: Seed = 0,
    unit: Unit = None,
    budget: Budget = None,
    project: Project = _PROJECT,
    out_folder: Out = RUNS,
    as_json: Json = False,
) -> None:
    """Energies and forces on a device, raw and mitigated, beside exact, labels and controls."""
    from qhw.api.devices import device as as_device
    from qhw.api.field_comparison import compare_force_field, save_field_comparison
    from qhw.report.force_field import cost_lines, field_table
    from qhw.report.runfolder import check_folder

    check_folder(out_folder)
    found = compare_force_field(
        model,
        data,
        as_device(device, budget=budget, project=project),
        frames=frames,
        shots=shots,
        precision=precision,
        mitigation=mitigation,
        forces=forces,  # type: ignore[arg-type]  # checked there, with words
        seed=seed,
        unit=unit,
    )
    written = save_field_comparison(found, out_folder, shlex.join(["qhw", *sys.argv[1:]]))
    if as_json:
        emit_json({"run": str(written), **found.to_dict()})
        return
    out.print(field_table(found), crop=False)
    for line in cost_lines(found):
        out.print(line, soft_wrap=True, markup=False)
    out.print(f"report: {written / 'report.html'}", soft_wrap=True)


Molecule = Annotated[Path, typer.Argument(metavar="FILE", help="Molecule, as ASE reads it.")]
Where = Annotated[
    str | None,
    typer.Option("--device", help="Where circuits run; by default energies are exact."),
]


def _xyz_file(path: Path) -> Path:
    if path.suffix not in (".xyz", ".extxyz"):
        raise ValueError(f"Argument `out` must end in .xyz or .extxyz, but is {path.name[:60]!r}")
    return writable_file(path)


Trajectory = Annotated[
    Path,
    typer.Option(
        "--out", metavar="FILE.xyz", callback=_xyz_file, help="Extended XYZ, a frame a step."
    ),
]


def _molecule(file: Path, out_file: Path) -> Atoms:
    """The start of what is written into another file."""
    from qhw.forces.dynamics import read_molecule

    if out_file.exists() and file.exists() and out_file.samefile(file):
        raise ValueError(f"Argument `out` must be another file than the molecule's, {file}")
    return read_molecule(file)


@app.command("relax")
def relax_command(
    model: Field,
    file: Molecule,
    out_file: Trajectory,
    device: Where = None,
    fmax: Annotated[float, typer.Option(min=1e-6, help="Largest force at the end, eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Most.")] = 300,
    shots: FieldShots = None,
    precision: Wanted = None,
    mitigation: Pipeline = "none",
    forces: Rule = "shift",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Relax a molecule by BFGS; the last frame of FILE.xyz is the minimum."""
    from qhw.api.force_fields import stepping_calculator
    from qhw.report.format import number

    made = stepping_calculator(model, device, shots, precision, mitigation, forces, seed)
    from qhw.forces.dynamics import relax

    found = relax(_molecule(file, out_file), made, out_file, fmax=fmax, steps=steps)
    if as_json:
        emit_json({"out": str(out_file), **found.to_dict()})
        return
    state = "converged" if found.converged else "not converged"
    error = f" ± {number(1000 * found.energy_error)} meV" if found.energy_error else ""
    out.print(
        f"{state} after {found.steps} steps: {found.energy:.6f} eV{error}, largest force "
        f"{number(1000 * found.largest_force)} meV/Å; {out_file}",
        soft_wrap=True,
        markup=False,
    )


@app.command("md")
def md_command(
    model: Field,
    file: Molecule,
    out_file: Trajectory,
    device: Where = None,
    steps: Annotated[int, typer.Option(min=2, max=10_000_000, help="How many.")] = 1000,
    step: Annotated[float, typer.Option(min=0.001, max=10, help="Time step, fs.")] = 0.5,
    temperature: Annotated[float, typer.Option(min=0.1, max=10_000, help="At the start, K.")] = 300,
    friction: Annotated[
        float | None, typer.Option(min=0, help="1/fs, for Langevin at this temperature; else NVE.")
    ] = None,
    shots: FieldShots = None,
    precision: Wanted = None,
    mitigation: Pipeline = "none",
    forces: Rule = "shift",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Molecular dynamics; FILE.svg beside FILE.xyz shows energy, temperature and distances."""
    from qhw.api.force_fields import stepping_calculator
    from qhw.report.format import number

    made = stepping_calculator(model, device, shots, precision, mitigation, forces, seed)
    from qhw.forces.dynamics import dynamics
    from qhw.report.dynamics import write_dynamics_plot

    found = dynamics(
        _molecule(file, out_file),
        made,
        out_file,
        steps=steps,
        step_fs=step,
        temperature=temperature,
        friction=friction,
        seed=seed,
    )
    plot = out_file.with_suffix(".svg")
    write_dynamics_plot(found, plot)
    figures = found.to_dict()
    if as_json:
        emit_json({"out": str(out_file), "plot": str(plot), **figures})
        return
    words = ", ".join(f"{name.replace('_', ' ')} {number(x)}" for name, x in figures.items())
    out.print(f"{words}; {out_file}, {plot}", soft_wrap=True, markup=False)


@app.command("scan")
def scan_command(
    model: Field,
    file: Molecule,
    out_file: Trajectory,
    atoms: Annotated[
        str,
        typer.Option(help="Two atoms of a bond or four of a torsion, from 1, as in 3,9."),
    ],
    start: Annotated[float, typer.Option("--from", help="Å, or degrees.")],
    end: Annotated[float, typer.Option("--to", help="Å, or degrees.")],
    points: Annotated[int, typer.Option(min=2, max=10_000, help="How many, ends included.")] = 13,
    device: Where = None,
    shots: FieldShots = None,
    precision: Wanted = None,
    mitigation: Pipeline = "none",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Energies along a bond or a torsion, the rest of the molecule kept rigid."""
    import numpy as np

    from qhw.api.force_fields import stepping_calculator
    from qhw.report.format import number

    made = stepping_calculator(model, device, shots, precision, mitigation, "shift", seed)
    from qhw.forces.scans import scan

    try:
        places = [int(word) - 1 for word in atoms.split(",")]
    except ValueError:
        raise ValueError(
            f"Option `--atoms` must be numbers with commas such as 3,9, but is {atoms[:60]!r}"
        ) from None
    values = np.linspace(start, end, points, dtype=np.float64)
    found = scan(_molecule(file, out_file), made, places, values, out_file)
    if as_json:
        emit_json({"out": str(out_file), **found.to_dict()})
        return
    for value, energy, error in zip(found.values, found.energies, found.errors, strict=True):
        bar = f" ± {number(1000 * error)}" if error else ""
        rise = 1000 * (energy - found.energies.min())
        out.print(f"{value:9.3f}  {number(rise)}{bar} meV", highlight=False)
    out.print(str(out_file), soft_wrap=True, markup=False)


@app.command("vibrations")
def vibrations_command(model: Field, file: Molecule, as_json: Json = False) -> None:
    """Wave numbers of a molecule's harmonic vibrations at the field's own minimum, exact."""
    from qhw.api.force_fields import calculator
    from qhw.report.format import number

    made = calculator(model)
    from qhw.forces.dynamics import read_molecule
    from qhw.forces.scans import vibrations

    found = vibrations(read_molecule(file), made)
    if as_json:
        emit_json({"wavenumbers": found.tolist()})
        return
    out.print("cm⁻¹: " + ", ".join(number(x) for x in found), soft_wrap=True)

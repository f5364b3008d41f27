"""An O-H stretch of ethanol on device models: energy differences and forces beside exact ones.

python experiments/force_field_devices/run.py CHECKPOINT FRAMES.npz OUT.csv [DEVICE PIPELINE ...]

A device and its pipelines measure energies alone; without them, everything of the README's table.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.optimize import BFGS

import qhw
from qhw.analysis.force.device import SimulatedReader
from qhw.analysis.force.rows import force_rows
from qhw.api.force_fields import force_field
from qhw.chem.geometries import EV_OF, Geometries
from qhw.forces.files import read_geometries

DEVICES = ("exact", "engine:ibm_boston", "engine:iqm_garnet", "engine:ionq_forte_enterprise")
PIPELINES = ("none", "readout", "readout+zne(1,3)")
STRETCHES = np.array([0.0, -0.1, -0.05, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
SHOTS = 100_000
SEEDS = range(3)
COVERS = 1.96


def stretched(model: object, data: Path) -> Geometries:
    """Ethanol at the field's own minimum, then the O-H bond longer by each of `STRETCHES`, Å."""
    first = read_geometries(data)[0][:1]
    atoms = Atoms(first.numbers[0], first.positions[0])
    atoms.calc = qhw.calculator(model)
    BFGS(atoms, logfile=None).run(fmax=0.01, steps=300)
    oxygen = int(np.flatnonzero(atoms.numbers == 8)[0])
    hydrogens = np.flatnonzero(atoms.numbers == 1)
    near = int(hydrogens[np.argmin(atoms.get_distances(oxygen, hydrogens))])
    length = atoms.get_distance(oxygen, near)
    frames = []
    for more in STRETCHES:
        moved = atoms.copy()
        moved.set_distance(oxygen, near, length + more, fix=0)
        frames.append(moved)
    return Geometries.of_atoms(frames)


def main(checkpoint: str, data: str, out: str, device: str = "", *pipelines: str) -> None:
    """Measure every device, pipeline and seed; a line each, at once."""
    asked = {device: pipelines} if device else dict.fromkeys(DEVICES, PIPELINES)
    torch.set_num_threads(1)
    model = force_field(checkpoint)
    frames = stretched(model, Path(data))
    exact, pulls = model.energy_and_forces(frames)
    energies = force_rows(model, frames, None)
    forces = force_rows(model, frames[4:5], "shift")
    differ = energies.weights[1:] - energies.weights[[0] * (len(frames) - 1)]
    fields = ["device", "mitigation", "seed", "largest_meV", "rms_meV", "bar_meV", "covered", "of"]
    fields += ["force_rms_meV_A", "force_bar_meV_A", "force_covered", "force_of"]
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(fields)
        for name, some in asked.items():
            for pipeline in some if name != "exact" else PIPELINES[:1]:
                read = SimulatedReader(qhw.device(name).backend, pipeline, 0)
                for seed in SEEDS:
                    found = read(energies, SHOTS, seed).values
                    off = differ @ found.values
                    off += energies.offset[1:] - energies.offset[0] - (exact[1:] - exact[0])
                    variance = differ.power(2) @ found.own_error**2
                    variance += sum((differ @ part) ** 2 for part in found.common)
                    bar = np.sqrt(variance)
                    row = [name, pipeline, seed, 1e3 * np.abs(off).max(), 1e3 * rms(off)]
                    row += [1e3 * rms(bar), int((np.abs(off) < COVERS * bar).sum()), len(off)]
                    if seed == 0 and not device:
                        found = read(forces, SHOTS, seed).values
                        wrong = (forces.combined(found.values)[1] - pulls[4:5]).ravel()
                        bar = forces.errors(found)[1].ravel()
                        row += [1e3 * rms(wrong), 1e3 * rms(bar)]
                        row += [int((np.abs(wrong) < COVERS * bar).sum()), len(bar)]
                    table.writerow([f"{x:.4g}" if isinstance(x, float) else x for x in row])
                    file.flush()
    rise = 1e3 * (exact[1:] - exact[0])
    print(
        f"stretch costs {rise.min():.0f} to {rise.max():.0f} meV; kcal/mol is {EV_OF['kcal/mol']}"
    )


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""NVE of ethanol whose forces come from a noisy device model: does it keep its energy?

python experiments/force_field_devices/nve.py DEVICE PIPELINE SHOTS OUT.csv [STEPS]

A line a step: measured total energy less the first, the same without device at the same geometry,
and the standard error that shots imply: of both potential energies, and of the work that wrong
forces have done, `sum (v . sigma_F dt)^2` over steps and components. Device `none` is the same
run without one: what its energy does is the integrator's doing.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.build import molecule
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

import qhw

STEP = 0.5 * units.fs
KELVIN = 300


def main(device: str, pipeline: str, shots: str, out: str, steps: str = "100") -> None:
    """Relax without a device, then run."""
    torch.set_num_threads(1)
    exact = qhw.calculator("ethanol")
    atoms = molecule("CH3CH2OH")
    atoms.calc = exact
    BFGS(atoms, logfile=None).run(fmax=0.01, steps=300)
    MaxwellBoltzmannDistribution(atoms, temperature_K=KELVIN, rng=np.random.default_rng(0))
    Stationary(atoms)
    ZeroRotation(atoms)
    if device == "none":
        noisy = qhw.calculator("ethanol")
    else:
        noisy = qhw.calculator("ethanol", device, shots=shots, mitigation=pipeline)
    atoms.calc = noisy
    run = VelocityVerlet(atoms, timestep=STEP)
    work, first = 0.0, None
    with Path(out).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["step", "measured_meV", "exact_meV", "bar_meV", "work_bar_meV", "kelvin"])
        for step in range(int(steps) + 1):
            if step:
                run.run(1)
            atoms.get_forces()
            measured, kinetic = atoms.get_total_energy(), atoms.get_kinetic_energy()
            error = noisy.results.get("energy_error", 0.0)
            still = atoms.copy()
            still.calc = exact
            true = still.get_potential_energy() + kinetic
            first = first or (measured, true, error)
            bar = np.sqrt(error**2 + first[2] ** 2 + work)
            row = [measured - first[0], true - first[1], bar, np.sqrt(work)]
            figures = [f"{1e3 * x:.4f}" for x in row]
            table.writerow([step, *figures, f"{atoms.get_temperature():.0f}"])
            file.flush()
            speed = atoms.get_velocities()
            work += float(np.square(speed * noisy.results.get("forces_error", 0.0) * STEP).sum())


if __name__ == "__main__":
    main(*sys.argv[1:])
